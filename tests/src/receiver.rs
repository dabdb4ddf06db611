//! A webhook receiver on a real socket.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use axum::{Router, http::StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;

type Received = Arc<Mutex<Vec<Value>>>;

/// Keeps the bodies it was sent.
pub struct Receiver {
    /// Where notifications go.
    pub url: String,
    received: Received,
}

impl Receiver {
    /// Listens on a port of its own until the test's runtime ends.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/webhook", listener.local_addr()?);
        let received = Received::default();
        let router = Router::new().route("/webhook", post(take)).with_state(received.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Receiver { url, received })
    }

    /// All bodies so far.
    pub fn all(&self) -> Vec<Value> {
        self.received.lock().map(|received| received.clone()).unwrap_or_default()
    }
}

async fn take(State(received): State<Received>, body: Bytes) -> StatusCode {
    match (serde_json::from_slice(&body), received.lock()) {
        (Ok(value), Ok(mut received)) => {
            received.push(value);
            StatusCode::OK
        }
        _ => StatusCode::BAD_REQUEST,
    }
}
