//! What this node is, and its receivers.

use std::sync::Arc;

use axum::extract::State;
use serde_json::{Value, json};

use crate::api::alerts::Named;
use crate::api::answer::Json;
use crate::engine::Engine;

/// The fields of Alertmanager's answer; those that say how it was built with Go are empty.
pub(super) async fn status(State(engine): State<Arc<Engine>>) -> Json<Value> {
    Json(json!({
        "cluster": {"status": "disabled", "peers": []},
        "config": {"original": engine.config().shown},
        "uptime": engine.started_at().to_rfc3339(),
        "versionInfo": {
            "version": env!("CARGO_PKG_VERSION"), "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": "",
        },
    }))
}

pub(super) async fn receivers(State(engine): State<Arc<Engine>>) -> Json<Vec<Named>> {
    Json(engine.config().receivers.iter().map(|receiver| Named { name: receiver.name.clone() }).collect())
}
