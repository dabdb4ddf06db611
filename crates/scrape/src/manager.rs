//! All jobs of a node.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use config::HttpClientError;
use discovery::Environment;
use discovery::relabel::RelabelConfig;
use model::{Clock, Labels};
use prometheus_client::registry::Registry;
use storage::Appendable;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::body::Buffers;
use crate::failure_log::{self, FailureLogs};
use crate::job::{Health, Job, Shared, TargetState};
use crate::metadata::Texts;
use crate::metrics::Metrics;
use crate::placement::{self, Place, Placement, Placements};
use crate::pool::{Pool, PoolStatus, prepare};
use crate::scrape_config::ScrapeConfig;
use crate::status::{DroppedTarget, PlacedTarget, TargetMetadata, TargetStatus, TargetsSnapshot};
use crate::threads::Threads;

/// What a manager is built from.
pub struct Options {
    /// Tells when a scrape is due and what its timestamp is.
    pub clock: Arc<dyn Clock>,
    /// Where samples go.
    pub storage: Arc<dyn Appendable>,
    /// Finds targets.
    pub discovery: Arc<Environment>,
    /// How late a scrape may begin and still get the planned time as its timestamp, in milliseconds; Prometheus has 2.
    pub timestamp_tolerance_ms: i64,
    /// Whether what targets say of their metrics is stored with the series, as `--enable-feature=metadata-wal-records` of
    /// Prometheus does.
    pub store_metadata: bool,
    /// Whether a zero is stored at the time since when a metric counts, where its target says so, as
    /// `--enable-feature=created-timestamp-zero-ingestion` of Prometheus does. Protocol buffers are the first format asked for then,
    /// unless the configuration says otherwise.
    pub store_start_zeros: bool,
    /// How many threads scrape.
    pub threads: usize,
    /// Who scrapes what, where targets are shared; without it every target is scraped here.
    pub placements: Option<Placements>,
    /// How other machines call this one; it takes the place of `localhost` in [`TargetStatus::global_url`].
    pub hostname: Option<String>,
}

/// Why a configuration was not taken over; the one before goes on.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Certificates or keys of a job cannot be used.
    #[error("scrape config {job:?}: cannot prepare its HTTP client")]
    Client {
        /// The job.
        job: String,
        /// The cause.
        #[source]
        source: HttpClientError,
    },
    /// A log cannot be opened.
    #[error("cannot open the scrape_failure_log_file {file:?}")]
    FailureLog {
        /// The log.
        file: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

#[derive(Default)]
struct Pools {
    running: BTreeMap<String, Pool>,
    /// Removed jobs whose series have not got their stale markers yet.
    retired: Vec<JoinHandle<()>>,
}

/// Finds and scrapes targets. Nothing runs before the first [`Manager::apply`].
pub struct Manager {
    shared: Arc<Shared>,
    hostname: Option<String>,
    /// Held while a configuration is taken over.
    pools: Mutex<Pools>,
    /// What the API reads; never held over a wait.
    statuses: parking_lot::Mutex<BTreeMap<String, Arc<parking_lot::Mutex<PoolStatus>>>>,
}

impl Manager {
    /// A manager without jobs.
    ///
    /// # Errors
    /// The threads cannot be started.
    pub fn new(options: Options, registry: &mut Registry) -> io::Result<Self> {
        let metrics = Arc::new(Metrics::new(registry));
        let texts = Arc::new(Texts::new(options.store_metadata));
        let threads = Threads::start(options.threads)?;
        let shared = Shared {
            clock: options.clock,
            storage: options.storage,
            discovery: options.discovery,
            metrics,
            threads,
            buffers: Buffers::default(),
            texts,
            failure_logs: FailureLogs::default(),
            store_start_zeros: options.store_start_zeros,
            timestamp_tolerance_ms: options.timestamp_tolerance_ms,
            seed: AtomicU64::new(0),
            placements: options.placements.unwrap_or_else(placement::alone),
            shutdown: CancellationToken::new(),
        };
        Ok(Manager {
            shared: Arc::new(shared),
            hostname: options.hostname,
            pools: Mutex::default(),
            statuses: parking_lot::Mutex::default(),
        })
    }

    /// Makes the running jobs those of `configs`. Jobs that are unchanged are not touched; of a changed one, targets with
    /// the same labels and URL go on; what is gone gets stale markers. `external_labels` move the scrapes of this
    /// node against those of its replica. All targets that stand in the
    /// configuration or in files are known when this returns. Logs of failed scrapes are opened anew.
    ///
    /// # Errors
    /// A job's certificates or keys cannot be used, or a log cannot be opened; nothing has changed then.
    pub async fn apply(&self, configs: Vec<ScrapeConfig>, external_labels: &Labels) -> Result<(), ApplyError> {
        let mut pools = self.pools.lock().await;
        let mut prepared: BTreeMap<String, Job> = BTreeMap::new();
        let failure_logs =
            failure_log::open(&configs).map_err(|(file, source)| ApplyError::FailureLog { file, source })?;
        let names: Vec<String> = configs.iter().map(|config| config.job_name.clone()).collect();
        for config in configs {
            let name = config.job_name.clone();
            if pools.running.get(&name).is_none_or(|pool| pool.config != config) {
                let job = prepare(config, self.shared.store_start_zeros)
                    .map_err(|source| ApplyError::Client { job: name.clone(), source })?;
                prepared.insert(name, job);
            }
        }
        self.shared.failure_logs.replace(failure_logs);
        self.shared.set_seed(external_labels.stable_hash());
        let gone: Vec<String> = pools.running.keys().filter(|name| !names.contains(name)).cloned().collect();
        for name in gone {
            if let Some(pool) = pools.running.remove(&name) {
                pools.retired.push(pool.retire());
            }
        }
        for (name, job) in prepared {
            match pools.running.get_mut(&name) {
                Some(pool) => pool.change(job).await,
                None => {
                    pools.running.insert(name, Pool::start(job, Arc::clone(&self.shared)).await);
                }
            }
        }
        pools.retired.retain(|task| !task.is_finished());
        let statuses = pools.running.iter().map(|(name, pool)| (name.clone(), Arc::clone(&pool.status)));
        *self.statuses.lock() = statuses.collect();
        Ok(())
    }

    /// All targets as they are now.
    pub fn targets(&self) -> TargetsSnapshot {
        let mut snapshot = TargetsSnapshot::default();
        for (name, status) in self.statuses.lock().iter() {
            let status = status.lock();
            snapshot.active.extend(status.active.iter().map(|state| self.status_of(state)));
            let dropped =
                |labels: &Labels| DroppedTarget { discovered_labels: labels.clone(), scrape_pool: name.clone() };
            snapshot.dropped.extend(status.dropped.iter().map(dropped));
            snapshot.dropped_counts.insert(name.clone(), status.dropped_count);
        }
        snapshot
    }

    /// Whether every target that is scraped here, as the placement of now has it, has been scraped since the start, and every source of targets
    /// has answered.
    pub fn has_scraped_all(&self) -> bool {
        let placement = self.shared.placements.borrow().clone();
        let is_current =
            |placed_by: &Arc<dyn Placement>| std::ptr::addr_eq(Arc::as_ptr(placed_by), Arc::as_ptr(&placement));
        let is_done = |status: &Arc<parking_lot::Mutex<PoolStatus>>| {
            let status = status.lock();
            let is_scraped = |state: &Arc<TargetState>| state.last.lock().health != Health::Unknown;
            status.placed_by.as_ref().is_some_and(is_current)
                && status.answers.are_complete()
                && status.active.iter().all(is_scraped)
        };
        self.statuses.lock().values().all(is_done)
    }

    /// All targets that are shared, scraped here or not, with who scrapes them now.
    pub fn placed_targets(&self) -> Vec<PlacedTarget> {
        let placement = self.shared.placements.borrow().clone();
        let mut all = Vec::new();
        for (job, status) in self.statuses.lock().iter() {
            let status = status.lock();
            let here = status.active.iter().map(|state| state.plan.load().target.clone());
            for target in here.chain(status.elsewhere.iter().cloned()) {
                let place = placement.place(job, &target.url, placement::key_of(&target));
                if let Place::Shared { owners, is_here } = place {
                    let scrape_url = target.shown_url(None);
                    let labels = target.labels;
                    all.push(PlacedTarget { scrape_pool: job.clone(), labels, scrape_url, owners, is_here });
                }
            }
        }
        all
    }

    /// The rules for targets of a job, if there is one.
    pub fn relabel_configs(&self, job: &str) -> Option<Vec<RelabelConfig>> {
        self.statuses.lock().get(job).map(|status| status.lock().relabel_configs.clone())
    }

    /// What all targets say about their metrics.
    pub fn metadata(&self) -> Vec<TargetMetadata> {
        let statuses = self.statuses.lock();
        let of_pool = |(name, status): (&String, &Arc<parking_lot::Mutex<PoolStatus>>)| {
            let of_target = |state: &Arc<TargetState>| TargetMetadata {
                labels: state.plan.load().target.labels.clone(),
                scrape_pool: name.clone(),
                metrics: state.metadata.lock().list(),
            };
            status.lock().active.iter().map(of_target).collect::<Vec<_>>()
        };
        statuses.iter().flat_map(of_pool).collect()
    }

    /// Ends all scraping and waits for it. Series get no stale markers: after a restart they go on.
    pub async fn shutdown(&self) {
        self.shared.shutdown.cancel();
        let mut pools = self.pools.lock().await;
        let running = std::mem::take(&mut pools.running).into_values().map(Pool::retire);
        let tasks: Vec<JoinHandle<()>> = running.chain(std::mem::take(&mut pools.retired)).collect();
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a scrape job broke off");
            }
        }
    }

    fn status_of(&self, state: &TargetState) -> TargetStatus {
        let (plan, last) = (state.plan.load(), state.last.lock().clone());
        TargetStatus {
            discovered_labels: plan.target.discovered.clone(),
            labels: plan.target.labels.clone(),
            scrape_pool: plan.job.config.job_name.clone(),
            scrape_url: plan.target.shown_url(None),
            global_url: plan.target.shown_url(self.hostname.as_deref()),
            last_error: last.error,
            last_scrape: last.time,
            last_scrape_duration_seconds: last.duration_seconds,
            health: last.health,
            scrape_interval_ms: plan.target.interval_ms,
            scrape_timeout_ms: plan.target.timeout_ms,
            cached_series: last.cached_series,
        }
    }
}
