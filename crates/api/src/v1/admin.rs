//! `/admin/tsdb/*`, behind `--web.enable-admin-api`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use model::{TimeRange, Timestamp};
use serde::Serialize;

use crate::envelope::{Answer, ApiError};
use crate::node::Node;
use crate::params::Params;

#[derive(Serialize)]
pub(crate) struct SnapshotName {
    name: String,
}

fn refuse_if_disabled(node: &Node) -> Result<(), ApiError> {
    if node.facts.admin {
        return Ok(());
    }
    Err(ApiError::unavailable("admin APIs disabled: start with --web.enable-admin-api"))
}

/// Runs what takes long beside the requests.
async fn aside<T: Send + 'static>(
    action: &'static str,
    work: impl FnOnce() -> Result<T, tsdb::MaintenanceError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| ApiError::internal(format!("{action}: {e}")))?
        .map_err(|e| ApiError::internal(format!("{action}: {e}")))
}

/// Writes everything as blocks below `snapshots/` of the data directory; `skip_head` leaves out what is in no block yet. The
/// answer is the folder's name there, which tells the time of the snapshot.
pub(crate) async fn snapshot(State(node): State<Arc<Node>>, params: Params) -> Result<Answer<SnapshotName>, ApiError> {
    refuse_if_disabled(&node)?;
    let skip_head = params.flag("skip_head")?;
    let db = node.db.clone();
    let name = db.snapshot_name();
    let dir = db.options().dir.join("snapshots").join(&name);
    aside("snapshot", move || db.snapshot(&dir, !skip_head)).await?;
    Ok(Answer::new(SnapshotName { name }))
}

/// Deletes the samples of all series that a `match[]` selects, from `start` to `end`, all of time where they are missing.
pub(crate) async fn delete_series(State(node): State<Arc<Node>>, params: Params) -> Result<StatusCode, ApiError> {
    refuse_if_disabled(&node)?;
    let selectors = params.selectors()?;
    if selectors.is_empty() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let start = params.time("start")?.unwrap_or(Timestamp::MIN);
    let end = params.time("end")?.unwrap_or(Timestamp::MAX);
    if start > end {
        return Ok(StatusCode::NO_CONTENT); // a range that holds nothing
    }
    let db = node.db.clone();
    let delete =
        move || selectors.iter().try_for_each(|matchers| db.delete_series(matchers, TimeRange::new(start, end)));
    aside("delete series", delete).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Writes the blocks that have something deleted anew without it, which gives the disk its room back.
pub(crate) async fn clean_tombstones(State(node): State<Arc<Node>>) -> Result<StatusCode, ApiError> {
    refuse_if_disabled(&node)?;
    let db = node.db.clone();
    aside("clean tombstones", move || db.clean_tombstones()).await?;
    Ok(StatusCode::NO_CONTENT)
}
