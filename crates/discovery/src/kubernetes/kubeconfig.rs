//! kubeconfig files: the server and the credentials of the current context.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use config::{
    Authorization, BasicAuth, HttpClientConfig, Ignored, Proxy, ProxyConfig, Secret, SecretSource, TlsConfig,
};
use serde::Deserialize;
use url::Url;

const FILE_BYTES_MAX: u64 = 4 << 20;

/// Why a kubeconfig file can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KubeconfigError {
    #[error("cannot read the kubeconfig file {path:?}")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the kubeconfig file {path:?} has {bytes} bytes, more than {FILE_BYTES_MAX}")]
    TooLarge { path: PathBuf, bytes: u64 },
    #[error(transparent)]
    Yaml(#[from] config::Errors),
    #[error("{path}: {reason}", path = path.display())]
    Content { path: PathBuf, reason: String },
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Kubeconfig {
    current_context: String,
    clusters: Vec<NamedCluster>,
    contexts: Vec<NamedContext>,
    users: Vec<NamedUser>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NamedContext {
    name: String,
    context: Context,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NamedUser {
    name: String,
    user: User,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Context {
    cluster: String,
    user: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Cluster {
    server: String,
    certificate_authority: String,
    certificate_authority_data: String,
    insecure_skip_tls_verify: bool,
    tls_server_name: String,
    proxy_url: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct User {
    client_certificate: String,
    client_certificate_data: String,
    client_key: String,
    client_key_data: Secret,
    token: Secret,
    #[serde(rename = "tokenFile")]
    token_file: String,
    username: String,
    password: Secret,
    exec: Option<Ignored>,
    auth_provider: Option<Ignored>,
    #[serde(rename = "as")]
    impersonated: Option<Ignored>,
    as_uid: Option<Ignored>,
    as_groups: Option<Ignored>,
    as_user_extra: Option<Ignored>,
}

/// The server of the current context and how to talk to it. Files that it names are not read, but at each use.
pub(crate) fn read(path: &Path) -> Result<(Url, HttpClientConfig), KubeconfigError> {
    let failed = |source| KubeconfigError::Read { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(KubeconfigError::TooLarge { path: path.to_owned(), bytes });
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let file: Kubeconfig = config::load(&text, path)?;
    current(&file, path).map_err(|reason| KubeconfigError::Content { path: path.to_owned(), reason })
}

fn current(file: &Kubeconfig, path: &Path) -> Result<(Url, HttpClientConfig), String> {
    if file.current_context.is_empty() {
        return Err("current-context is not set".to_owned());
    }
    let no = |what: &str, name: &str| format!("there is no {what} {name:?}");
    let context = file.contexts.iter().find(|context| context.name == file.current_context);
    let context = &context.ok_or_else(|| no("context", &file.current_context))?.context;
    let cluster = file.clusters.iter().find(|cluster| cluster.name == context.cluster);
    let cluster = &cluster.ok_or_else(|| no("cluster", &context.cluster))?.cluster;
    let nobody = User::default();
    let user = match file.users.iter().find(|user| user.name == context.user) {
        Some(user) => &user.user,
        None if context.user.is_empty() => &nobody,
        None => return Err(no("user", &context.user)),
    };
    let directory = path.parent().unwrap_or(Path::new(""));
    let http = HttpClientConfig {
        authorization: authorization(user, directory)?,
        tls: TlsConfig { identity: identity(user, directory)?, ..tls(cluster, directory)? },
        proxy: match cluster.proxy_url.as_str() {
            "" => ProxyConfig::default(),
            url => ProxyConfig::everywhere(Proxy::parse(url).map_err(|reason| format!("proxy-url {reason}"))?),
        },
        ..HttpClientConfig::default()
    };
    let server = Url::parse(&cluster.server).map_err(|error| format!("server is not a URL: {error}"))?;
    if !matches!(server.scheme(), "http" | "https") || server.host_str().is_none_or(str::is_empty) {
        return Err("server must begin with https:// or http:// and name a host".to_owned());
    }
    Ok((server, http))
}

fn tls(cluster: &Cluster, directory: &Path) -> Result<TlsConfig, String> {
    let ca = source(
        "certificate-authority-data",
        &cluster.certificate_authority_data,
        &cluster.certificate_authority,
        directory,
    )?;
    let server_name = Some(cluster.tls_server_name.clone()).filter(|name| !name.is_empty());
    Ok(TlsConfig { ca, server_name, insecure_skip_verify: cluster.insecure_skip_tls_verify, ..TlsConfig::default() })
}

fn identity(user: &User, directory: &Path) -> Result<Option<(SecretSource, SecretSource)>, String> {
    let certificate =
        source("client-certificate-data", &user.client_certificate_data, &user.client_certificate, directory)?;
    let key = source("client-key-data", user.client_key_data.expose(), &user.client_key, directory)?;
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        _ => Err("client-certificate and client-key need each other".to_owned()),
    }
}

fn authorization(user: &User, directory: &Path) -> Result<Option<Authorization>, String> {
    let refused = [
        ("exec", &user.exec, "write what the plugin would give into token or tokenFile"),
        ("auth-provider", &user.auth_provider, "write what the provider would give into token or tokenFile"),
        ("as", &user.impersonated, "use the credentials of the account itself"),
        ("as-uid", &user.as_uid, "use the credentials of the account itself"),
        ("as-groups", &user.as_groups, "use the credentials of the account itself"),
        ("as-user-extra", &user.as_user_extra, "use the credentials of the account itself"),
    ];
    if let Some((key, _, instead)) = refused.iter().find(|(_, value, _)| value.is_some()) {
        return Err(format!("{key} of a user is not supported: {instead}"));
    }
    let token = match user.token_file.as_str() {
        "" if user.token.is_empty() => None,
        "" => Some(SecretSource::Inline(user.token.clone())),
        file => Some(SecretSource::File(directory.join(file))),
    };
    let has_name = !user.username.is_empty() || !user.password.is_empty();
    match token {
        Some(_) if has_name => Err("a user has either a token or a username and password".to_owned()),
        Some(credentials) => Ok(Some(Authorization::Credentials { scheme: "Bearer".to_owned(), credentials })),
        None if has_name => Ok(Some(Authorization::Basic(BasicAuth {
            username: SecretSource::Inline(Secret::new(user.username.as_str())),
            password: SecretSource::Inline(user.password.clone()),
        }))),
        None => Ok(None),
    }
}

/// What is written in base64 counts before the file.
fn source(key: &str, data: &str, file: &str, directory: &Path) -> Result<Option<SecretSource>, String> {
    if !data.is_empty() {
        let bytes = BASE64_STANDARD.decode(data).map_err(|_| format!("{key} is not base64"))?;
        let text = String::from_utf8(bytes).map_err(|_| format!("{key} is not in PEM form"))?;
        return Ok(Some(SecretSource::Inline(Secret::new(text))));
    }
    Ok((!file.is_empty()).then(|| SecretSource::File(directory.join(file))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(cluster: &str, user: &str) -> Result<(Url, HttpClientConfig), String> {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: here\npreferences: {{}}\n\
             contexts:\n- {{name: there, context: {{cluster: no, user: no}}}}\n\
             - {{name: here, context: {{cluster: c, user: u, namespace: n}}}}\n\
             clusters: [{{name: c, cluster: {{{cluster}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
        );
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("config");
        std::fs::write(&path, text).expect("a file");
        read(&path).map_err(|error| error.to_string().replace(&path.display().to_string(), "config"))
    }

    #[test]
    fn takes_the_current_context() {
        let server = "server: 'https://h:6443/x'";
        let (url, http) = read_text(&format!("{server}, insecure-skip-tls-verify: true"), "").expect("valid");
        assert_eq!((url.as_str(), http.tls.insecure_skip_verify), ("https://h:6443/x", true));
        assert!(http.authorization.is_none() && http.tls.identity.is_none() && http.tls.ca.is_none());

        let words = format!("{server}, certificate-authority: no, certificate-authority-data: Y2E=");
        let (_, http) = read_text(&words, "client-certificate: a.pem, client-key-data: a2V5").expect("valid");
        assert_eq!(http.tls.ca, Some(SecretSource::Inline(Secret::new("ca"))));
        let Some((SecretSource::File(certificate), key)) = &http.tls.identity else { panic!("{http:?}") };
        assert!(
            certificate.is_absolute() && certificate.ends_with("a.pem"),
            "beside the kubeconfig file: {certificate:?}"
        );
        assert_eq!(*key, SecretSource::Inline(Secret::new("key")));

        let bearer = |user: &str| match read_text(server, user).expect(user).1.authorization {
            Some(Authorization::Credentials { scheme, credentials }) => (scheme, credentials),
            other => panic!("{user}: {other:?}"),
        };
        assert_eq!(bearer("token: t"), ("Bearer".to_owned(), SecretSource::Inline(Secret::new("t"))));
        assert!(matches!(bearer("token: t, tokenFile: /f").1, SecretSource::File(file) if file == Path::new("/f")));
        let (_, http) = read_text(server, "username: a, password: b").expect("valid");
        assert!(matches!(http.authorization, Some(Authorization::Basic(_))));
    }

    #[test]
    fn refuses_by_name() {
        let check = |cluster: &str, user: &str, want: &str| {
            let error = read_text(cluster, user).expect_err(want);
            assert_eq!(error, format!("config: {want}"));
        };
        let server = "server: 'https://h'";
        let exec = "exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, args: [a]}";
        check(
            server,
            exec,
            "exec of a user is not supported: write what the plugin would give into token or tokenFile",
        );
        check(
            server,
            "auth-provider: {name: gcp}",
            "auth-provider of a user is not supported: write what the provider would give into token or tokenFile",
        );
        check(server, "as: root", "as of a user is not supported: use the credentials of the account itself");
        check("", "", "server is not a URL: relative URL without a base");
        check("server: 'h:6443'", "", "server must begin with https:// or http:// and name a host");
        check(server, "client-key: a", "client-certificate and client-key need each other");
        check(server, "client-key-data: '?', client-certificate: a", "client-key-data is not base64");
        check(server, "token: a, username: b", "a user has either a token or a username and password");
        let missing = read(Path::new("/nowhere/config")).expect_err("no file");
        assert_eq!(missing.to_string(), "cannot read the kubeconfig file \"/nowhere/config\"");
    }
}
