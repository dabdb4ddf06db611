//! The HTTP client of one job.

use std::time::Duration;

use bytes::Bytes;
use config::HttpClientError;
use http_body_util::Empty;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, USER_AGENT,
};
use hyper::{Request, Response, StatusCode, body::Incoming};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::ServerName;
use url::Url;

use crate::body::{self, BodyError};
use crate::cause::chain;
use crate::protocols::{accept_header, check_content_type};
use crate::scrape_config::ScrapeConfig;

/// Redirects that are followed before giving up, as Go's client does.
const REDIRECTS_MAX: usize = 10;
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// A prober is the one host of many targets, and each of them keeps a connection.
const IDLE_PER_HOST_MAX: usize = 1000;
/// A connection keeps its buffer while it waits for the next scrape; by default that grows to 400 KiB.
const READ_BUFFER_BYTES_MAX: usize = 32 << 10;
const TIMEOUT_HEADER: HeaderName = HeaderName::from_static("x-prometheus-scrape-timeout-seconds");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("Watershed/", env!("CARGO_PKG_VERSION")));

/// Why a target's exposition could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("server returned HTTP status {0}")]
    Status(StatusCode),
    #[error("{0}")]
    Request(String),
    #[error("stopped after {REDIRECTS_MAX} redirects")]
    Redirects,
    #[error("cannot follow the redirect to {0:?}")]
    Location(String),
    #[error("{0}")]
    ContentType(String),
    #[error("the scrape took longer than its timeout of {0}")]
    Timeout(String),
    #[error("{}", chain(.0))]
    Credentials(#[from] HttpClientError),
    #[error(transparent)]
    Body(#[from] BodyError),
}

/// Fetches expositions for one job; connections are kept between scrapes.
pub(crate) struct ScrapeClient {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    accept: HeaderValue,
}

impl ScrapeClient {
    /// Reads the job's certificates and keys.
    pub(crate) fn new(config: &ScrapeConfig) -> Result<Self, HttpClientError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let mut builder =
            HttpsConnectorBuilder::new().with_tls_config(config.http.tls.rustls_config()?).https_or_http();
        if let Some(name) = &config.http.tls.server_name {
            let name = ServerName::try_from(name.clone()).map_err(|e| HttpClientError::Tls {
                what: "tls_config.server_name".to_owned(),
                reason: e.to_string(),
            })?;
            builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
        }
        let connector = builder.enable_http1().wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .http1_max_buf_size(READ_BUFFER_BYTES_MAX)
            .build(connector);
        let accept = accept_header(&config.scrape_protocols, config.escaping);
        let accept = HeaderValue::from_str(&accept).map_err(|_| HttpClientError::Header("Accept".to_owned()))?;
        Ok(ScrapeClient { client, accept })
    }

    /// Fetches the exposition into `buffer`, within `timeout` from the first byte sent to the last received.
    pub(crate) async fn fetch(
        &self,
        config: &ScrapeConfig,
        url: &Url,
        timeout: Duration,
        buffer: &mut Vec<u8>,
    ) -> Result<(), FetchError> {
        let timed_out = || {
            let ms = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
            FetchError::Timeout(model::format_duration(ms))
        };
        match tokio::time::timeout(timeout, self.fetch_unbounded(config, url, timeout, buffer)).await {
            Ok(result) => result,
            Err(_) => Err(timed_out()),
        }
    }

    async fn fetch_unbounded(
        &self,
        config: &ScrapeConfig,
        url: &Url,
        timeout: Duration,
        buffer: &mut Vec<u8>,
    ) -> Result<(), FetchError> {
        let response = self.follow(config, url, timeout).await?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let header = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        check_content_type(header(CONTENT_TYPE), config.fallback_protocol).map_err(FetchError::ContentType)?;
        let encoding = header(CONTENT_ENCODING).map(str::to_owned);
        Ok(body::read(response.into_body(), encoding.as_deref(), config.limits.body_size, buffer).await?)
    }

    /// The first answer that is no redirect. Credentials don't follow to another host.
    async fn follow(
        &self,
        config: &ScrapeConfig,
        url: &Url,
        timeout: Duration,
    ) -> Result<Response<Incoming>, FetchError> {
        let mut current = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let credentials = if current.origin() == url.origin() { config.http.headers()? } else { HeaderMap::new() };
            let response = self.client.request(self.request(config, &current, timeout, credentials)?).await;
            let response = response.map_err(|e| FetchError::Request(format!("GET {current}: {}", chain(&e))))?;
            let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            if !(is_redirect && config.http.follow_redirects) {
                return Ok(response);
            }
            let location = response.headers().get(LOCATION).map(HeaderValue::as_bytes).unwrap_or_default();
            let location = String::from_utf8_lossy(location).into_owned();
            current = match current.join(&location) {
                Ok(next) if !location.is_empty() && matches!(next.scheme(), "http" | "https") => next,
                _ => return Err(FetchError::Location(location)),
            };
        }
        Err(FetchError::Redirects)
    }

    fn request(
        &self,
        config: &ScrapeConfig,
        url: &Url,
        timeout: Duration,
        credentials: HeaderMap,
    ) -> Result<Request<Empty<Bytes>>, FetchError> {
        let mut request = Request::get(url.as_str())
            .body(Empty::new())
            .map_err(|e| FetchError::Request(format!("GET {url}: {e}")))?;
        let headers = request.headers_mut();
        *headers = credentials;
        headers.insert(USER_AGENT, AGENT);
        headers.insert(ACCEPT, self.accept.clone());
        let encoding = if config.enable_compression { "gzip" } else { "identity" };
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encoding));
        if let Ok(seconds) = HeaderValue::from_str(&timeout.as_secs_f64().to_string()) {
            headers.insert(TIMEOUT_HEADER, seconds);
        }
        Ok(request)
    }
}
