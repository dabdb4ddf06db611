//! The targets of one job: kept equal to what discovery and relabelling give.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use config::HttpClientError;
use discovery::relabel::RelabelConfig;
use discovery::{Answers, Discovery, TargetGroup};
use model::Labels;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::client::ScrapeClient;
use crate::job::{Job, Plan, Shared, TargetState};
use crate::metrics::{ConfigLabel, JobLabel};
use crate::placement::{self, Place, Placement};
use crate::scrape_config::ScrapeConfig;
use crate::scrape_loop;
use crate::target::{Outcome, Target, TargetKey, targets_of};

/// What the API sees of a job.
#[derive(Default)]
pub(crate) struct PoolStatus {
    pub(crate) active: Vec<Arc<TargetState>>,
    pub(crate) dropped: Vec<Labels>,
    pub(crate) dropped_count: u64,
    /// What decided about them.
    pub(crate) relabel_configs: Vec<RelabelConfig>,
    /// What decided who scrapes them.
    pub(crate) placed_by: Option<Arc<dyn Placement>>,
    /// Targets that other nodes scrape.
    pub(crate) elsewhere: Vec<Target>,
    /// Whether the sources have told their targets.
    pub(crate) answers: Answers,
}

/// A job that runs. Dropping it doesn't stop it: see [`Pool::retire`].
pub(crate) struct Pool {
    pub(crate) config: ScrapeConfig,
    pub(crate) status: Arc<Mutex<PoolStatus>>,
    jobs: mpsc::Sender<Change>,
    removed: CancellationToken,
    task: JoinHandle<()>,
}

struct Change {
    job: Arc<Job>,
    done: oneshot::Sender<()>,
}

/// Prepares a job: its certificates and keys are read here, so that a reload fails before it changes anything.
pub(crate) fn prepare(config: ScrapeConfig, wants_starts: bool) -> Result<Job, HttpClientError> {
    Ok(Job { client: ScrapeClient::new(&config, wants_starts)?, config, forced_error: ArcSwapOption::empty() })
}

impl Pool {
    /// Starts a job; its targets are known when this returns.
    pub(crate) async fn start(job: Job, shared: Arc<Shared>) -> Pool {
        let (jobs, changes) = mpsc::channel(1);
        let (status, removed) = (Arc::default(), CancellationToken::new());
        let config = job.config.clone();
        let keeper = Keeper {
            shared,
            status: Arc::clone(&status),
            removed: removed.clone(),
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
        };
        let mut pool = Pool { config, status, jobs, removed, task: tokio::spawn(keeper.run(changes)) };
        pool.change(job).await;
        pool
    }

    /// Takes over a changed configuration; targets that stay are not disturbed.
    pub(crate) async fn change(&mut self, job: Job) {
        self.config = job.config.clone();
        let (done, is_done) = oneshot::channel();
        if self.jobs.send(Change { job: Arc::new(job), done }).await.is_ok() {
            let _ = is_done.await; // an error means that the node is shutting down
        }
    }

    /// Ends the job and, after a while, its series. The task runs until they have their stale markers.
    pub(crate) fn retire(self) -> JoinHandle<()> {
        self.removed.cancel();
        self.task
    }
}

struct Running {
    state: Arc<TargetState>,
    removed: CancellationToken,
}

/// Owns the target loops of a job.
struct Keeper {
    shared: Arc<Shared>,
    status: Arc<Mutex<PoolStatus>>,
    removed: CancellationToken,
    running: BTreeMap<TargetKey, Running>,
    tasks: JoinSet<()>,
}

impl Keeper {
    async fn run(mut self, mut changes: mpsc::Receiver<Change>) {
        let Some(first) = changes.recv().await else { return };
        let mut job = first.job;
        let mut placements = self.shared.placements.clone();
        placements.mark_unchanged();
        let mut discovery = self.discover(&job).await;
        self.sync(&job, &discovery);
        let _ = first.done.send(());
        loop {
            tokio::select! {
                biased;
                () = self.shared.shutdown.cancelled() => break,
                () = self.removed.cancelled() => {
                    self.remove_all(&job);
                    break;
                }
                Some(change) = changes.recv() => {
                    job = change.job;
                    discovery.change(job.config.sources.clone()).await;
                    self.sync(&job, &discovery);
                    let _ = change.done.send(());
                }
                () = discovery.changed() => self.sync(&job, &discovery),
                () = placement::changed(&mut placements) => self.sync(&job, &discovery),
                Some(ended) = self.tasks.join_next() => log_panic(&ended),
            }
        }
        while let Some(ended) = self.tasks.join_next().await {
            log_panic(&ended);
        }
    }

    async fn discover(&self, job: &Job) -> Discovery {
        Discovery::start(&job.config.job_name, job.config.sources.clone(), Arc::clone(&self.shared.discovery)).await
    }

    /// Makes the running targets those that are discovered now.
    fn sync(&mut self, job: &Arc<Job>, discovery: &Discovery) {
        let (mut wanted, mut status) = (BTreeMap::new(), PoolStatus::default());
        let (config, groups) = (&job.config, discovery.groups());
        let keep_dropped_max = match config.limits.keep_dropped_targets {
            0 => usize::MAX,
            limit => usize::try_from(limit).unwrap_or(usize::MAX),
        };
        let placement = self.shared.placements.borrow().clone();
        let groups: Vec<&TargetGroup> = groups.iter().flat_map(|groups| groups.iter()).collect();
        for outcome in groups.iter().flat_map(|group| targets_of(group, config)) {
            match outcome {
                Outcome::Scraped(target) => {
                    match placement.place(&config.job_name, &target.url, placement::key_of(&target)) {
                        Place::Shared { is_here: false, .. } => status.elsewhere.push(*target),
                        Place::Shared { .. } | Place::Unshared => drop(wanted.insert(target.key(), *target)),
                    }
                }
                Outcome::Dropped(discovered) => {
                    status.dropped_count += 1;
                    if status.dropped.len() < keep_dropped_max {
                        status.dropped.push(discovered);
                    }
                }
                Outcome::Invalid { discovered, reason } => {
                    tracing::error!(job = %config.job_name, labels = %discovered, reason, "target refused");
                }
            }
        }
        job.forced_error.store(target_limit_error(config, wanted.len()));
        self.replace(wanted, job);
        status.placed_by = Some(placement);
        status.answers = discovery.answers();
        status.relabel_configs = config.relabel_configs.clone();
        status.active = self.running.values().map(|running| Arc::clone(&running.state)).collect();
        let label = JobLabel { scrape_job: config.job_name.clone() };
        self.shared.metrics.pool_targets.get_or_create(&label).set(self.running.len() as i64);
        let label = ConfigLabel { config: config.job_name.clone() };
        let discovered: usize = groups.iter().map(|group| group.targets.len()).sum();
        self.shared.metrics.discovered.get_or_create(&label).set(discovered as i64);
        *self.status.lock() = status;
    }

    fn replace(&mut self, wanted: BTreeMap<TargetKey, Target>, job: &Arc<Job>) {
        self.running.retain(|key, running| {
            let stays = wanted.contains_key(key);
            if !stays {
                running.removed.cancel();
            }
            stays
        });
        for (key, target) in wanted {
            let plan = Plan { job: Arc::clone(job), target };
            if let Some(running) = self.running.get(&key) {
                let is_new_time = running.state.plan.load().target.interval_ms != plan.target.interval_ms;
                running.state.plan.store(Arc::new(plan));
                if is_new_time {
                    running.state.replan.notify_one();
                }
                continue;
            }
            let state = Arc::new(TargetState::new(plan, Arc::clone(&self.shared.texts)));
            let removed = CancellationToken::new();
            let scraping = scrape_loop::run(Arc::clone(&self.shared), Arc::clone(&state), removed.clone());
            self.tasks.spawn_on(scraping, self.shared.threads.pick());
            self.running.insert(key, Running { state, removed });
        }
    }

    fn remove_all(&mut self, job: &Job) {
        for running in self.running.values() {
            running.removed.cancel();
        }
        self.running.clear();
        *self.status.lock() = PoolStatus::default();
        let metrics = &self.shared.metrics;
        metrics.pool_targets.remove(&JobLabel { scrape_job: job.config.job_name.clone() });
        metrics.discovered.remove(&ConfigLabel { config: job.config.job_name.clone() });
    }
}

fn target_limit_error(config: &ScrapeConfig, targets: usize) -> Option<Arc<String>> {
    let limit = config.limits.targets;
    (limit > 0 && targets as u64 > limit)
        .then(|| Arc::new(format!("target_limit exceeded (number of targets: {targets}, limit: {limit})")))
}

fn log_panic(ended: &Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "the scrape loop of a target broke off");
    }
}
