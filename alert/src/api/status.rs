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
        "cluster": cluster(&engine),
        "config": {"original": engine.config().shown},
        "uptime": engine.started_at().to_rfc3339(),
        "versionInfo": {
            "version": env!("CARGO_PKG_VERSION"), "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": "",
        },
    }))
}

/// The instances that are there, this one first. As long as a peer hasn't told its name, it isn't shown.
fn cluster(engine: &Engine) -> Value {
    let links = engine.peers().links();
    if links.is_empty() {
        return json!({"status": "disabled", "peers": []});
    }
    let me = engine.me();
    let mut peers = vec![json!({"name": me.name, "address": engine.address()})];
    for peer in links.iter().map(|link| link.view()).filter(|peer| peer.is_up) {
        let name = peer.member.map(|member| member.name).unwrap_or_default();
        peers.push(json!({"name": name, "address": peer.address}));
    }
    let status = if links.iter().all(|link| link.may_answer() && !link.view().is_up) { "settling" } else { "ready" };
    json!({"name": me.name, "status": status, "peers": peers})
}

pub(super) async fn receivers(State(engine): State<Arc<Engine>>) -> Json<Vec<Named>> {
    Json(engine.config().receivers.iter().map(|receiver| Named { name: receiver.name.clone() }).collect())
}
