//! A rule group at work: evaluating its rules in order and storing what they give.
//!
//! Ordering: one evaluation at a time. A rule sees what the rules before it gave at the same time, see
//! [`pending`](crate::pending). Alerts are sent as soon as their rule has been evaluated; they don't wait for the storage.
//! Cancellation: an evaluation that is interrupted stores nothing. Crash: it is stored entirely or not at all.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use model::{Labels, Timestamp};
use parking_lot::Mutex;
use promql::VectorSample;
use storage::Queryable;
use template::Context;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::alerts::{AlertSet, Candidate, Found, Holding};
use crate::definition::{Alerting, Rule, RuleGroup, RuleKind};
use crate::evaluate::{RuleError, asks_queries, candidates, recorded, vector};
use crate::metrics::GroupMetrics;
use crate::missed::{Scrapes, may_hold};
use crate::pending::{Overlay, Pending};
use crate::restore::{active_since, last_states};
use crate::shared::Shared;
use crate::status::{AlertState, AlertingStatus, GroupStatus, Health, RuleStatus};
use crate::write::{Batch, Known, Stored, store};

/// After so many evaluations alerts are restored: what they depend on has been scraped and recorded by then.
const EVALUATIONS_BEFORE_RESTORE: u32 = 2;
/// The texts of so many alerts are filled in without leaving the runtime's thread; each takes some 10 µs.
const ALERTS_INLINE_MAX: usize = 50;

pub(crate) struct Group {
    pub(crate) definition: Arc<RuleGroup>,
    pub(crate) metrics: GroupMetrics,
    shared: Arc<Shared>,
    rules: Vec<Mutex<RuleState>>,
    progress: Mutex<Progress>,
    /// Held during an evaluation.
    busy: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct RuleState {
    health: Health,
    last_error: Option<String>,
    evaluation_time: Duration,
    last_evaluation: Option<Timestamp>,
    alerts: AlertSet,
    /// Whether the alerts have been restored; until then they aren't stored, or they would hide what is to be restored.
    restored: bool,
    /// The series that the last evaluation gave.
    known: Known,
}

#[derive(Debug, Default)]
struct Progress {
    evaluations: u32,
    last_time: Option<Timestamp>,
    last_evaluation: Option<Timestamp>,
    evaluation_time: Duration,
    /// Series of rules that are gone; they get a stale marker.
    orphans: Vec<Labels>,
}

/// What the rules of a group share during one evaluation.
struct Evaluation {
    /// The time it is for.
    time: Timestamp,
    /// The time that is asked about: `time`, or earlier by the group's offset.
    at: Timestamp,
    /// What expressions read.
    source: Arc<dyn Queryable>,
    scrapes: Scrapes,
}

impl Group {
    /// A group that hasn't been evaluated yet. `restored` says that there is nothing to restore.
    pub(crate) fn new(definition: Arc<RuleGroup>, shared: Arc<Shared>, restored: bool) -> Self {
        let state = || RuleState {
            health: Health::Unknown,
            last_error: None,
            evaluation_time: Duration::ZERO,
            last_evaluation: None,
            alerts: AlertSet::default(),
            restored,
            known: Known::default(),
        };
        let metrics = shared.metrics.group(definition.key());
        metrics.rules.set(i64::try_from(definition.rules.len()).unwrap_or(i64::MAX));
        metrics.interval.set(definition.interval_ms as f64 / 1000.0);
        let rules = definition.rules.iter().map(|_| Mutex::new(state())).collect();
        Group { definition, metrics, shared, rules, progress: Mutex::default(), busy: tokio::sync::Mutex::default() }
    }

    /// Takes over from the group that had the same name before a reload: rules with the same name and labels, in
    /// order, keep their alerts and their series. The series of rules that are gone become orphans.
    pub(crate) fn adopt(&self, earlier: &Group) {
        let mut by_identity: HashMap<(&str, Labels), Vec<usize>> = HashMap::new();
        for (i, rule) in earlier.definition.rules.iter().enumerate().rev() {
            by_identity.entry((&rule.name, rule.label_sources())).or_default().push(i);
        }
        for (rule, state) in self.definition.rules.iter().zip(&self.rules) {
            let identity = (rule.name.as_str(), rule.label_sources());
            let Some(i) = by_identity.get_mut(&identity).and_then(Vec::pop) else { continue };
            let (mut ours, mut theirs) = (state.lock(), earlier.rules[i].lock());
            ours.known = std::mem::take(&mut theirs.known);
            if rule.alerting().is_some() && earlier.definition.rules[i].alerting().is_some() {
                ours.alerts = std::mem::take(&mut theirs.alerts);
                ours.restored = theirs.restored;
            }
        }
        let orphans = earlier.take_series();
        let theirs = earlier.progress.lock();
        let mut ours = self.progress.lock();
        ours.orphans = orphans;
        ours.evaluations = theirs.evaluations;
        ours.last_time = theirs.last_time;
        ours.last_evaluation = theirs.last_evaluation;
        ours.evaluation_time = theirs.evaluation_time;
    }

    /// All series that the group gave last, taken away from it.
    pub(crate) fn take_series(&self) -> Vec<Labels> {
        let mut series = std::mem::take(&mut self.progress.lock().orphans);
        series.extend(self.rules.iter().flat_map(|rule| std::mem::take(&mut rule.lock().known).into_keys()));
        series
    }

    /// The time of the last evaluation.
    pub(crate) fn last_time(&self) -> Option<Timestamp> {
        self.progress.lock().last_time
    }

    /// Evaluates all rules for `time` and stores what they give.
    pub(crate) async fn evaluate(&self, time: Timestamp) {
        let _one_at_a_time = self.busy.lock().await;
        let (began, started) = (self.shared.clock.now(), Instant::now());
        let at = time.saturating_sub(self.definition.query_offset_ms);
        let pending = Arc::new(Pending::new(at));
        let source: Arc<dyn Queryable> =
            Arc::new(Overlay { pending: pending.clone(), storage: self.shared.queryable.clone() });
        let evaluation = Evaluation { time, at, source, scrapes: Scrapes::default() };
        let mut batches = Vec::new();
        for (i, rule) in self.definition.rules.iter().enumerate() {
            let (rule_began, rule_started) = (self.shared.clock.now(), Instant::now());
            self.metrics.evaluations.inc();
            let result = self.evaluate_rule(i, rule, &evaluation).await;
            let mut state = self.rules[i].lock();
            state.last_evaluation = Some(rule_began);
            state.evaluation_time = rule_started.elapsed();
            match result {
                Ok(samples) => {
                    pending.add(&samples, &state.known);
                    (state.health, state.last_error) = (Health::Good, None);
                    batches.push(Batch { rule: i, samples, previous: std::mem::take(&mut state.known) });
                }
                Err(RuleError::Interrupted) => return,
                Err(error) => {
                    drop(state);
                    self.failed(i, &error.to_string());
                }
            }
        }
        self.store(at, batches).await;
        self.finish(time, began, started.elapsed());
        if self.progress.lock().evaluations >= EVALUATIONS_BEFORE_RESTORE {
            self.restore(time).await;
        }
    }

    fn finish(&self, time: Timestamp, began: Timestamp, took: Duration) {
        let mut progress = self.progress.lock();
        progress.evaluations = progress.evaluations.saturating_add(1);
        progress.last_time = Some(time);
        progress.last_evaluation = Some(began);
        progress.evaluation_time = took;
        self.metrics.last_duration.set(took.as_secs_f64());
        self.metrics.last_evaluation.set(began.as_secs_f64());
    }

    fn failed(&self, rule: usize, reason: &str) {
        let name = &self.definition.rules[rule].name;
        tracing::warn!(group = self.definition.key(), rule = name, reason, "evaluating a rule failed");
        self.metrics.evaluation_failures.inc();
        let mut state = self.rules[rule].lock();
        (state.health, state.last_error) = (Health::Bad, Some(reason.to_owned()));
    }

    async fn evaluate_rule(
        &self,
        i: usize,
        rule: &Rule,
        evaluation: &Evaluation,
    ) -> Result<Vec<(Labels, f64)>, RuleError> {
        let Evaluation { time, at, source, .. } = evaluation;
        let (time, at) = (*time, *at);
        let query = self.shared.engine.instant(source.clone(), &rule.expr, at);
        let result = tokio::select! {
            biased;
            () = self.shared.interrupt.cancelled() => return Err(RuleError::Interrupted),
            result = query => result?,
        };
        let samples = vector(result.value)?;
        let alerting = match &rule.kind {
            RuleKind::Recording => return recorded(rule, &samples, self.definition.limit),
            RuleKind::Alerting(alerting) => alerting,
        };
        let candidates = self.candidates(rule, alerting, samples, time, source).await?;
        let missed = self.missed(i, rule, &candidates, evaluation).await?;
        let (series, due) = {
            let mut state = self.rules[i].lock();
            let holding = Holding { for_ms: alerting.for_ms, keep_firing_for_ms: alerting.keep_firing_for_ms };
            let limit = self.definition.limit;
            let stepped = state.alerts.step(time, Found { candidates, missed }, holding, limit);
            stepped.map_err(|count| RuleError::Limit { limit, count, what: "alerts" })?;
            let series = if state.restored { state.alerts.series() } else { Vec::new() };
            let url = format!("{}{}", self.shared.external_url, template::table_link(&rule.query));
            let resend_delay_ms = self.shared.settings.resend_delay_ms;
            (series, state.alerts.due(time, resend_delay_ms, self.definition.interval_ms, &url))
        };
        if !due.is_empty() {
            self.shared.notifier.notify(due).await;
        }
        Ok(series)
    }

    /// The alerts that vanished because a scrape failed.
    async fn missed(
        &self,
        i: usize,
        rule: &Rule,
        candidates: &HashMap<Labels, Candidate>,
        evaluation: &Evaluation,
    ) -> Result<HashSet<Labels>, RuleError> {
        if !self.shared.settings.hold_missed || !may_hold(rule) {
            return Ok(HashSet::new());
        }
        let (engine, Evaluation { time, at, source, scrapes }) = (&self.shared.engine, evaluation);
        let vanished = self.rules[i].lock().alerts.vanished(*time, candidates, engine.options().lookback_ms);
        if vanished.is_empty() {
            return Ok(HashSet::new());
        }
        tokio::select! {
            biased;
            () = self.shared.interrupt.cancelled() => Err(RuleError::Interrupted),
            missed = scrapes.missed(vanished, engine, source, *at) => missed,
        }
    }

    /// Fills in labels and annotations; where that asks queries or is much work, on a thread that may wait.
    async fn candidates(
        &self,
        rule: &Rule,
        alerting: &Alerting,
        samples: Vec<VectorSample>,
        time: Timestamp,
        source: &Arc<dyn Queryable>,
    ) -> Result<HashMap<Labels, Candidate>, RuleError> {
        let external_labels = self.shared.external_labels.load_full();
        let external_url = self.shared.external_url.clone();
        if samples.len() <= ALERTS_INLINE_MAX && !asks_queries(rule, alerting) {
            let context = Context::without_query(external_url, time);
            return candidates(rule, alerting, &samples, &external_labels, &context);
        }
        let (engine, source, runtime) = (self.shared.engine.clone(), source.clone(), Handle::current());
        let query = move |expr: &str, time: Timestamp| {
            let expr = promql::parse(expr).map_err(|e| e.to_string())?;
            let result = runtime.block_on(engine.instant(source.clone(), &expr, time)).map_err(|e| e.to_string())?;
            let samples = vector(result.value).map_err(|e| e.to_string())?;
            Ok(samples.into_iter().map(|sample| (sample.labels, sample.value)).collect())
        };
        let context = Context { external_url, time, query: Arc::new(query) };
        let (rule, alerting) = (rule.clone(), alerting.clone());
        tokio::task::spawn_blocking(move || candidates(&rule, &alerting, &samples, &external_labels, &context)).await?
    }

    /// Stores the results of an evaluation in one transaction.
    async fn store(&self, at: Timestamp, batches: Vec<Batch>) {
        let orphans = std::mem::take(&mut self.progress.lock().orphans);
        let samples: usize = batches.iter().map(|batch| batch.samples.len()).sum();
        self.metrics.last_samples.set(i64::try_from(samples).unwrap_or(i64::MAX));
        let previous: usize = batches.iter().map(|batch| batch.previous.len()).sum();
        if samples + previous + orphans.len() == 0 {
            return;
        }
        let storage = self.shared.storage.clone();
        let stored = tokio::task::spawn_blocking(move || store(storage.as_ref(), at, batches, &orphans)).await;
        match stored {
            Ok(Ok(stored)) => stored.into_iter().for_each(|stored| self.remember(stored)),
            Ok(Err((error, batches))) => {
                let reason = match &error.source {
                    Some(source) => format!("{error}: {source}"),
                    None => error.to_string(),
                };
                for batch in batches {
                    self.rules[batch.rule].lock().known = batch.previous;
                    self.failed(batch.rule, &reason);
                }
            }
            Err(error) => {
                tracing::error!(group = self.definition.key(), %error, "storing the results of rules broke down");
            }
        }
    }

    fn remember(&self, stored: Stored) {
        self.rules[stored.rule].lock().known = stored.known;
        if let Some(error) = stored.error {
            self.failed(stored.rule, &format!("{} samples were not stored: {error}", stored.refused));
        }
    }

    /// Restores the alerts that were not restored yet.
    async fn restore(&self, now: Timestamp) {
        for (rule, state) in self.definition.rules.iter().zip(&self.rules) {
            if state.lock().restored {
                continue;
            }
            let grace_ms = self.shared.settings.for_grace_period_ms;
            let for_ms = rule.alerting().map_or(0, |alerting| alerting.for_ms);
            let last = if for_ms < grace_ms {
                Ok(HashMap::new())
            } else {
                let tolerance_ms = self.shared.settings.outage_tolerance_ms;
                last_states(self.shared.queryable.as_ref(), &rule.name, now, tolerance_ms).await
            };
            match last {
                Ok(last) => {
                    let mut state = state.lock();
                    state.alerts.restore(|labels| last.get(labels).map(|l| active_since(*l, now, for_ms, grace_ms)));
                    state.restored = true;
                }
                Err(error) => {
                    let group = self.definition.key();
                    tracing::warn!(group, rule = rule.name, %error, "cannot restore alerts, trying again");
                }
            }
        }
    }

    /// The group as it stands.
    pub(crate) fn status(&self) -> GroupStatus {
        let rules = self.definition.rules.iter().zip(&self.rules).map(|(rule, state)| rule_status(rule, &state.lock()));
        let rules = rules.collect();
        let progress = self.progress.lock();
        GroupStatus {
            name: self.definition.name.clone(),
            file: self.definition.file.display().to_string(),
            interval_ms: self.definition.interval_ms,
            limit: self.definition.limit,
            rules,
            evaluation_time: progress.evaluation_time,
            last_evaluation: progress.last_evaluation,
        }
    }
}

fn rule_status(rule: &Rule, state: &RuleState) -> RuleStatus {
    let alerting = rule.alerting().map(|alerting| {
        let alerts = state.alerts.status();
        AlertingStatus {
            state: alerts.iter().map(|alert| alert.state).max().unwrap_or(AlertState::Inactive),
            for_ms: alerting.for_ms,
            keep_firing_for_ms: alerting.keep_firing_for_ms,
            annotations: alerting.annotation_sources(),
            alerts,
        }
    });
    RuleStatus {
        name: rule.name.clone(),
        query: rule.query.clone(),
        labels: rule.label_sources(),
        health: state.health,
        last_error: state.last_error.clone(),
        evaluation_time: state.evaluation_time,
        last_evaluation: state.last_evaluation,
        alerting,
    }
}
