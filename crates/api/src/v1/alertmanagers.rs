//! `/alertmanagers`: whom alerts are sent to.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;

use crate::envelope::Answer;
use crate::node::Node;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Alertmanagers {
    active_alertmanagers: Vec<Alertmanager>,
    dropped_alertmanagers: Vec<Alertmanager>,
}

#[derive(Serialize)]
struct Alertmanager {
    url: String,
}

/// External Alertmanagers that discovery has found, in Prometheus's form. The pipeline inside the node is none of them.
pub(crate) async fn alertmanagers(State(node): State<Arc<Node>>) -> Answer<Alertmanagers> {
    let now = (node.alertmanagers)();
    let shown = |urls: Vec<String>| urls.into_iter().map(|url| Alertmanager { url }).collect();
    Answer::new(Alertmanagers { active_alertmanagers: shown(now.active), dropped_alertmanagers: shown(now.dropped) })
}
