//! What the command line says about a node.

use std::collections::BTreeMap;
use std::fmt;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::Clock;
use prometheus_client::registry::Registry;
use promql::EngineOptions;
use tsdb::WalCompression;

use crate::storage_config::StorageConfig;

/// How the database's log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// The length of a segment in bytes.
    pub segment_bytes: u64,
    /// How records are compressed.
    pub compression: WalCompression,
    /// How often what is written is synced to disk, in milliseconds; 0 leaves it to the system.
    pub sync_interval_ms: i64,
}

impl Default for LogOptions {
    /// Prometheus's: segments of 128 MiB, snappy, synced when complete.
    fn default() -> Self {
        LogOptions { segment_bytes: 128 << 20, compression: WalCompression::Snappy, sync_interval_ms: 0 }
    }
}

/// What the command line, or a test, says about a node. Time and network come in here.
pub struct Options {
    /// The configuration file.
    pub config_file: PathBuf,
    /// How often the configuration's files are looked at and loaded where one has changed; `None` leaves it to signals and HTTP.
    pub auto_reload: Option<Duration>,
    /// The directory of the database.
    pub data_dir: PathBuf,
    /// Bound already, so that nodes can know each other's addresses before any of them starts.
    pub listener: TcpListener,
    /// The URL under which others reach the node; empty: `http://` and the listener's address.
    pub external_url: String,
    /// How long samples are kept locally, in milliseconds; 0 keeps them forever.
    pub retention_ms: i64,
    /// How many bytes blocks and logs may take before the oldest blocks are deleted; 0 for no limit.
    pub retention_bytes: u64,
    /// The time that one block covers when it is cut, in milliseconds.
    pub min_block_ms: i64,
    /// The most time that one block covers, in milliseconds.
    pub max_block_ms: i64,
    /// How the database's log is written.
    pub log: LogOptions,
    /// What the configuration file says of the database; the tier puts it here before the database is opened.
    pub storage: StorageConfig,
    /// Store what targets say of their metrics with the series, in the log as well.
    pub store_metadata: bool,
    /// Store a zero at the time since when a metric counts, where its target says so.
    pub store_start_zeros: bool,
    /// Evaluate no rules and answer no queries; only a shard can be one.
    pub agent: bool,
    /// Limits of queries.
    pub engine: EngineOptions,
    /// Serve `/-/reload` and `/-/quit`.
    pub lifecycle: bool,
    /// Serve `/api/v1/admin`.
    pub admin: bool,
    /// The command line's flags with their values, as the status page shows them.
    pub flags: BTreeMap<String, String>,
    /// The version, as in Cargo.toml.
    pub version: String,
    /// The commit it was built from, empty where it isn't known.
    pub revision: String,
    /// How other machines call this one; takes the place of `localhost` in links to targets.
    pub hostname: Option<String>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Takes the node's metrics; the process's own are in it already.
    pub registry: Registry,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("config_file", &self.config_file)
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}
