//! How far the globals of a pair agree, as `/api/v1/consistency` tells it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use storage::QueryError;

/// Tells what a global holds, and compares it with what its peer does.
#[async_trait]
pub trait Consistency: Send + Sync {
    /// What this global holds, as of some seconds ago at most.
    async fn standing(&self) -> Result<Standing, QueryError>;

    /// Beside what its peer said last.
    async fn compare(&self) -> Result<Comparison, QueryError>;
}

/// What a global holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The global's name.
    pub name: String,
    /// How far the pulls of each replica have come.
    pub replicas: Vec<ReplicaStanding>,
    /// The last windows of time that are complete, oldest first.
    pub windows: Vec<Window>,
}

/// How far the pulls of a replica have come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaStanding {
    /// The shard's name in the configuration.
    pub shard: String,
    /// Host and port of the replica.
    pub instance: String,
    /// `up`, `down`, or `unknown` before the first pull.
    pub state: String,
    /// Where the next pull begins; empty where it is not pulled by cursor.
    pub cursor: String,
    /// Up to which time everything is here that the replica has, in milliseconds since the epoch by its own clock.
    pub complete_until: Option<i64>,
}

/// All samples of a stretch of time, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first moment, in milliseconds since the epoch.
    pub from: i64,
    /// The first moment behind it.
    pub until: i64,
    /// Series with samples in it.
    pub series: u64,
    /// Their samples.
    pub samples: u64,
    /// A hash of all series and samples; equal where they are, on every machine.
    pub hash: String,
}

/// Two globals side by side.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// What this one holds.
    pub own: Standing,
    /// Where the peer is, empty where there is none.
    pub peer_url: String,
    /// What the peer said last; `None` where there is none, or where it has not been reached.
    pub peer: Option<Standing>,
    /// Why the peer could not be asked last time, empty where it could.
    pub peer_error: String,
    /// How far the pulls of the two are apart at most, over all replicas that both pull.
    pub distance_seconds: Option<f64>,
    /// The windows that are complete at both.
    pub windows: Vec<WindowComparison>,
    /// Whether all these windows agree; `None` where there are none.
    pub agrees: Option<bool>,
}

/// A window that is complete at both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WindowComparison {
    /// The first moment, in milliseconds since the epoch.
    pub from: i64,
    /// The first moment behind it.
    pub until: i64,
    /// Whether both hold the same samples.
    pub agrees: bool,
}
