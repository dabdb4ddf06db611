//! Everything that can go wrong with a pull.

use config::HttpClientError;
use exposition::text::ParseError;
use storage::{AppendError, CommitError};

use crate::pull::network::RequestError;
use crate::wire::WireError;

/// An answer may have so many bytes, compressed or not.
pub(super) const BODY_BYTES_MAX: usize = 256 << 20;

/// Why a pull brought nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum PullError {
    #[error("the HTTP client can't be used")]
    Client(#[from] HttpClientError),
    #[error("the request failed")]
    Request(#[source] RequestError),
    #[error("the replica answered {status}: {text}")]
    Status { status: reqwest::StatusCode, text: String },
    #[error("the content type {0:?} is none that can be pulled")]
    ContentType(String),
    #[error("the content encoding {0:?} was not asked for")]
    ContentEncoding(String),
    #[error("the answer is larger than {BODY_BYTES_MAX} bytes, the limit of a pull")]
    TooLarge,
    #[error("the answer's compression is broken")]
    Gzip(#[source] std::io::Error),
    #[error("the answer is no exposition")]
    Parse(#[from] ParseError),
    #[error("the answer can't be read")]
    Wire(#[from] WireError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error("the cursor can't be noted")]
    Note(#[source] AppendError),
    #[error("the replica was pulled by cursor and answers with text now, which may be a mistake on the way")]
    Downgrade,
    #[error("storing the samples broke off")]
    Aborted,
}

impl PullError {
    /// The error with all its causes.
    pub(super) fn chain(&self) -> String {
        config::chain(self)
    }
}
