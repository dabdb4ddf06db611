//! The demo's notification receiver: keeps the webhook bodies it was sent and shows them.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use parking_lot::Mutex;
use serde_json::Value;

/// Older notifications than the last so many are forgotten.
const KEPT_MAX: usize = 10_000;

#[derive(Default)]
struct Received(Mutex<Vec<Value>>);

/// `POST /webhook` takes a notification, `GET /notifications` gives all of them, oldest first.
pub(crate) fn router() -> Router {
    Router::new()
        .route("/webhook", post(take))
        .route("/notifications", get(all))
        .with_state(Arc::new(Received::default()))
}

async fn take(State(received): State<Arc<Received>>, body: Bytes) -> StatusCode {
    let Ok(notification) = serde_json::from_slice(&body) else { return StatusCode::BAD_REQUEST };
    let mut kept = received.0.lock();
    if kept.len() == KEPT_MAX {
        kept.remove(0);
    }
    kept.push(notification);
    StatusCode::OK
}

async fn all(State(received): State<Arc<Received>>) -> Json<Vec<Value>> {
    Json(received.0.lock().clone())
}
