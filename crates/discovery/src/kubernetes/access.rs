//! Where the API server is and how to talk to it.

use std::path::{Path, PathBuf};

use config::{Authorization, HttpClientConfig, SecretSource, TlsConfig};
use url::Url;

use crate::kubernetes::kubeconfig::{self, KubeconfigError};

/// Where a pod finds what belongs to its service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Which API server is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiServer {
    /// That of the cluster this runs in, with the service account of the pod.
    InCluster,
    /// That of the current context of a kubeconfig file.
    Kubeconfig(PathBuf),
    /// The one at this URL.
    Url {
        /// The URL.
        url: Url,
        /// How to talk to it.
        http: Box<HttpClientConfig>,
    },
}

/// Why the API server isn't known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    #[error(
        "this doesn't run in a pod of a cluster (KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set): give api_server or \
         kubeconfig_file"
    )]
    NotInCluster,
    #[error("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT don't make a URL: {0}")]
    Url(url::ParseError),
    #[error("cannot read {path:?}")]
    Namespace {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{0:?} is empty")]
    NoNamespace(PathBuf),
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
}

/// How to talk to an API server now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) server: Url,
    pub(crate) http: HttpClientConfig,
}

impl ApiServer {
    /// Where the server is, with files read now. The token of a service account is read at each request: it is replaced every hour.
    pub(crate) fn access(&self, in_cluster: &InCluster) -> Result<Access, AccessError> {
        match self {
            ApiServer::InCluster => in_cluster.access(),
            ApiServer::Kubeconfig(path) => {
                let (server, http) = kubeconfig::read(path)?;
                Ok(Access { server, http })
            }
            ApiServer::Url { url, http } => Ok(Access { server: url.clone(), http: (**http).clone() }),
        }
    }
}

/// What a pod is told of the cluster it runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InCluster {
    host: String,
    port: String,
    directory: PathBuf,
}

impl InCluster {
    /// What this process was told.
    pub fn system() -> Self {
        let variable = |name| std::env::var(name).unwrap_or_default();
        InCluster::new(&variable("KUBERNETES_SERVICE_HOST"), &variable("KUBERNETES_SERVICE_PORT"), SERVICE_ACCOUNT)
    }

    /// The host and the port of the API server, empty outside of a cluster, and the directory of the service account: `token`, `ca.crt` and
    /// `namespace`.
    pub fn new(host: &str, port: &str, directory: impl AsRef<Path>) -> Self {
        InCluster { host: host.to_owned(), port: port.to_owned(), directory: directory.as_ref().to_owned() }
    }

    fn access(&self) -> Result<Access, AccessError> {
        if self.host.is_empty() || self.port.is_empty() {
            return Err(AccessError::NotInCluster);
        }
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let server = Url::parse(&format!("https://{host}:{}", self.port)).map_err(AccessError::Url)?;
        let credentials = SecretSource::File(self.directory.join("token"));
        let ca = SecretSource::File(self.directory.join("ca.crt"));
        let http = HttpClientConfig {
            authorization: Some(Authorization::Credentials { scheme: "Bearer".to_owned(), credentials }),
            tls: TlsConfig { ca: Some(ca), ..TlsConfig::default() },
            ..HttpClientConfig::default()
        };
        Ok(Access { server, http })
    }

    /// The namespace of the pod.
    pub(crate) fn namespace(&self) -> Result<String, AccessError> {
        let path = self.directory.join("namespace");
        let text =
            std::fs::read_to_string(&path).map_err(|source| AccessError::Namespace { path: path.clone(), source })?;
        match text.trim() {
            "" => Err(AccessError::NoNamespace(path)),
            name => Ok(name.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_knows_its_cluster() {
        let dir = tempfile::tempdir().expect("a folder");
        let check = |host: &str, port: &str, want: Result<&str, &str>| {
            let access = InCluster::new(host, port, dir.path()).access();
            let access = access.map(|access| access.server.to_string()).map_err(|error| error.to_string());
            assert_eq!(access.as_deref().map_err(|error| &error[..20]), want);
        };
        check("10.0.0.1", "443", Ok("https://10.0.0.1/"));
        check("fd00::1", "6443", Ok("https://[fd00::1]:6443/"));
        check("", "6443", Err("this doesn't run in "));
        check("10.0.0.1", "x", Err("KUBERNETES_SERVICE_H"));
        let pod = InCluster::new("10.0.0.1", "443", dir.path());
        assert!(pod.namespace().is_err_and(|error| error.to_string().starts_with("cannot read")));
        std::fs::write(dir.path().join("namespace"), "").expect("a file");
        assert!(pod.namespace().is_err_and(|error| error.to_string().ends_with("is empty")));
        std::fs::write(dir.path().join("namespace"), "monitoring\n").expect("a file");
        assert_eq!(pod.namespace().expect("a name"), "monitoring");
    }

    #[test]
    fn a_token_that_rotates_is_read_anew() {
        let dir = tempfile::tempdir().expect("a folder");
        let access = InCluster::new("10.0.0.1", "443", dir.path()).access().expect("a server");
        for token in ["first", "second"] {
            std::fs::write(dir.path().join("token"), token).expect("a file");
            let headers = access.http.headers().expect("headers");
            assert_eq!(headers["authorization"], format!("Bearer {token}"));
        }
        assert!(!format!("{access:?}").contains("second"));
    }
}
