//! What a global knows of its shards and its bucket, as the hierarchy page shows it.

use std::collections::BTreeMap;

use serde::Serialize;

/// Tells how the tiers below are doing.
pub trait Hierarchy: Send + Sync {
    /// As of now.
    fn snapshot(&self) -> Snapshot;
}

/// Shards and bucket at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    /// In the order of the configuration.
    pub shards: Vec<Shard>,
    /// `None` where no bucket is configured.
    pub bucket: Option<Bucket>,
}

/// One shard: the replicas that watch the same targets.
#[derive(Debug, Clone, Serialize)]
pub struct Shard {
    /// Its name in the configuration.
    pub name: String,
    /// Each of the pair, or of however many there are.
    pub replicas: Vec<Replica>,
}

/// One replica as the last pull saw it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replica {
    /// Where it is pulled from.
    pub url: String,
    /// The value of the replica label, empty while it isn't known.
    pub replica: String,
    /// `up`, `down`, or `unknown` before the first pull.
    pub state: &'static str,
    /// How it is pulled.
    pub protocol: &'static str,
    /// RFC 3339, empty before the first pull.
    pub last_pull: String,
    /// How long the last pull took.
    pub last_pull_duration_seconds: f64,
    /// How many samples it brought.
    pub last_pull_samples: u64,
    /// The newest sample that any pull brought, RFC 3339, empty where there is none.
    pub newest_sample: String,
    /// The age of the newest sample.
    pub freshness_seconds: Option<f64>,
    /// How far its clock is ahead of this node's, where it says what it shows.
    pub clock_ahead_seconds: Option<f64>,
    /// From when on samples are missing that it had deleted before they were pulled, RFC 3339, empty where none are.
    pub gap_from: String,
    /// Until when.
    pub gap_until: String,
    /// Why the last pull failed, empty where it didn't.
    pub last_error: String,
}

/// What lies in the bucket.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bucket {
    /// Where it is, without credentials.
    pub url: String,
    /// Complete blocks, oldest first.
    pub blocks: Vec<Block>,
    /// When this node last uploaded a block, RFC 3339, empty where it hasn't.
    pub last_upload: String,
    /// What failed last, empty where nothing did.
    pub last_error: String,
}

/// One block in the bucket.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Block {
    /// Its name.
    pub ulid: String,
    /// Milliseconds since the epoch, included.
    pub min_time: i64,
    /// Milliseconds since the epoch, excluded.
    pub max_time: i64,
    /// Number of series.
    pub series: u64,
    /// Number of samples.
    pub samples: u64,
    /// Size of index and chunks together.
    pub bytes: u64,
    /// Downsampling resolution in milliseconds, 0 for raw data.
    pub resolution: i64,
    /// External labels of the node that wrote it.
    pub labels: BTreeMap<String, String>,
}
