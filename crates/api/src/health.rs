//! `/-/healthy`, `/-/ready`, `/-/reload`, `/-/quit`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::node::{Node, Tier};

fn tier_name(tier: Tier) -> &'static str {
    match tier {
        Tier::Shard => "Watershed shard",
        Tier::Agent => "Watershed agent",
        Tier::Global => "Watershed global",
    }
}

/// The process answers.
pub(crate) async fn healthy(State(node): State<Arc<Node>>) -> String {
    format!("{} is Healthy.\n", tier_name(node.tier))
}

/// Queries are answered in full.
pub(crate) async fn ready(State(node): State<Arc<Node>>) -> Response {
    let name = tier_name(node.tier);
    match node.readiness() {
        Ok(()) => (StatusCode::OK, format!("{name} is Ready.\n")).into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{name} is not ready: {reason}\n")).into_response(),
    }
}

/// Loads the configuration anew.
pub(crate) async fn reload(State(node): State<Arc<Node>>) -> Response {
    if !node.facts.lifecycle {
        return disabled();
    }
    match (node.reload)().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(reason) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("failed to reload config: {reason}\n")).into_response()
        }
    }
}

/// Asks the node to stop.
pub(crate) async fn quit(State(node): State<Arc<Node>>) -> Response {
    if !node.facts.lifecycle {
        return disabled();
    }
    node.quit.cancel();
    (StatusCode::OK, "Requesting termination... Goodbye!\n").into_response()
}

fn disabled() -> Response {
    (StatusCode::FORBIDDEN, "Lifecycle API is not enabled: start with --web.enable-lifecycle\n").into_response()
}
