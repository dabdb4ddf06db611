//! What all targets of a job share, and what all jobs of a manager share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use discovery::Environment;
use model::{Clock, Timestamp};
use parking_lot::Mutex;
use storage::Appendable;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::body::Buffers;
use crate::client::ScrapeClient;
use crate::failure_log::FailureLogs;
use crate::metadata::{MetadataCache, Texts};
use crate::metrics::Metrics;
use crate::placement::Placements;
use crate::scrape_config::ScrapeConfig;
use crate::target::Target;
use crate::threads::Threads;

/// What a manager hands down to everything it starts.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) storage: Arc<dyn Appendable>,
    pub(crate) discovery: Arc<Environment>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) threads: Threads,
    pub(crate) buffers: Buffers,
    pub(crate) texts: Arc<Texts>,
    pub(crate) failure_logs: FailureLogs,
    /// Whether zeros are stored at the times since when metrics count.
    pub(crate) store_start_zeros: bool,
    /// How late a scrape may begin and still get the planned time as its timestamp, in milliseconds.
    pub(crate) timestamp_tolerance_ms: i64,
    /// Moves all scrapes of this node against those of its replica.
    pub(crate) seed: AtomicU64,
    /// Who scrapes what, where targets are shared.
    pub(crate) placements: Placements,
    pub(crate) shutdown: CancellationToken,
}

impl Shared {
    pub(crate) fn seed(&self) -> u64 {
        self.seed.load(Ordering::Relaxed)
    }

    pub(crate) fn set_seed(&self, seed: u64) {
        self.seed.store(seed, Ordering::Relaxed);
    }
}

/// A job as configured now.
pub(crate) struct Job {
    pub(crate) config: ScrapeConfig,
    pub(crate) client: ScrapeClient,
    /// Why nothing of the job is scraped at the moment, where that is so.
    pub(crate) forced_error: ArcSwapOption<String>,
}

/// How a target is scraped now.
pub(crate) struct Plan {
    pub(crate) job: Arc<Job>,
    pub(crate) target: Target,
}

/// How a target is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Health {
    /// Not scraped yet.
    #[default]
    Unknown,
    /// The last scrape worked.
    Up,
    /// The last scrape failed.
    Down,
}

impl Health {
    /// The word in Prometheus's API.
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Unknown => "unknown",
            Health::Up => "up",
            Health::Down => "down",
        }
    }
}

/// The last scrape of a target.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastScrape {
    pub(crate) health: Health,
    pub(crate) error: String,
    pub(crate) time: Option<Timestamp>,
    pub(crate) duration_seconds: f64,
    pub(crate) cached_series: usize,
}

/// A target as its loop, its pool and the API see it.
pub(crate) struct TargetState {
    pub(crate) plan: ArcSwap<Plan>,
    /// Tells the loop that the plan has changed.
    pub(crate) replan: Notify,
    pub(crate) last: Mutex<LastScrape>,
    pub(crate) metadata: Mutex<MetadataCache>,
}

impl TargetState {
    pub(crate) fn new(plan: Plan, texts: Arc<Texts>) -> Self {
        TargetState {
            plan: ArcSwap::from_pointee(plan),
            replan: Notify::new(),
            last: Mutex::default(),
            metadata: Mutex::new(MetadataCache::new(texts)),
        }
    }
}
