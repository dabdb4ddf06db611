//! The answer of a server that is asked for targets.

use http_client::RequestBuilder;
use reqwest::header::HeaderName;
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;

/// A body larger than this is not read.
const BODY_BYTES_MAX: usize = 64 << 20;
/// So much of the body of an error is told.
const REASON_CHARS_MAX: usize = 200;

/// Why there is no answer that can be used. None shows the URL, which may have secrets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    #[error("the request failed")]
    Request(#[from] http_client::Error),
    #[error("the answer broke off")]
    Broken(#[source] reqwest::Error),
    #[error("server returned HTTP status {status}{}{reason}", if reason.is_empty() { "" } else { ": " })]
    Status { status: StatusCode, reason: String },
    #[error("the answer is larger than {BODY_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the answer can't be read")]
    Json(#[from] serde_json::Error),
}

/// An answer with status 200, whose body has not been read.
#[derive(Debug)]
pub(crate) struct Answer(Response);

impl Answer {
    /// Sends a request.
    pub(crate) async fn of(request: RequestBuilder) -> Result<Answer, AnswerError> {
        let response = request.send().await?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(Answer(response));
        }
        let body = read(response).await.unwrap_or_default(); // the status says enough
        let reason = String::from_utf8_lossy(&body).trim().chars().take(REASON_CHARS_MAX).collect();
        Err(AnswerError::Status { status, reason })
    }

    /// A header, empty where it is missing.
    pub(crate) fn header(&self, name: &HeaderName) -> &str {
        self.0.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim()
    }

    /// The body.
    pub(crate) async fn bytes(self) -> Result<Vec<u8>, AnswerError> {
        read(self.0).await
    }

    /// The body as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(self) -> Result<T, AnswerError> {
        Ok(serde_json::from_slice(&self.bytes().await?)?)
    }
}

/// Sends a request. The status and the body, whatever the status is.
pub(crate) async fn of_any_status(request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), AnswerError> {
    let response = request.send().await?;
    Ok((response.status(), read(response).await?))
}

async fn read(mut response: Response) -> Result<Vec<u8>, AnswerError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| AnswerError::Broken(error.without_url()))? {
        body.extend_from_slice(&piece);
        if body.len() > BODY_BYTES_MAX {
            return Err(AnswerError::TooLarge);
        }
    }
    Ok(body)
}
