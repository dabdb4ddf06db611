//! A rule group at work: evaluating its rules in order and storing what they give.
//!
//! Ordering: one evaluation at a time. A rule sees what the rules before it gave at the same time, see
//! [`pending`](crate::pending). Alerts are sent as soon as their rule has been evaluated; they don't wait for the storage.
//! Cancellation: an evaluation that is interrupted stores nothing. Crash: it is stored entirely or not at all, what is noted
//! of alerts included; what was sent meanwhile is sent again as the next evaluation finds it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use model::{Labels, Sample, Timestamp};
use parking_lot::Mutex;
use promql::{Asker, Engine, Origin, VectorSample};
use storage::chunk::Value;
use storage::{QueryError, Queryable};
use template::Context;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::alerts::{Candidate, Found, Holding, shown};
use crate::definition::{Alerting, Rule, RuleGroup, RuleKind};
use crate::evaluate::{RuleError, asks_queries, candidates, recorded, vector};
use crate::instance::Instance;
use crate::journal::{self, Recalled};
use crate::metrics::GroupMetrics;
use crate::missed::{Scrapes, may_hold};
use crate::pending::{Overlay, Pending};
use crate::restore::{Outage, last_states};
use crate::rule_state::{Leavings, NOTES_BYTES_MAX, Noting, RuleState};
use crate::settled::Settling;
use crate::shared::{Settings, Shared};
use crate::status::{AlertState, AlertingStatus, GroupStatus, Health, RuleStatus};
use crate::write::{Batch, Stored, Transaction, store};

/// After so many evaluations alerts are restored: what they depend on has been scraped and recorded by then.
const EVALUATIONS_BEFORE_RESTORE: u32 = 2;
/// The texts of so many alerts are filled in without leaving the runtime's thread; each takes some 10 µs.
const ALERTS_INLINE_MAX: usize = 50;

pub(crate) struct Group {
    pub(crate) definition: Arc<RuleGroup>,
    pub(crate) metrics: GroupMetrics,
    shared: Arc<Shared>,
    rules: Vec<Mutex<RuleState>>,
    /// The name of its note.
    pub(crate) note: String,
    progress: Mutex<Progress>,
    /// Held during an evaluation.
    busy: tokio::sync::Mutex<()>,
    /// Tells whose queries they are.
    engine: Engine,
}

#[derive(Debug, Default)]
struct Progress {
    evaluations: u32,
    last_time: Option<Timestamp>,
    last_evaluation: Option<Timestamp>,
    evaluation_time: Duration,
    leavings: Leavings,
    /// What there was before a restart, for as long as alerts of then may have to wait.
    settling: Option<Arc<Settling>>,
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
        let note = journal::group_note(&definition.key());
        let metrics = shared.metrics.group(definition.key());
        metrics.rules.set(i64::try_from(definition.rules.len()).unwrap_or(i64::MAX));
        metrics.interval.set(definition.interval_ms as f64 / 1000.0);
        let rules = definition.rules.iter().map(|rule| Mutex::new(RuleState::new(rule, &note, restored))).collect();
        let (progress, busy) = (Mutex::default(), tokio::sync::Mutex::default());
        let asker = Asker::RuleGroup { file: definition.file.display().to_string(), name: definition.name.clone() };
        let engine = shared.engine.asked_by(Origin { query: None, asker });
        Group { definition, metrics, shared, rules, note, progress, busy, engine }
    }

    /// Takes over from the group that had the same name before a reload: rules with the same name and labels, in
    /// order, keep their alerts and their series. The series of rules that are gone become orphans.
    pub(crate) fn adopt(&self, earlier: &Group) {
        let mut by_identity: HashMap<(&str, Labels), Vec<usize>> = HashMap::new();
        for (i, rule) in earlier.definition.rules.iter().enumerate().rev() {
            by_identity.entry((&rule.name, rule.label_sources())).or_default().push(i);
        }
        let mut left = Vec::new();
        for (rule, state) in self.definition.rules.iter().zip(&self.rules) {
            let identity = (rule.name.as_str(), rule.label_sources());
            let Some(i) = by_identity.get_mut(&identity).and_then(Vec::pop) else { continue };
            let (mut ours, mut theirs) = (state.lock(), earlier.rules[i].lock());
            ours.known = std::mem::take(&mut theirs.known);
            if rule.alerting().is_some() && earlier.definition.rules[i].alerting().is_some() {
                if ours.note != theirs.note {
                    left.extend(theirs.take_notes());
                }
                ours.is_noted = std::mem::take(&mut theirs.is_noted);
                ours.alerts = std::mem::take(&mut theirs.alerts);
                ours.restored = theirs.restored;
            }
        }
        let mut leavings = earlier.take_leavings();
        leavings.notes.extend(left);
        let theirs = earlier.progress.lock();
        let mut ours = self.progress.lock();
        ours.leavings = leavings;
        ours.settling.clone_from(&theirs.settling);
        ours.evaluations = theirs.evaluations;
        ours.last_time = theirs.last_time;
        ours.last_evaluation = theirs.last_evaluation;
        ours.evaluation_time = theirs.evaluation_time;
    }

    /// Takes up the alerts of before a restart that notes tell of.
    pub(crate) fn recall(&self, recalled: &mut Recalled, now: Timestamp) {
        let Some(last) = recalled.last_evaluation(&self.note) else { return };
        let Settings { outage_tolerance_ms: tolerance_ms, for_grace_period_ms: grace_ms, .. } = self.shared.settings;
        let outage = Outage { last, now, tolerance_ms, grace_ms };
        let mut series = Vec::new();
        for (rule, state) in self.definition.rules.iter().zip(&self.rules) {
            let mut state = state.lock();
            let (Some(alerting), Some(note)) = (rule.alerting(), state.note.clone()) else { continue };
            state.is_noted = recalled.knows(&note);
            state.restored = state.is_noted;
            for (labels, instance) in recalled.alerts(&note) {
                let noted = instance.times;
                series.extend(shown(&labels, &noted).into_iter().flatten());
                let goes_on = outage.resumed(noted, alerting.for_ms).map(|times| Instance { times, ..instance });
                state.alerts.recall(labels, noted, goes_on);
            }
        }
        let mut progress = self.progress.lock();
        progress.leavings.series = series;
        progress.settling = Some(Arc::new(Settling::new(now, last)));
    }

    /// Sends the alerts of before a restart: who holds them goes on to, without waiting for the first evaluation.
    pub(crate) async fn send_recalled(&self, now: Timestamp) {
        for (i, rule) in self.definition.rules.iter().enumerate() {
            self.send(i, rule, now).await;
        }
    }

    /// What the group leaves if it goes: all series that it gave last, and its notes.
    pub(crate) fn take_leavings(&self) -> Leavings {
        let mut leavings = std::mem::take(&mut self.progress.lock().leavings);
        for rule in &self.rules {
            let mut state = rule.lock();
            leavings.series.extend(std::mem::take(&mut state.known).into_keys());
            leavings.notes.extend(state.take_notes());
        }
        leavings
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
        self.store(time, at, batches).await;
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
    ) -> Result<Vec<(Labels, Value)>, RuleError> {
        let Evaluation { time, at, source, .. } = evaluation;
        let (time, at) = (*time, *at);
        let query = self.engine.instant(source.clone(), &rule.expr, at);
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
        let unsettled = self.unsettled(i, &candidates, evaluation).await?;
        let series = {
            let mut state = self.rules[i].lock();
            let holding = Holding { for_ms: alerting.for_ms, keep_firing_for_ms: alerting.keep_firing_for_ms };
            let limit = self.definition.limit;
            let stepped = state.alerts.step(time, Found { candidates, missed, unsettled }, holding, limit);
            stepped.map_err(|count| RuleError::Limit { limit, count, what: "alerts" })?;
            let series = if state.restored { state.alerts.series() } else { Vec::new() };
            series.into_iter().map(|(labels, value)| (labels, Value::Float(value))).collect()
        };
        self.send(i, rule, time).await;
        Ok(series)
    }

    /// Sends the alerts of a rule that are due at `time`.
    async fn send(&self, i: usize, rule: &Rule, time: Timestamp) {
        let url = format!("{}{}", self.shared.external_url, template::table_link(&rule.query));
        let resend_delay_ms = self.shared.settings.resend_delay_ms;
        let due = self.rules[i].lock().alerts.due(time, resend_delay_ms, self.definition.interval_ms, &url);
        if !due.is_empty() {
            self.shared.notifier.notify(due).await;
        }
    }

    /// The alerts of before a restart that can't be decided about yet.
    async fn unsettled(
        &self,
        i: usize,
        candidates: &HashMap<Labels, Candidate>,
        evaluation: &Evaluation,
    ) -> Result<HashSet<Labels>, RuleError> {
        let Some(settling) = self.progress.lock().settling.clone() else { return Ok(HashSet::new()) };
        let doubtful = self.rules[i].lock().alerts.doubtful(candidates);
        tokio::select! {
            biased;
            () = self.shared.interrupt.cancelled() => Err(RuleError::Interrupted),
            unsettled = settling.unsettled(doubtful, &self.engine, &evaluation.source, evaluation.at) => unsettled,
        }
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
        let (engine, Evaluation { time, at, source, scrapes }) = (&self.engine, evaluation);
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
        let (engine, source, runtime) = (self.engine.clone(), source.clone(), Handle::current());
        let query = move |expr: &str, time: Timestamp| {
            let expr = engine.parse(expr).map_err(|e| e.to_string())?;
            let result = runtime.block_on(engine.instant(source.clone(), &expr, time)).map_err(|e| e.to_string())?;
            let samples = vector(result.value).map_err(|e| e.to_string())?;
            if let Some(sample) = samples.iter().find(|sample| sample.histogram.is_some()) {
                return Err(format!("{} is a native histogram, which a template's query can't give", sample.labels));
            }
            Ok(samples.into_iter().map(|sample| (sample.labels, sample.value)).collect())
        };
        let context = Context { external_url, time, query: Arc::new(query) };
        let (rule, alerting) = (rule.clone(), alerting.clone());
        tokio::task::spawn_blocking(move || candidates(&rule, &alerting, &samples, &external_labels, &context)).await?
    }

    /// What has to be noted after the evaluation for `time`. What a rule that is still to be restored has found hides nothing.
    fn noting(&self, time: Timestamp) -> Noting {
        let (mut noting, mut is_active) = (Noting::default(), false);
        for (i, state) in self.rules.iter().enumerate() {
            let state = state.lock();
            state.write_notes(i, &self.definition.rules[i], &mut noting);
            is_active |= state.alerts.is_active();
        }
        if noting.is_full() {
            tracing::debug!(
                group = self.definition.key(),
                "more than {NOTES_BYTES_MAX} bytes of notes in one evaluation"
            );
        }
        if is_active || !noting.notes.is_empty() {
            noting.notes.push((self.note.clone(), journal::write_time(time)));
        }
        noting
    }

    /// Stores the results of an evaluation in one transaction.
    async fn store(&self, time: Timestamp, at: Timestamp, batches: Vec<Batch>) {
        let samples: usize = batches.iter().map(|batch| batch.samples.len()).sum();
        self.metrics.last_samples.set(i64::try_from(samples).unwrap_or(i64::MAX));
        let Leavings { series: orphans, notes: gone } = std::mem::take(&mut self.progress.lock().leavings);
        let Noting { notes: news, rules, alerts, .. } = self.noting(time);
        let notes = gone.iter().map(|name| (name.clone(), Vec::new())).chain(news).collect();
        let transaction = Transaction { at, batches, orphans, notes };
        if transaction.is_empty() {
            return;
        }
        let storage = self.shared.storage.clone();
        let stored = tokio::task::spawn_blocking(move || store(storage.as_ref(), transaction)).await;
        match stored {
            Ok(Ok(stored)) => {
                stored.into_iter().for_each(|stored| self.remember(stored));
                rules.into_iter().for_each(|rule| self.rules[rule].lock().is_noted = true);
                alerts.into_iter().for_each(|(rule, labels, times)| self.rules[rule].lock().alerts.note(labels, times));
            }
            Ok(Err((error, transaction))) => {
                let reason = match &error.source {
                    Some(source) => format!("{error}: {source}"),
                    None => error.to_string(),
                };
                self.progress.lock().leavings = Leavings { series: transaction.orphans, notes: gone };
                for batch in transaction.batches {
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

    /// Lets the rules that have nothing to restore note their alerts from the first evaluation on: what is told before it is noted,
    /// a death forgets.
    pub(crate) async fn skip_restoring(&self, now: Timestamp) {
        for (rule, state) in self.definition.rules.iter().zip(&self.rules) {
            if !state.lock().restored && self.last_states(rule, now).await.is_ok_and(|last| last.is_empty()) {
                state.lock().restored = true;
            }
        }
    }

    /// Restores the alerts that were not restored yet.
    async fn restore(&self, now: Timestamp) {
        let Settings { for_grace_period_ms: grace_ms, outage_tolerance_ms: tolerance_ms, .. } = self.shared.settings;
        for (rule, state) in self.definition.rules.iter().zip(&self.rules) {
            if state.lock().restored {
                continue;
            }
            match self.last_states(rule, now).await {
                Ok(last) => {
                    let for_ms = rule.alerting().map_or(0, |alerting| alerting.for_ms);
                    let since = |last: &Sample| {
                        let outage = Outage { last: last.time, now, tolerance_ms, grace_ms };
                        outage.active_since(Timestamp::from_secs_f64(last.value), for_ms)
                    };
                    let mut state = state.lock();
                    state.alerts.restore(|labels| last.get(labels).map(since));
                    state.restored = true;
                }
                Err(error) => {
                    let group = self.definition.key();
                    tracing::warn!(group, rule = rule.name, %error, "cannot restore alerts, trying again");
                }
            }
        }
    }

    /// What is stored of a rule's alerts that may have to be restored.
    async fn last_states(&self, rule: &Rule, now: Timestamp) -> Result<HashMap<Labels, Sample>, QueryError> {
        let Settings { for_grace_period_ms: grace_ms, outage_tolerance_ms: tolerance_ms, .. } = self.shared.settings;
        match rule.alerting() {
            Some(alerting) if alerting.for_ms >= grace_ms => {
                last_states(self.shared.queryable.as_ref(), &rule.name, now, tolerance_ms).await
            }
            _ => Ok(HashMap::new()),
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
