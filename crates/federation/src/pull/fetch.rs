//! One request to a replica.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use model::Timestamp;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Request, Response};

use crate::pull::error::{BODY_BYTES_MAX, PullError};
use crate::pull::follow::Standing;
use crate::pull::network::HttpClient;
use crate::pull::protocol::{self, Protocol};
use crate::pull::spec::ReplicaSpec;

/// So much of an error's text is kept.
const ERROR_BYTES_MAX: usize = 200;
const TIMEOUT_HEADER: HeaderName = HeaderName::from_static("x-prometheus-scrape-timeout-seconds");

/// An answer that has come in whole.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) protocol: Protocol,
    bytes: Vec<u8>,
    gzip: bool,
}

impl Body {
    /// The answer itself. Decompresses, so it belongs on a thread that may block.
    pub(super) fn plain(self) -> Result<Vec<u8>, PullError> {
        if !self.gzip {
            return Ok(self.bytes);
        }
        let mut plain = Vec::with_capacity(self.bytes.len().saturating_mul(8).min(BODY_BYTES_MAX));
        let mut decoder = MultiGzDecoder::new(self.bytes.as_slice()).take(BODY_BYTES_MAX as u64 + 1);
        decoder.read_to_end(&mut plain).map_err(PullError::Gzip)?;
        if plain.len() > BODY_BYTES_MAX { Err(PullError::TooLarge) } else { Ok(plain) }
    }
}

/// Asks the replica for its samples, beginning where the last answer by cursor ended. The client's timeout bounds the whole of it.
pub(super) async fn fetch(
    client: &dyn HttpClient,
    spec: &ReplicaSpec,
    at: &Standing,
    now: Timestamp,
) -> Result<Body, PullError> {
    let since = spec.initial_lookback_ms.map(|lookback| now.as_ms().saturating_sub(lookback));
    let mut request = Request::new(Method::GET, at.url(spec.federate_url(), since));
    let timeout = HeaderValue::try_from(spec.timeout.as_secs_f64().to_string()).expect("a number is visible ASCII");
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static(protocol::ACCEPT));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(TIMEOUT_HEADER, timeout);
    let mut response = client.execute(request).await.map_err(PullError::Request)?;
    let status = response.status();
    if !status.is_success() {
        let text = read(&mut response, ERROR_BYTES_MAX).await.unwrap_or_default();
        return Err(PullError::Status { status, text: first_line(&text) });
    }
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let content_type = header(CONTENT_TYPE);
    let protocol =
        Protocol::from_content_type(content_type).ok_or_else(|| PullError::ContentType(content_type.to_owned()))?;
    let gzip = match header(CONTENT_ENCODING) {
        "" | "identity" => false,
        "gzip" => true,
        other => return Err(PullError::ContentEncoding(other.to_owned())),
    };
    let bytes = read(&mut response, BODY_BYTES_MAX + 1).await.map_err(request_error)?;
    if bytes.len() > BODY_BYTES_MAX { Err(PullError::TooLarge) } else { Ok(Body { protocol, bytes, gzip }) }
}

/// The address stands on the page beside the error, and its query is long.
fn request_error(error: reqwest::Error) -> PullError {
    PullError::Request(error.without_url().into())
}

/// Reads at most `max` bytes.
async fn read(response: &mut Response, max: usize) -> Result<Vec<u8>, reqwest::Error> {
    let mut bytes = Vec::new();
    while bytes.len() < max
        && let Some(chunk) = response.chunk().await?
    {
        bytes.extend_from_slice(&chunk[..chunk.len().min(max - bytes.len())]);
    }
    Ok(bytes)
}

fn first_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().trim().to_owned()
}
