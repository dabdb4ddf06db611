//! What a node hands to its HTTP handlers: the rooms below, as they are.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use model::{Clock, Timestamp};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use promql::Engine;
use serde::Serialize;
use sharding::Sharding;
use storage::{ExemplarQueryable, Queryable};
use tokio_util::sync::CancellationToken;
use tsdb::Db;

use crate::consistency::Consistency;
use crate::hierarchy::Hierarchy;

/// Which tier of the hierarchy a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Scrapes and alerts in a cluster.
    Shard,
    /// A shard that neither evaluates rules nor answers queries.
    Agent,
    /// Pulls shards together.
    Global,
}

/// Tells why a node should not be asked at present, if it shouldn't.
pub type Readiness = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Loads the configuration anew; an error says what is wrong with it and leaves the old one in force.
pub type Reload = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// Tells whom alerts are sent to.
pub type AlertmanagersOfNow = Box<dyn Fn() -> Alertmanagers + Send + Sync>;

/// External Alertmanagers, by the URLs that alerts are posted to.
#[derive(Debug, Default)]
pub struct Alertmanagers {
    /// Those that get alerts.
    pub active: Vec<String>,
    /// Those that were found and that relabelling has dropped.
    pub dropped: Vec<String>,
}

/// The state that handlers share. Everything is read; the only things that change are the readiness, the configuration
/// that is shown, and what the rooms below change themselves.
pub struct Node {
    /// Shard or global.
    pub tier: Tier,
    /// Everything that can be asked: local blocks, head, and on a global the bucket.
    pub queryable: Arc<dyn Queryable>,
    /// What can be asked for exemplars: the local database.
    pub exemplars: Arc<dyn ExemplarQueryable>,
    /// Evaluates PromQL.
    pub engine: Arc<Engine>,
    /// The local database.
    pub db: Arc<Db>,
    /// Scrape pools.
    pub scrape: Arc<scrape::Manager>,
    /// Rule groups.
    pub rules: Arc<rules::Manager>,
    /// Whom alerts are sent to.
    pub alertmanagers: AlertmanagersOfNow,
    /// Who else scrapes the targets of this node; a global has none.
    pub sharding: Option<Arc<Sharding>>,
    /// What the hierarchy page shows; a shard has none.
    pub hierarchy: Option<Arc<dyn Hierarchy>>,
    /// What tells whether the globals of a pair agree; a shard has none.
    pub consistency: Option<Arc<dyn Consistency>>,
    /// Why the tier should not be asked at present, whatever else is ready.
    pub readiness: Readiness,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Our own metrics.
    pub registry: Arc<Mutex<Registry>>,
    /// The configuration in force, secrets redacted.
    pub config_text: Arc<ArcSwap<String>>,
    /// Loads the configuration anew.
    pub reload: Reload,
    /// Facts that don't change while the node runs.
    pub facts: Facts,
    /// True once everything runs.
    pub ready: AtomicBool,
    /// Asks the node to shut down (`/-/quit`).
    pub quit: CancellationToken,
}

/// Facts that don't change while a node runs.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The version, as in Cargo.toml.
    pub version: String,
    /// The commit it was built from, empty where it isn't known.
    pub revision: String,
    /// When the node started.
    pub start_time: Timestamp,
    /// Where it was started.
    pub working_directory: PathBuf,
    /// The command line's flags with their values.
    pub flags: BTreeMap<String, String>,
    /// The path under which a browser sees the node, `/` or `/prefix/`.
    pub path_prefix: String,
    /// `--web.enable-lifecycle`: `/-/reload` and `/-/quit` are served.
    pub lifecycle: bool,
    /// `--web.enable-admin-api`: `/api/v1/admin` is served.
    pub admin: bool,
}

impl Node {
    /// Whether the node is ready.
    ///
    /// # Errors
    /// Why it isn't.
    pub fn readiness(&self) -> Result<(), String> {
        match self.ready.load(Ordering::Acquire) {
            true => (self.readiness)(),
            false => Err("starting up".to_owned()),
        }
    }

    /// Declares the node ready, or not any more.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }
}
