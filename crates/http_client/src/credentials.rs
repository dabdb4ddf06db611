//! What requests to a server carry of the configuration.

use config::{HttpClientConfig, HttpClientError};
use http::header::{AUTHORIZATION, HeaderMap};

use crate::error::Error;
use crate::token::TokenSource;

/// The configured headers, with the `Authorization` of the moment. They belong to one server: who is redirected to another one
/// leaves them behind.
#[derive(Debug)]
pub struct Credentials {
    config: HttpClientConfig,
    token: Option<TokenSource>,
}

impl Credentials {
    /// The credentials of one configuration.
    ///
    /// # Errors
    /// Certificates or keys for the place where tokens are given out can't be used.
    pub fn new(config: &HttpClientConfig) -> Result<Self, HttpClientError> {
        let token = config.oauth2.as_ref().map(TokenSource::new).transpose()?;
        Ok(Credentials { config: config.clone(), token })
    }

    /// The headers as they are now: files are read anew, a token is fetched where there is none that lasts.
    pub async fn headers(&self) -> Result<HeaderMap, Error> {
        let mut headers = self.config.headers()?;
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.header().await?);
        }
        Ok(headers)
    }

    pub(crate) fn config(&self) -> &HttpClientConfig {
        &self.config
    }

    /// Whether there is a token, which a server may cease to take before its end.
    pub(crate) fn may_expire(&self) -> bool {
        self.token.is_some()
    }

    /// Notes that a server didn't take these headers (401). True: they had a token, and there may be a better one now.
    pub fn refused(&self, headers: &HeaderMap) -> bool {
        match (&self.token, headers.get(AUTHORIZATION)) {
            (Some(token), Some(header)) => {
                token.forget(header);
                true
            }
            _ => false,
        }
    }
}
