//! HTTP clients for APIs and for metadata servers.

use std::time::Duration;

use config::{HttpClientConfig, HttpClientError};
use http_client::HttpClient;
use url::Url;

/// An answer has to be there within this; within the time between two rounds where that is shorter, but never less than a second.
const API_PATIENCE: Duration = Duration::from_secs(30);
/// A metadata server is next door, or there is none.
const METADATA_PATIENCE: Duration = Duration::from_secs(5);

/// A client for an API that gets credentials with each request, and takes none of another kind. It follows no redirects: they would take the
/// credentials elsewhere.
pub(crate) fn api_client(http: &HttpClientConfig, interval: Duration) -> Result<HttpClient, HttpClientError> {
    let patience = interval.clamp(Duration::from_secs(1), API_PATIENCE);
    let http = HttpClientConfig { follow_redirects: false, authorization: None, oauth2: None, ..http.clone() };
    HttpClient::new(&http, patience)
}

/// A client for the metadata server of the machine, without a proxy and without redirects.
pub(crate) fn metadata_client() -> Result<HttpClient, HttpClientError> {
    let http = HttpClientConfig { follow_redirects: false, ..HttpClientConfig::default() };
    HttpClient::new(&http, METADATA_PATIENCE)
}

/// Whether secrets may be sent to a server: nobody else can listen.
pub(crate) fn may_have_secrets(url: &Url) -> bool {
    let is_loopback = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}
