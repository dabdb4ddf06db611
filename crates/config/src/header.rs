//! What an HTTP client sends to identify itself: credentials and configured headers, with files read at each use.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{HeaderName, HeaderValue};

use crate::secret::Secret;

/// Why a client could not be built or a request not be authorized.
#[derive(Debug, thiserror::Error)]
pub enum HttpClientError {
    /// A file of the configuration cannot be read.
    #[error("cannot read {path:?}")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A secret cannot be sent as a header.
    #[error("the value of the header {0:?} has characters that a header must not have")]
    Header(String),
    /// Certificates or keys cannot be used.
    #[error("{what} is not usable: {reason}")]
    Tls {
        /// Which one.
        what: String,
        /// Why.
        reason: String,
    },
}

/// A secret, in the configuration or in a file that is read anew at each use, so that it can be rotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In the configuration.
    Inline(Secret),
    /// In a file; white space around it doesn't count.
    File(PathBuf),
}

impl SecretSource {
    /// The secret as it is now.
    pub fn read(&self) -> Result<Secret, HttpClientError> {
        match self {
            SecretSource::Inline(secret) => Ok(secret.clone()),
            SecretSource::File(path) => read_text(path).map(|text| Secret::new(text.trim())),
        }
    }
}

fn read_text(path: &Path) -> Result<String, HttpClientError> {
    std::fs::read_to_string(path).map_err(|source| HttpClientError::File { path: path.to_owned(), source })
}

/// `basic_auth`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicAuth {
    /// The user's name.
    pub username: SecretSource,
    /// The password.
    pub password: SecretSource,
}

/// What goes into the `Authorization` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// User name and password.
    Basic(BasicAuth),
    /// A scheme and credentials.
    Credentials {
        /// The scheme, as `Bearer`.
        scheme: String,
        /// What follows it.
        credentials: SecretSource,
    },
}

impl Authorization {
    /// The header's value as it is now, marked as sensitive.
    pub fn header(&self) -> Result<HeaderValue, HttpClientError> {
        let text = match self {
            Authorization::Basic(basic) => {
                let (username, password) = (basic.username.read()?, basic.password.read()?);
                format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", username.expose(), password.expose())))
            }
            Authorization::Credentials { scheme, credentials } => format!("{scheme} {}", credentials.read()?.expose()),
        };
        sensitive("Authorization", &text)
    }
}

/// A header that is sent with each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraHeader {
    /// Its name.
    pub name: HeaderName,
    /// Its values, in order.
    pub values: Vec<SecretSource>,
}

impl ExtraHeader {
    /// The values as they are now.
    pub fn read(&self) -> impl Iterator<Item = Result<HeaderValue, HttpClientError>> + '_ {
        self.values.iter().map(|value| sensitive(self.name.as_str(), value.read()?.expose()))
    }
}

pub(crate) fn sensitive(name: &str, value: &str) -> Result<HeaderValue, HttpClientError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| HttpClientError::Header(name.to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}
