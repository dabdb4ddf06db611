//! All rule groups of a node: starting, replacing and stopping them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::future::join_all;
use model::{Clock, Labels, Timestamp};
use parking_lot::RwLock;
use prometheus_client::registry::Registry;
use promql::Engine;
use storage::{Appendable, Queryable};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::files::RuleSet;
use crate::gate::Gate;
use crate::group::Group;
use crate::journal::Recalled;
use crate::metrics::Metrics;
use crate::notify::Notifier;
use crate::schedule::Schedule;
use crate::shared::{Settings, Shared};
use crate::status::GroupStatus;
use crate::write::{Transaction, store};

/// The longest sleep in one piece; after each the clock is asked again, so that a clock that is put forward is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(10);
/// After so many intervals the series of a removed group get their stale markers, unless another group has gone on with them.
const INTERVALS_BEFORE_STALE: i64 = 2;

/// What a manager works with.
pub struct Options {
    /// Evaluates the expressions.
    pub engine: Arc<Engine>,
    /// What expressions read, and where alerts are restored from.
    pub queryable: Arc<dyn Queryable>,
    /// Where results are stored.
    pub storage: Arc<dyn Appendable>,
    /// Takes alerts.
    pub notifier: Arc<dyn Notifier>,
    /// Waited for before each evaluation, for one and a half intervals at most, so that none is missed; `None` where samples are there as soon as they are made.
    pub gate: Option<Arc<dyn Gate>>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Under which URL people reach this node, without a slash at the end.
    pub external_url: String,
    /// What templates see as external labels.
    pub external_labels: Labels,
}

/// Evaluates rule groups by the clock and knows their state.
pub struct Manager {
    shared: Arc<Shared>,
    /// By file and name.
    groups: RwLock<BTreeMap<(PathBuf, String), Running>>,
    /// Held while groups are replaced.
    applying: tokio::sync::Mutex<()>,
    /// Whether rules were applied before: what is added later has nothing to restore.
    applied: AtomicBool,
    /// The tasks that write the stale markers of removed groups.
    farewells: TaskTracker,
}

struct Running {
    group: Arc<Group>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Manager {
    /// A manager without groups, with the default [`Settings`].
    pub fn new(options: Options, registry: &mut Registry) -> Arc<Self> {
        Self::with_settings(options, Settings::default(), registry)
    }

    /// A manager without groups.
    pub fn with_settings(options: Options, settings: Settings, registry: &mut Registry) -> Arc<Self> {
        let Options { engine, queryable, storage, notifier, gate, clock, external_url, external_labels } = options;
        let shared = Arc::new(Shared {
            engine,
            queryable,
            storage,
            notifier,
            gate,
            clock,
            external_url,
            external_labels: ArcSwap::from_pointee(external_labels),
            settings,
            metrics: Metrics::new(registry),
            interrupt: CancellationToken::new(),
        });
        Arc::new(Manager {
            shared,
            groups: RwLock::default(),
            applying: tokio::sync::Mutex::default(),
            applied: AtomicBool::new(!settings.restore),
            farewells: TaskTracker::new(),
        })
    }

    /// Puts a set of rules in force. Groups that say the same as before run on undisturbed; a group that has changed
    /// hands its state to its successor once its evaluation under way is finished; the series of a group that is gone are
    /// marked stale after two intervals. After a shutdown this does nothing.
    pub async fn apply(&self, rules: RuleSet, external_labels: &Labels) {
        let _one_at_a_time = self.applying.lock().await;
        if self.shared.interrupt.is_cancelled() {
            return;
        }
        self.shared.external_labels.store(Arc::new(external_labels.clone()));
        let restored = self.applied.swap(true, Ordering::SeqCst);
        let mut wanted: BTreeMap<_, _> =
            rules.groups.into_iter().map(|group| ((group.file.clone(), group.name.clone()), group)).collect();
        let mut leaving = Vec::new();
        for (key, running) in self.groups.write().iter_mut() {
            match wanted.get(key) {
                Some(group) if **group == *running.group.definition => {
                    wanted.remove(key);
                }
                _ => {
                    running.stop.cancel();
                    leaving.push((key.clone(), running.group.clone(), running.task.take()));
                }
            }
        }
        let mut predecessors = BTreeMap::new();
        for (key, group, task) in leaving {
            ended(task).await;
            predecessors.insert(key, group);
        }
        let now = self.shared.clock.now();
        let mut recalled = (!restored).then(|| Recalled::read(self.shared.storage.as_ref()));
        let mut new = Vec::new();
        for (key, definition) in wanted {
            let group = Group::new(definition, self.shared.clone(), restored);
            if let Some(earlier) = predecessors.remove(&key) {
                group.adopt(&earlier);
            }
            if let Some(recalled) = &mut recalled {
                group.recall(recalled, now);
                group.skip_restoring(now).await;
                group.send_recalled(now).await;
            }
            new.push((key, Arc::new(group)));
        }
        let mut notes = recalled.map(Recalled::left).unwrap_or_default();
        let gone: Vec<_> = predecessors.into_iter().map(|(key, group)| (key, group.take_leavings(), group)).collect();
        for (_, leavings, group) in &gone {
            notes.extend(leavings.notes.iter().chain([&group.note]).cloned());
        }
        // Before the new groups note anything themselves.
        self.forget(notes, now).await;
        let mut groups = self.groups.write();
        groups.extend(new.into_iter().map(|(key, group)| (key, self.start(group))));
        for (key, leavings, group) in gone {
            groups.remove(&key);
            self.shared.metrics.remove(group.definition.key());
            self.farewells.spawn(farewell(self.shared.clone(), group, leavings.series));
        }
    }

    /// Takes notes away that are of no rule. What fails is made up for at the next start.
    async fn forget(&self, notes: Vec<String>, at: Timestamp) {
        if notes.is_empty() {
            return;
        }
        let notes = notes.into_iter().map(|name| (name, Vec::new())).collect();
        let transaction = Transaction { at, notes, ..Transaction::default() };
        let storage = self.shared.storage.clone();
        let stored =
            tokio::task::spawn_blocking(move || store(storage.as_ref(), transaction).map_err(|(error, _)| error));
        match stored.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "what was noted of alerts whose rules are gone can't be taken away");
            }
            Err(error) => tracing::warn!(%error, "what was noted of alerts whose rules are gone can't be taken away"),
        }
    }

    fn start(&self, group: Arc<Group>) -> Running {
        let stop = self.shared.interrupt.child_token();
        let task =
            self.shared.settings.timers.then(|| tokio::spawn(run(self.shared.clone(), group.clone(), stop.clone())));
        Running { group, stop, task }
    }

    /// All groups as they stand, sorted by file and name.
    pub fn groups(&self) -> Vec<GroupStatus> {
        self.groups.read().values().map(|running| running.group.status()).collect()
    }

    /// Evaluates the groups of this name (in whichever file) once, for `time`, whatever the clock says; waits until their
    /// results are stored. The answer is whether there is such a group. For tests, and for tools that bring their own time.
    pub async fn evaluate_at(&self, group: &str, time: Timestamp) -> bool {
        let found: Vec<_> = {
            let groups = self.groups.read();
            groups.values().map(|running| running.group.clone()).filter(|g| g.definition.name == group).collect()
        };
        for group in &found {
            group.evaluate(time).await;
        }
        !found.is_empty()
    }

    /// Stops all groups. An evaluation under way is interrupted and stores nothing, unless it is storing already.
    /// The state of alerts is in the storage; no stale markers are written, so that it can be restored.
    pub async fn shutdown(&self) {
        self.shared.interrupt.cancel();
        let _one_at_a_time = self.applying.lock().await;
        let tasks: Vec<_> = self.groups.write().values_mut().map(|running| running.task.take()).collect();
        join_all(tasks.into_iter().map(ended)).await;
        self.farewells.close();
        self.farewells.wait().await;
    }
}

async fn ended(task: Option<JoinHandle<()>>) {
    if let Some(Err(error)) = match task {
        Some(task) => Some(task.await),
        None => None,
    } {
        tracing::error!(%error, "a rule group broke down");
    }
}

/// Evaluates a group by the clock until it is stopped.
async fn run(shared: Arc<Shared>, group: Arc<Group>, stop: CancellationToken) {
    let schedule = Schedule::new(&group.definition.name, group.definition.interval_ms);
    let mut time = schedule.first(shared.clock.now());
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = due(&shared, &group, &schedule, time) => {}
        }
        group.evaluate(time).await;
        if stop.is_cancelled() {
            return;
        }
        let (next, missed) = schedule.next(time, shared.clock.now());
        group.metrics.iterations.inc_by(1 + missed);
        if missed > 0 {
            group.metrics.iterations_missed.inc_by(missed);
            tracing::warn!(group = group.definition.key(), missed, "evaluation is slower than its interval");
        }
        time = next;
    }
}

/// Waits for the moment of the evaluation for `time`, and for what it reads.
async fn due(shared: &Shared, group: &Group, schedule: &Schedule, time: Timestamp) {
    sleep_until(shared.clock.as_ref(), schedule.due_at(time)).await;
    if let Some(gate) = &shared.gate {
        let at_most = Duration::from_millis(group.definition.interval_ms.unsigned_abs()) * 3 / 2;
        gate.wait(time.saturating_sub(group.definition.query_offset_ms), at_most).await;
    }
}

async fn sleep_until(clock: &dyn Clock, time: Timestamp) {
    loop {
        let left = u64::try_from(time.as_ms().saturating_sub(clock.now().as_ms())).unwrap_or(0);
        if left == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(left).min(SLEEP_MAX)).await;
    }
}

/// Marks the series of a removed group stale, at the time of the evaluation that would have been next. By then a group
/// that goes on with the series under another name has stored newer samples, and the storage refuses the markers.
async fn farewell(shared: Arc<Shared>, group: Arc<Group>, series: Vec<Labels>) {
    let interval_ms = group.definition.interval_ms;
    let Some(last) = group.last_time().filter(|_| !series.is_empty()) else { return };
    let time = last.saturating_add(interval_ms);
    tokio::select! {
        () = shared.interrupt.cancelled() => return,
        () = sleep_until(shared.clock.as_ref(), time.saturating_add(INTERVALS_BEFORE_STALE * interval_ms)) => {}
    }
    let at = time.saturating_sub(group.definition.query_offset_ms);
    let stored = tokio::task::spawn_blocking(move || {
        let transaction = Transaction { at, orphans: series, ..Transaction::default() };
        store(shared.storage.as_ref(), transaction).map_err(|(error, _)| error)
    });
    let name = group.definition.key();
    match stored.await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(group = name, %error, "cannot mark the series of a removed group stale"),
        Err(error) => tracing::warn!(group = name, %error, "cannot mark the series of a removed group stale"),
    }
}
