//! Who asks: what the query log tells of a request.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use promql::{Asker, Origin};

/// Where a request comes from.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    client: String,
    method: String,
    path: String,
}

impl<S: Sync> FromRequestParts<S> for Sender {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Sender {
            client: address.map(|address| address.0.ip().to_string()).unwrap_or_default(),
            method: parts.method.as_str().to_owned(),
            // The router has taken the beginning off.
            path: format!("/api/v1{}", parts.uri.path()),
        })
    }
}

impl Sender {
    /// The origin of a query that it sends.
    pub(crate) fn of(self, query: &str) -> Origin {
        let Sender { client, method, path } = self;
        Origin { query: Some(query.to_owned()), asker: Asker::Request { client, method, path } }
    }
}
