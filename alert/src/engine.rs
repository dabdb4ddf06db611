//! The running pipeline: takes alerts, waits for what is due, delivers it.
//!
//! Ordering: every change is made under one lock and is in the journal before the lock is given back; nothing is awaited
//! under it. A group is told by one task at a time. Cancellation: on [`Engine::stop`] attempts under way may end within a
//! short bound, waits between attempts end at once; what wasn't delivered is not in the log and goes out after the next
//! start. Crash: between a receiver's answer and its record in the journal, or with a peer, a notification may be told
//! twice, never lost.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use model::{Clock, Labels, LabelsBuilder, Timestamp};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::alert::Alert;
use crate::journal::{JournalError, Record};
use crate::loading::Config;
use crate::metrics::{Metrics, StateLabel, StatusLabel};
use crate::pair::{Answer, Intent, Link, LinkView, Member, PairConfig, Peers};
use crate::silence::SilenceState;
use crate::state::{AlertView, Plan, ReceiveError, State};

/// How many attempts may be under way at a time.
const ATTEMPTS_MAX: usize = 64;
/// How often old things are forgotten and counted.
const MAINTENANCE_MS: i64 = 10_000;
/// The clock is looked at this often at least, because it may jump.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// How long attempts under way may take once the engine stops.
const DRAIN: Duration = Duration::from_secs(3);

/// What the pipeline is given from outside.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data directory; the journal lies in its folder `alert`.
    pub data_dir: PathBuf,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where a person finds this node: the `externalURL` of messages.
    pub external_url: String,
    /// A number made at random for this start; no other start of any instance has it. The first start on a data directory
    /// gives the instance its name among its peers.
    pub start_id: u64,
}

/// An alert as somebody tells it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Incoming {
    /// What identifies it.
    pub labels: Labels,
    /// What is told about it.
    pub annotations: Labels,
    /// Since when it fires; now where nobody says.
    pub starts_at: Option<Timestamp>,
    /// When it ended or will count as ended; `resolve_timeout` from now where nobody says.
    pub ends_at: Option<Timestamp>,
    /// Where a person sees the expression behind it.
    pub generator_url: String,
    /// It fired before a restart of who tells it, who hasn't seen it since: if it is held, it is held on.
    pub recalled: bool,
}

/// Why alerts were not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IncomingError {
    /// Some make no sense; the others were taken.
    #[error("{0}")]
    Invalid(String),
    /// They couldn't be held.
    #[error(transparent)]
    Refused(#[from] ReceiveError),
}

/// The running pipeline.
#[derive(Debug)]
pub(crate) struct Engine {
    /// Changed only under the lock of `state`, whose groups belong to its routes.
    config: ArcSwap<Config>,
    state: Mutex<State>,
    options: Options,
    started_at: Timestamp,
    metrics: Metrics,
    wake: Notify,
    stop: CancellationToken,
    attempts: Semaphore,
    peers: Peers,
    replica_labels: ArcSwap<Vec<String>>,
    /// Leases are counted from here: the wall clock may jump.
    begun: Instant,
}

impl Engine {
    /// Takes up the state in the data directory; nothing is delivered before [`Engine::run`].
    pub(crate) fn open(config: Config, options: Options, registry: &mut Registry) -> Result<Self, JournalError> {
        let now = options.clock.now();
        let (state, unreadable) = State::open(&options.data_dir, &config, options.start_id, now)?;
        if unreadable > 0 {
            tracing::warn!(lines = unreadable, "the alert journal had unreadable lines, which were left out");
        }
        let metrics = Metrics::new(registry);
        metrics.config_ok.set(1);
        metrics.cluster.is(&state.me().name);
        let engine = Engine {
            config: ArcSwap::from_pointee(config),
            state: Mutex::new(state),
            started_at: now,
            options,
            metrics,
            wake: Notify::new(),
            stop: CancellationToken::new(),
            attempts: Semaphore::new(ATTEMPTS_MAX),
            peers: Peers::default(),
            replica_labels: ArcSwap::default(),
            begun: Instant::now(),
        };
        engine.count(now);
        Ok(engine)
    }

    /// Puts another configuration in place. Alerts, silences and the log stay.
    pub(crate) fn reload(&self, config: Config) {
        let now = self.now();
        let mut state = self.state.lock();
        state.reroute(&config, now);
        self.config.store(Arc::new(config));
        drop(state);
        self.metrics.config_ok.set(1);
        self.wake.notify_one();
    }

    /// Notes that another configuration was wanted and is no good.
    pub(crate) fn reload_failed(&self) {
        self.metrics.config_ok.set(0);
    }

    /// Puts other peers in place; the ways to those that are new have to be followed.
    pub(crate) fn set_pair(&self, pair: &PairConfig) -> Vec<Arc<Link>> {
        let replica_labels = if pair.peers.is_empty() { Vec::new() } else { pair.replica_labels.clone() };
        self.replica_labels.store(Arc::new(replica_labels));
        self.peers.set(pair)
    }

    /// Takes alerts. They are in the journal when this returns.
    pub(crate) fn receive(&self, incoming: Vec<Incoming>) -> Result<(), IncomingError> {
        let now = self.now();
        let (mut taken, mut recalled, mut invalid) = (Vec::with_capacity(incoming.len()), Vec::new(), Vec::new());
        let (config, replica_labels) = (self.config(), self.replica_labels.load());
        for mut alert in incoming {
            if replica_labels.iter().any(|name| alert.labels.get(name).is_some()) {
                let mut labels = LabelsBuilder::new(&alert.labels);
                for name in replica_labels.iter() {
                    labels.del(name);
                }
                alert.labels = labels.build();
            }
            let is_recalled = alert.recalled;
            match checked(alert, &config, now) {
                Ok(alert) if is_recalled => recalled.push(alert),
                Ok(alert) => {
                    let status = if alert.is_resolved(now) { "resolved" } else { "firing" };
                    self.metrics.received.get_or_create(&StatusLabel { status }).inc();
                    taken.push(alert);
                }
                Err(reason) => {
                    self.metrics.invalid.inc();
                    invalid.push(reason);
                }
            }
        }
        let mut state = self.state.lock();
        state.hold_on(&recalled, &self.config(), now);
        let outcome = state.receive(taken, &self.config(), now);
        drop(state);
        self.wake.notify_one();
        self.peers.news();
        self.count_journal_errors(&outcome);
        outcome?;
        if invalid.is_empty() { Ok(()) } else { Err(IncomingError::Invalid(invalid.join("; "))) }
    }

    /// Works with the state under its lock.
    pub(crate) fn with_state<T>(&self, work: impl FnOnce(&mut State, &Config, Timestamp) -> T) -> T {
        let mut state = self.state.lock();
        let config = self.config();
        work(&mut state, &config, self.now())
    }

    /// Changes the state under its lock; the peers hear of it.
    pub(crate) fn change<T>(&self, work: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let outcome = self.with_state(|state, _, now| work(state, now));
        self.peers.news();
        outcome
    }

    /// Takes in what a peer says of the state.
    pub(crate) fn adopt(
        &self,
        from: &Member,
        holds: &HashSet<String>,
        records: Vec<Record>,
    ) -> Result<(), JournalError> {
        let at = self.at();
        self.peers.heard_of(from);
        let news = !records.is_empty();
        let outcome = self.with_state(|state, config, now| {
            state.alive(from, holds, now, at);
            state.adopt(records, config, now)
        });
        self.wake.notify_one();
        if news && self.peers.links().len() > 1 {
            self.peers.news();
        }
        if outcome.is_err() {
            self.metrics.journal_errors.inc();
        }
        let refused = outcome?;
        if let Some(reason) = refused.first() {
            self.metrics.cluster.refused.inc_by(u64::try_from(refused.len()).unwrap_or(u64::MAX));
            tracing::error!(peer = from.name, records = refused.len(), reason, "what a peer said was not taken");
        }
        Ok(())
    }

    /// Answers a peer that wants to tell something.
    pub(crate) fn asked(&self, intent: &Intent) -> Answer {
        let at = self.at();
        self.peers.heard_of(&intent.from.member);
        let answer = self.with_state(|state, _, now| state.asked(intent, now, at));
        if intent.gives_back {
            self.wake.notify_one();
        }
        answer
    }

    /// Who we are among our peers.
    pub(crate) fn me(&self) -> Member {
        self.state.lock().me().clone()
    }

    /// The peers.
    pub(crate) fn peers(&self) -> &Peers {
        &self.peers
    }

    /// The address of this node, as its peers are told apart by.
    pub(crate) fn address(&self) -> &str {
        let url = &self.options.external_url;
        let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    /// What is counted.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Says when the engine stops.
    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// The time when the engine was opened.
    pub(crate) fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Delivers what is due until [`Engine::stop`] is called.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut deliveries = JoinSet::new();
        let mut maintained_at = self.now();
        while !self.stop.is_cancelled() {
            let now = self.now();
            let (config, plans) = self.due(now);
            for plan in plans {
                deliveries.spawn(Arc::clone(&self).tell(plan, Arc::clone(&config)));
            }
            if now - maintained_at >= MAINTENANCE_MS {
                maintained_at = now;
                self.maintain().await;
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.wake.notified() => {}
                () = tokio::time::sleep(self.wait()) => {}
                Some(ended) = deliveries.join_next() => report_panic(&ended),
            }
        }
        let drained = async { while deliveries.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!("notifications were still under way when the time for stopping was up");
        }
        let synced = self.state.lock().sync();
        self.note(synced);
    }

    /// Ends [`Engine::run`].
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    /// The time by which leases are counted.
    fn at(&self) -> Duration {
        self.begun.elapsed()
    }

    /// What is due, with the configuration whose routes the plans speak of.
    fn due(&self, now: Timestamp) -> (Arc<Config>, Vec<Plan>) {
        let mut state = self.state.lock();
        let config = self.config();
        let taken_over = state.lapse(now, self.at());
        self.metrics.cluster.taken_over.inc_by(u64::try_from(taken_over).unwrap_or(u64::MAX));
        let plans = state.plan(&config, now);
        let settled = state.settle(&plans, now);
        drop(state);
        self.note(settled);
        (config, plans)
    }

    fn wait(&self) -> Duration {
        let due = self.state.lock().next_due();
        let ms = due.map_or(i64::MAX, |due| due.as_ms().saturating_sub(self.now().as_ms()));
        Duration::from_millis(u64::try_from(ms).unwrap_or(0)).min(WAIT_MAX)
    }

    async fn maintain(self: &Arc<Self>) {
        let engine = Arc::clone(self);
        let work = move || {
            let now = engine.now();
            let let_go = engine.with_state(|state, config, now| state.let_go(config, now));
            engine.note(let_go);
            let outcome = engine.state.lock().maintain(now);
            engine.note(outcome);
            engine.wake.notify_one();
            engine.count(now);
        };
        // Rewriting the journal waits for the disk.
        if let Err(e) = tokio::task::spawn_blocking(work).await {
            tracing::error!(error = %e, "the upkeep of the alert state failed");
        }
    }

    fn count(&self, now: Timestamp) {
        let state = self.state.lock();
        let views = state.alert_views(&self.config(), now);
        let suppressed = views.iter().filter(|view| AlertView::is_suppressed(view)).count();
        let silences: Vec<SilenceState> = state.silences().iter().map(|s| s.state(now)).collect();
        self.metrics.groups.set(gauge(state.group_count()));
        self.metrics.journal_bytes.set(state.journal_bytes());
        drop(state);
        self.count_peers();
        for (state, count) in [("active", views.len() - suppressed), ("suppressed", suppressed)] {
            self.metrics.alerts.get_or_create(&StateLabel { state }).set(gauge(count));
        }
        let names =
            [("active", SilenceState::Active), ("pending", SilenceState::Pending), ("expired", SilenceState::Expired)];
        for (state, which) in names {
            let count = silences.iter().filter(|s| **s == which).count();
            self.metrics.silences.get_or_create(&StateLabel { state }).set(gauge(count));
        }
    }

    /// Shows which peers are there.
    pub(crate) fn count_peers(&self) {
        let peers: Vec<LinkView> = self.peers.links().iter().map(|link| link.view()).collect();
        self.metrics.cluster.peers(&peers);
    }

    fn count_journal_errors(&self, outcome: &Result<(), ReceiveError>) {
        if let Err(ReceiveError::Journal(_)) = outcome {
            self.metrics.journal_errors.inc();
        }
    }

    fn note(&self, outcome: Result<(), JournalError>) {
        if let Err(e) = outcome {
            self.metrics.journal_errors.inc();
            let cause = std::error::Error::source(&e).map(ToString::to_string).unwrap_or_default();
            tracing::error!(error = %e, cause, "the alert journal can't be written: a restart may repeat notifications");
        }
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn report_panic(ended: &Result<(), tokio::task::JoinError>) {
    if let Err(e) = ended {
        tracing::error!(error = %e, "a delivery broke down");
    }
}

/// An alert with its times in place; or why it makes no sense.
fn checked(incoming: Incoming, config: &Config, now: Timestamp) -> Result<Alert, String> {
    if incoming.labels.is_empty() {
        return Err("an alert needs at least one label".to_owned());
    }
    let starts_at = incoming.starts_at.or(incoming.ends_at).unwrap_or(now);
    let timeout = incoming.ends_at.is_none();
    let ends_at = incoming.ends_at.unwrap_or_else(|| now.saturating_add(config.resolve_timeout_ms));
    if ends_at < starts_at {
        return Err(format!("the alert {} ends before it starts", incoming.labels));
    }
    let Incoming { labels, annotations, generator_url, .. } = incoming;
    Ok(Alert { labels, annotations, starts_at, ends_at, updated_at: now, generator_url, timeout })
}

mod delivery;
