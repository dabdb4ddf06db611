//! `/admin/tsdb/*`, behind `--web.enable-admin-api`.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;

use crate::envelope::{Answer, ApiError};
use crate::node::Node;

#[derive(Serialize)]
pub(crate) struct SnapshotName {
    name: String,
}

/// Writes everything, the head included, as blocks below `snapshots/` of the data directory. The answer is the folder's
/// name there, which tells the time of the snapshot.
pub(crate) async fn snapshot(State(node): State<Arc<Node>>) -> Result<Answer<SnapshotName>, ApiError> {
    if !node.facts.admin {
        return Err(ApiError::unavailable("admin APIs disabled: start with --web.enable-admin-api"));
    }
    let db = node.db.clone();
    let name = db.snapshot_name();
    let dir = db.options().dir.join("snapshots").join(&name);
    tokio::task::spawn_blocking(move || db.snapshot(&dir, true))
        .await
        .map_err(|e| ApiError::internal(format!("snapshot: {e}")))?
        .map_err(|e| ApiError::internal(format!("snapshot: {e}")))?;
    Ok(Answer::new(SnapshotName { name }))
}
