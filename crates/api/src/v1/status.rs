//! `/status/*`, `/hierarchy`, and the answer to a path that isn't there.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use model::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use tsdb::{CardinalityStats, Retention};

use crate::envelope::{Answer, ApiError, ErrorType};
use crate::hierarchy::Snapshot;
use crate::node::{Node, Tier};
use crate::params::Params;

/// Entries of each ranking in `/status/tsdb`, unless `limit` asks for another number.
const TOP: usize = 10;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BuildInfo {
    version: String,
    revision: String,
    branch: &'static str,
    build_user: &'static str,
    build_date: &'static str,
    go_version: &'static str,
    /// Ours: which tier this is.
    tier: Tier,
}

/// Version and tier. The keys that a Rust program has no answer for are there and empty, because clients read them.
pub(crate) async fn build_info(State(node): State<Arc<Node>>) -> Answer<BuildInfo> {
    Answer::new(BuildInfo {
        version: node.facts.version.clone(),
        revision: node.facts.revision.clone(),
        branch: "",
        build_user: "",
        build_date: "",
        go_version: "",
        tier: node.tier,
    })
}

/// How the process is doing.
pub(crate) async fn runtime_info(State(node): State<Arc<Node>>) -> Answer<Value> {
    let head = node.db.head_stats();
    Answer::new(json!({
        "startTime": node.facts.start_time.to_rfc3339(),
        "CWD": node.facts.working_directory,
        "serverTime": node.clock.now().to_rfc3339(),
        "storageRetention": retention(node.db.retention()),
        "timeSeriesCount": head.series,
        "ready": node.readiness().is_ok(),
    }))
}

/// The configuration in force.
pub(crate) async fn config(State(node): State<Arc<Node>>) -> Answer<Value> {
    Answer::new(json!({ "yaml": node.config_text.load().as_str() }))
}

/// The command line.
pub(crate) async fn flags(State(node): State<Arc<Node>>) -> Answer<BTreeMap<String, String>> {
    Answer::new(node.facts.flags.clone())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TsdbStatus {
    head_stats: HeadJson,
    #[serde(flatten)]
    largest: CardinalityStats,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HeadJson {
    num_series: u64,
    num_label_pairs: u64,
    chunk_count: u64,
    /// Milliseconds since the epoch; absent while the head is empty.
    min_time: Option<Timestamp>,
    max_time: Option<Timestamp>,
}

/// What the head holds, and what takes most of it.
pub(crate) async fn tsdb(State(node): State<Arc<Node>>, params: Params) -> Result<Answer<TsdbStatus>, ApiError> {
    let limit = match params.count("limit")? {
        0 => TOP,
        limit => limit,
    };
    let db = node.db.clone();
    let (head, largest) = tokio::task::spawn_blocking(move || (db.head_stats(), db.status(limit)))
        .await
        .map_err(|e| ApiError::internal(format!("reading the head's statistics: {e}")))?;
    let head_stats = HeadJson {
        num_series: head.series,
        num_label_pairs: head.label_pairs,
        chunk_count: head.chunks,
        min_time: head.min_time,
        max_time: head.max_time,
    };
    Ok(Answer::new(TsdbStatus { head_stats, largest }))
}

/// The tiers below this one.
pub(crate) async fn hierarchy(State(node): State<Arc<Node>>) -> Result<Answer<Snapshot>, ApiError> {
    let hierarchy = node.hierarchy.as_ref();
    let not_here = || ApiError { kind: ErrorType::NotFound, message: "only a global has a hierarchy below it".into() };
    Ok(Answer::new(hierarchy.ok_or_else(not_here)?.snapshot()))
}

/// Says which path isn't there, in the envelope that API clients expect.
pub(crate) async fn no_such_endpoint(uri: Uri) -> ApiError {
    ApiError { kind: ErrorType::NotFound, message: format!("no endpoint {}", uri.path()) }
}

/// How long and how much is kept, for example `15d or 512MiB`; empty where all is kept for ever.
fn retention(retention: Retention) -> String {
    let time = (retention.ms > 0).then(|| model::format_duration(retention.ms));
    let size = (retention.bytes > 0).then(|| model::format_size(retention.bytes));
    time.into_iter().chain(size).collect::<Vec<_>>().join(" or ")
}
