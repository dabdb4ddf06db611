//! REST APIs that take a token and answer in JSON, a page at a time.

use config::{HttpClientError, Secret};
use http_client::HttpClient;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::answer::{AnswerError, of_any_status};
use crate::cloud::retry::{Passing, is_passing, retry};

/// So much of what an API says about a refusal is told.
const MESSAGE_CHARS_MAX: usize = 300;
/// A list with more pages isn't read.
pub(crate) const PAGES_MAX: usize = 1000;

/// Why an API has not told what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestError {
    #[error("the HTTP client can't be used")]
    Client(#[from] HttpClientError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error("the answer can't be read")]
    Json(#[source] serde_json::Error),
    #[error("the API answered {status}{}{message}", if message.is_empty() { "" } else { ": " })]
    Refused { status: StatusCode, message: String },
    #[error("the token has characters that a header must not have")]
    Token,
    #[error("the list has more than {PAGES_MAX} pages")]
    TooManyPages,
    #[error("the next page is at {0}, not at the API that was asked")]
    Elsewhere(String),
}

impl RestError {
    /// Whether the API doesn't take the token.
    pub(crate) fn is_about_token(&self) -> bool {
        matches!(self, RestError::Refused { status: StatusCode::UNAUTHORIZED, .. })
    }

    /// Whether there is nothing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, RestError::Refused { status: StatusCode::NOT_FOUND, .. })
    }
}

impl Passing for RestError {
    fn may_pass(&self) -> bool {
        matches!(self, RestError::Refused { status, .. } if is_passing(*status))
    }
}

/// The form of refusals, the same at Google and at Azure.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: Reason,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reason {
    message: String,
}

/// Asks an API.
pub(crate) struct Rest {
    pub(crate) client: HttpClient,
    pub(crate) token: Secret,
}

impl Rest {
    /// What is at a URL.
    pub(crate) async fn get<T: DeserializeOwned>(&self, url: &Url) -> Result<T, RestError> {
        let body = retry(|| self.body(url)).await?;
        serde_json::from_slice(&body).map_err(RestError::Json)
    }

    async fn body(&self, url: &Url) -> Result<Vec<u8>, RestError> {
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {}", self.token.expose())).map_err(|_| RestError::Token)?;
        bearer.set_sensitive(true);
        let request = self.client.get(url.clone()).header(ACCEPT, "application/json").header(AUTHORIZATION, bearer);
        match of_any_status(request).await? {
            (StatusCode::OK, body) => Ok(body),
            (status, body) => Err(refused(status, &body)),
        }
    }
}

fn refused(status: StatusCode, body: &[u8]) -> RestError {
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    let message = refusal.error.message.lines().next().unwrap_or_default();
    RestError::Refused { status, message: message.chars().take(MESSAGE_CHARS_MAX).collect() }
}
