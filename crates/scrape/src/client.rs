//! The HTTP client of one job.

use std::time::Duration;

use bytes::Bytes;
use config::{HttpClientError, chain};
use http_body_util::Empty;
use http_client::{Connector, Credentials, is_same_origin};
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION,
    PROXY_AUTHORIZATION, USER_AGENT,
};
use hyper::{Request, Response, StatusCode};
use url::{Position, Url};

use crate::body::{self, BodyError, COMPRESSIONS};
use crate::connection::{Body, Connection, Resting};
use crate::protocols::accept_header;
use crate::scrape_config::ScrapeConfig;
use crate::target::Target;

/// Redirects that are followed before giving up, as Go's client does.
const REDIRECTS_MAX: usize = 10;
/// With longer intervals than this, connections are not kept between scrapes.
const IDLE_MAX_MS: i64 = 300_000;
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
    #[error("the scrape took longer than its timeout of {0}")]
    Timeout(String),
    #[error("{}", chain(.0))]
    Credentials(#[from] http_client::Error),
    #[error(transparent)]
    Body(#[from] BodyError),
}

/// Fetches expositions for one job.
pub(crate) struct ScrapeClient {
    connector: Connector,
    credentials: Credentials,
    accept: HeaderValue,
}

impl ScrapeClient {
    /// Reads the job's certificates and keys. `wants_starts`: whether times since when metrics count are wanted.
    pub(crate) fn new(config: &ScrapeConfig, wants_starts: bool) -> Result<Self, HttpClientError> {
        let accept = accept_header(&config.protocols(wants_starts), config.names.escaping);
        let accept = HeaderValue::from_str(&accept).map_err(|_| HttpClientError::Header("Accept".to_owned()))?;
        Ok(ScrapeClient {
            connector: Connector::new(&config.http)?,
            credentials: Credentials::new(&config.http)?,
            accept,
        })
    }

    /// Fetches the exposition into `buffer`, within `timeout` from the first byte sent to the last received, and gives its
    /// `Content-Type`. A connection that can be used again is left in `kept`.
    pub(crate) async fn fetch(
        &self,
        config: &ScrapeConfig,
        target: &Target,
        kept: &mut Option<Resting>,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<String>, FetchError> {
        let timeout = Duration::from_millis(target.timeout_ms.unsigned_abs());
        match tokio::time::timeout(timeout, self.fetch_unbounded(config, target, kept, buffer)).await {
            Ok(result) => result,
            Err(_) => Err(FetchError::Timeout(model::format_duration(target.timeout_ms))),
        }
    }

    async fn fetch_unbounded(
        &self,
        config: &ScrapeConfig,
        target: &Target,
        kept: &mut Option<Resting>,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<String>, FetchError> {
        let (mut connection, response) = self.follow(config, target, kept.take()).await?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let header = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let (content_type, encoding) =
            (header(CONTENT_TYPE).map(str::to_owned), header(CONTENT_ENCODING).map(str::to_owned));
        let reading = body::read(response.into_body(), encoding.as_deref(), config.limits.body_size, buffer);
        connection.read(reading).await?;
        if target.interval_ms < IDLE_MAX_MS {
            *kept = connection.rest(&target.url).await;
        }
        Ok(content_type)
    }

    /// The first answer that is no redirect, and the connection that its body comes over. Credentials don't follow to another
    /// host.
    async fn follow(
        &self,
        config: &ScrapeConfig,
        target: &Target,
        kept: Option<Resting>,
    ) -> Result<(Connection, Response<Body>), FetchError> {
        let (first, response) = self.get(config, target, &target.url, kept).await?;
        if !is_redirect(&response) || !config.http.follow_redirects {
            return Ok((first, response));
        }
        let mut current = redirected(&target.url, &response)?;
        for _ in 0..REDIRECTS_MAX {
            let (connection, response) = self.get(config, target, &current, None).await?;
            if !is_redirect(&response) {
                return Ok((connection, response));
            }
            current = redirected(&current, &response)?;
        }
        Err(FetchError::Redirects)
    }

    /// Gets one answer. A token that isn't taken is replaced once.
    async fn get(
        &self,
        config: &ScrapeConfig,
        target: &Target,
        url: &Url,
        kept: Option<Resting>,
    ) -> Result<(Connection, Response<Body>), FetchError> {
        if !is_same_origin(url, &target.url) {
            return self.exchange(config, target, url, kept, &HeaderMap::new()).await;
        }
        let headers = self.credentials.headers().await?;
        let (connection, response) = self.exchange(config, target, url, kept, &headers).await?;
        if response.status() != StatusCode::UNAUTHORIZED || !self.credentials.refused(&headers) {
            return Ok((connection, response));
        }
        self.exchange(config, target, url, None, &self.credentials.headers().await?).await
    }

    /// Sends one request. A connection that was kept may have been closed by the other side at this moment: then the request is
    /// sent once more over a new one.
    async fn exchange(
        &self,
        config: &ScrapeConfig,
        target: &Target,
        url: &Url,
        kept: Option<Resting>,
        headers: &HeaderMap,
    ) -> Result<(Connection, Response<Body>), FetchError> {
        let failed = |reason: String| FetchError::Request(format!("GET {url}: {reason}"));
        if let Some(kept) = kept
            && self.connector.is_current(kept.generation()).map_err(http_client::Error::from)?
            && let Some(mut connection) = Connection::resume(kept, url).await
            && let Ok(response) = connection.send(self.request(config, target, url, headers, &connection)?).await
        {
            return Ok((connection, response));
        }
        let mut connection = Connection::open(&self.connector, url).await.map_err(failed)?;
        let request = self.request(config, target, url, headers, &connection)?;
        let response = connection.send(request).await.map_err(failed)?;
        Ok((connection, response))
    }

    fn request(
        &self,
        config: &ScrapeConfig,
        target: &Target,
        url: &Url,
        headers: &HeaderMap,
        connection: &Connection,
    ) -> Result<Request<Empty<Bytes>>, FetchError> {
        let invalid = |e: &dyn std::error::Error| FetchError::Request(format!("GET {url}: {e}"));
        let mut request = Request::new(Empty::new());
        let begin = if connection.wants_whole_url() { Position::BeforeScheme } else { Position::BeforePath };
        *request.uri_mut() = url[begin..Position::AfterQuery].parse().map_err(|e| invalid(&e))?;
        *request.headers_mut() = headers.clone();
        let headers = request.headers_mut();
        if !connection.is_http2() {
            let host = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]);
            headers.insert(HOST, host.map_err(|e| invalid(&e))?);
        }
        if let Some(value) = self.connector.forwarding(url).and_then(config::Proxy::authorization) {
            headers.insert(PROXY_AUTHORIZATION, value);
        }
        headers.insert(USER_AGENT, AGENT);
        headers.insert(ACCEPT, self.accept.clone());
        let encoding = if config.enable_compression { COMPRESSIONS } else { "identity" };
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encoding));
        let seconds = (target.timeout_ms as f64 / 1000.0).to_string();
        headers.insert(TIMEOUT_HEADER, HeaderValue::from_str(&seconds).map_err(|e| invalid(&e))?);
        Ok(request)
    }
}

fn is_redirect(response: &Response<Body>) -> bool {
    matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where an answer sends who asked for `url`.
fn redirected(url: &Url, response: &Response<Body>) -> Result<Url, FetchError> {
    let location = response.headers().get(LOCATION).map(HeaderValue::as_bytes).unwrap_or_default();
    let location = String::from_utf8_lossy(location).into_owned();
    match url.join(&location) {
        Ok(next) if !location.is_empty() && matches!(next.scheme(), "http" | "https") => Ok(next),
        _ => Err(FetchError::Location(location)),
    }
}
