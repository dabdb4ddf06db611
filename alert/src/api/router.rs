//! Which path leads where.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use crate::api::{alerts, peer, silences, status};
use crate::engine::Engine;

/// The largest body that is taken, in bytes.
const BODY_BYTES_MAX: usize = 16 << 20;

/// The routes of the API, to be mounted under `/api/v2`.
pub(crate) fn router(engine: Arc<Engine>) -> Router {
    Router::new()
        .route("/status", get(status::status))
        .route("/receivers", get(status::receivers))
        .route("/alerts", get(alerts::list).post(alerts::receive))
        .route("/alerts/groups", get(alerts::groups))
        .route("/silences", get(silences::list).post(silences::set))
        .route("/watershed/peer/state", post(peer::state))
        .route("/watershed/peer/intent", post(peer::intent))
        .route("/silence/{id}", get(silences::show).delete(silences::expire))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(engine)
}
