//! Why a request has no answer.

use std::time::Duration;

use config::HttpClientError;

/// Redirects that are followed before giving up, as Go's client does.
pub(crate) const REDIRECTS_MAX: usize = 10;

/// Why a request has no answer. None of it names the URL: whoever asks knows it, and it may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Files of the configuration can't be used.
    #[error(transparent)]
    Config(#[from] HttpClientError),
    /// There is no token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// There is no connection; with the whole reason.
    #[error("{0}")]
    Connect(String),
    /// The connection broke, or what came isn't HTTP; with the whole reason.
    #[error("{0}")]
    Exchange(String),
    /// The request can't be written down.
    #[error("the request can't be sent: {0}")]
    Request(String),
    /// It took too long.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// Each answer was another redirect.
    #[error("stopped after {REDIRECTS_MAX} redirects")]
    Redirects,
    /// A redirect leads nowhere.
    #[error("cannot follow the redirect to {0:?}")]
    Location(String),
}

impl Error {
    /// Whether nobody was reached.
    pub fn is_connect(&self) -> bool {
        matches!(self, Error::Connect(_))
    }
}

/// Why there is no token.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot get an OAuth2 token from {url}: {reason}")]
pub struct TokenError {
    pub(crate) url: String,
    pub(crate) reason: String,
}
