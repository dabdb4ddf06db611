//! A server that is asked over HTTP, at an address or over a socket in the file system.

use std::path::PathBuf;
use std::time::Duration;

use config::{HttpClientConfig, HttpClientError};
use http_client::HttpClient;
use url::Url;

use crate::answer::AnswerError;

/// Whom to ask and how to talk to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where its API begins; over a socket the host means nothing.
    pub url: Url,
    /// The socket in the file system, where it is no address.
    pub socket: Option<PathBuf>,
    /// How to talk to it. Over a socket there is neither TLS nor a proxy.
    pub http: HttpClientConfig,
}

/// Why a server told nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("the HTTP client can't be used")]
    Client(#[from] HttpClientError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

impl Server {
    /// A server at `http://…`, `https://…` or `unix://…`.
    pub(crate) fn parse(text: &str, http: HttpClientConfig) -> Result<Server, String> {
        let (url, socket) = match text.split_once("://") {
            Some(("http" | "https", _)) => (Url::parse(text), None),
            Some(("unix", path)) if path.starts_with('/') => (Url::parse("http://localhost"), Some(path.into())),
            Some(("unix", _)) => return Err("the path of the socket must begin with a slash: unix:///…".to_owned()),
            _ => return Err("the server must begin with http://, https:// or unix://".to_owned()),
        };
        let url = url.map_err(|error| format!("not a valid URL: {error}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("credentials don't belong into the URL: use basic_auth".to_owned());
        }
        Ok(Server { url, socket, http })
    }

    /// A client. `timeout` bounds a whole request that doesn't say so itself.
    pub(crate) fn client(&self, timeout: Duration) -> Result<HttpClient, HttpClientError> {
        match &self.socket {
            Some(socket) => HttpClient::over_socket(&self.http, socket, timeout),
            None => HttpClient::new(&self.http, timeout),
        }
    }

    /// The URL of a thing that the API has.
    pub(crate) fn url_of<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_begin_where_the_api_does() {
        let check = |text: &str, want: Result<&str, &str>| {
            let url = Server::parse(text, HttpClientConfig::default()).map(|server| server.url_of(["v1", "a/b"]));
            assert_eq!(url.as_ref().map(Url::as_str).map_err(String::as_str), want, "{text}");
        };
        check("http://h:1", Ok("http://h:1/v1/a%2Fb"));
        check("https://h/base/", Ok("https://h/base/v1/a%2Fb"));
        check("unix:///run/x.sock", Ok("http://localhost/v1/a%2Fb"));
        check("unix://x.sock", Err("the path of the socket must begin with a slash: unix:///…"));
        check("h:1", Err("the server must begin with http://, https:// or unix://"));
        check("ftp://h", Err("the server must begin with http://, https:// or unix://"));
        check("http://", Err("not a valid URL: empty host"));
        check("http://u:p@h", Err("credentials don't belong into the URL: use basic_auth"));
    }
}
