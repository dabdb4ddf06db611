use super::*;
use crate::yaml::load;

fn validated(text: &str) -> Result<HttpClientConfig, crate::error::Errors> {
    let raw: RawHttpClientConfig = load(text, "/etc/w/a.yml")?;
    let mut report = Report::new("/etc/w/a.yml");
    let config = HttpClientConfig::validate(raw, &mut report);
    report.finish(config)
}

#[test]
fn nothing_configured_is_the_default() {
    assert_eq!(validated(""), Ok(HttpClientConfig::default()));
}

#[test]
fn makes_headers() {
    let header = |text: &str| {
        let headers = validated(text).unwrap().headers().unwrap();
        headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect::<Vec<_>>().join("\n")
    };
    let check = |text: &str, want: &str| assert_eq!(header(text), want, "{text}");
    check("basic_auth: {username: u, password: p}", "authorization: Basic dTpw");
    check("basic_auth: {username: u}", "authorization: Basic dTo=");
    check("authorization: {credentials: t}", "authorization: Bearer t");
    check("authorization: {type: Token, credentials: t}", "authorization: Token t");
    check("bearer_token: t", "authorization: Bearer t");
    check("http_headers: {X-Org: {values: [a], secrets: [b]}}", "x-org: a\nx-org: b");
}

#[test]
fn reads_files_at_each_use_and_from_the_files_directory() {
    let dir = tempfile::tempdir().unwrap();
    let raw: RawHttpClientConfig = load("authorization: {credentials_file: token}", "a.yml").unwrap();
    let config = HttpClientConfig::validate(raw, &mut Report::new(dir.path().join("a.yml")));
    let missing = config.headers().unwrap_err();
    assert!(missing.to_string().contains("token"), "{missing}");
    for token in ["first", "second\n"] {
        std::fs::write(dir.path().join("token"), token).unwrap();
        assert_eq!(config.headers().unwrap()[AUTHORIZATION], format!("Bearer {}", token.trim()));
    }
}

#[test]
fn refuses_with_the_place() {
    let check = |text: &str, want: &str| assert_eq!(validated(text).unwrap_err().to_string(), want, "{text}");
    check(
        "basic_auth: {username: u}\nbearer_token: t",
        "/etc/w/a.yml:2:15: at most one of basic_auth, authorization, bearer_token and bearer_token_file may be given",
    );
    check(
        "authorization: {type: Basic, credentials: x}",
        "/etc/w/a.yml:1:23: authorization type cannot be set to \"basic\", use basic_auth instead",
    );
    check("authorization: {}", "/etc/w/a.yml:1:16: authorization needs credentials or credentials_file");
    check("oauth2: {client_id: x}", "/etc/w/a.yml:1:9: oauth2 is not supported yet");
    check("tls_config: {cert_file: c}", "/etc/w/a.yml:1:13: a client certificate needs its key: give key or key_file");
    check(
        "tls_config: {min_version: TLS10}\nproxy_url: ':'",
        "/etc/w/a.yml:1:27: TLS10 is not supported: the lowest version spoken is TLS12\n\
         /etc/w/a.yml:2:12: proxy_url is not a URL: relative URL without a base",
    );
    check(
        "tls_config: {serverName: x}",
        "/etc/w/a.yml:1:14: unknown key \"serverName\", did you mean \"server_name\"?",
    );
    check("http_headers: {Host: {values: [a]}}", "/etc/w/a.yml:1:15: setting the header \"host\" is not allowed");
}

#[test]
fn builds_clients() {
    let client = |text: &str| validated(text).unwrap().reqwest_client(Duration::from_secs(1)).map(|_| ());
    assert!(client("").is_ok());
    assert!(client("{follow_redirects: false, proxy_url: 'http://p:1', no_proxy: 'a,b'}").is_ok());
    assert!(client("tls_config: {insecure_skip_verify: true, min_version: TLS13}").is_ok());
    let refused = client("tls_config: {server_name: a.example}").unwrap_err();
    assert!(refused.to_string().contains("server_name"), "{refused}");
    let missing = client("tls_config: {ca_file: none.pem}").unwrap_err();
    assert_eq!(missing.to_string(), "cannot read \"/etc/w/none.pem\"");
    let bad = client("tls_config: {ca: nonsense}").unwrap_err();
    assert_eq!(bad.to_string(), "ca is not usable: no certificate in PEM form found");
}

#[test]
fn secrets_do_not_show() {
    let config = validated("basic_auth: {username: u, password: hunter2}\nhttp_headers: {X: {secrets: [hunter2]}}");
    assert!(!format!("{config:?}").contains("hunter2"));
}
