//! How requests leave the process: by the machine's sockets, or by whatever a simulation puts in their place.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use config::{HttpClientConfig, HttpClientError};
use reqwest::{Request, Response};

/// Why a request has no answer.
pub type RequestError = Box<dyn Error + Send + Sync>;

/// Makes HTTP clients.
pub trait Network: Send + Sync {
    /// A client that talks as `http` says, with its headers and credentials. `timeout` bounds an exchange as a whole, to the last byte of
    /// the answer.
    ///
    /// # Errors
    /// Certificates can't be read, or `http` asks for what this network doesn't have.
    fn client(&self, http: &HttpClientConfig, timeout: Duration) -> Result<Arc<dyn HttpClient>, HttpClientError>;
}

/// Sends requests; connections are kept for later ones.
#[async_trait]
pub trait HttpClient: Send + Sync {
    /// Sends a request. The answer's head is here when this returns, its body comes as it is read.
    ///
    /// # Errors
    /// No answer came, or none in time. The error doesn't name the address.
    async fn execute(&self, request: Request) -> Result<Response, RequestError>;
}

/// The machine's sockets.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNetwork;

impl Network for SystemNetwork {
    fn client(&self, http: &HttpClientConfig, timeout: Duration) -> Result<Arc<dyn HttpClient>, HttpClientError> {
        Ok(Arc::new(SystemClient(http_client::HttpClient::new(http, timeout)?)))
    }
}

struct SystemClient(http_client::HttpClient);

#[async_trait]
impl HttpClient for SystemClient {
    async fn execute(&self, request: Request) -> Result<Response, RequestError> {
        Ok(self.0.execute(request).await?)
    }
}
