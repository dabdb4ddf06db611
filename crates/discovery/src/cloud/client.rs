//! HTTP clients for APIs and for metadata servers.

use std::time::Duration;

use config::{HttpClientConfig, HttpClientError};
use url::Url;

/// An answer has to be there within this; within the time between two rounds where that is shorter, but never less than a second.
const API_PATIENCE: Duration = Duration::from_secs(30);
/// A metadata server is next door, or there is none.
const METADATA_PATIENCE: Duration = Duration::from_secs(5);

/// A client for an API that gets credentials with each request. It follows no redirects: they would take the credentials elsewhere.
pub(crate) fn api_client(http: &HttpClientConfig, interval: Duration) -> Result<reqwest::Client, HttpClientError> {
    let patience = interval.clamp(Duration::from_secs(1), API_PATIENCE);
    HttpClientConfig { follow_redirects: false, ..http.clone() }.reqwest_client(patience)
}

/// A client for the metadata server of the machine, without a proxy and without redirects.
pub(crate) fn metadata_client() -> Result<reqwest::Client, HttpClientError> {
    HttpClientConfig { follow_redirects: false, ..HttpClientConfig::default() }.reqwest_client(METADATA_PATIENCE)
}

/// Whether secrets may be sent to a server: nobody else can listen.
pub(crate) fn may_have_secrets(url: &Url) -> bool {
    let is_loopback = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}
