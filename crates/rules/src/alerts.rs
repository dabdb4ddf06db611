//! The state of one rule's alerts: a pure machine, fed with what the expression gave at one time after another.
//!
//! The states and their times are Prometheus's. An alert is pending from the first time its condition holds, fires once it
//! has held for `for`, goes on firing for `keep_firing_for` after it ended, and then is kept as inactive for a while so that
//! its end can be told again to a receiver that missed it. Unlike Prometheus's, an alert that vanishes because its target's
//! scrape failed is held as it is for a while: it neither ends nor comes nearer to firing.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use model::{Labels, LabelsBuilder, METRIC_NAME, Timestamp};

use crate::notify::Alert;
use crate::status::{AlertState, AlertStatus};

/// How long a resolved alert is kept for sending it again, in milliseconds.
pub const RESOLVED_RETENTION_MS: i64 = 15 * 60_000;

/// The metric that shows pending and firing alerts.
const ALERTS: &str = "ALERTS";
/// The metric whose value is the time since when an alert's condition has held, in seconds.
pub(crate) const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";
/// The label with the alert's name.
pub(crate) const ALERT_NAME: &str = "alertname";
const ALERT_STATE: &str = "alertstate";

/// One series of an alerting rule's result, made ready.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) labels: Labels,
    pub(crate) annotations: Labels,
    pub(crate) value: f64,
}

/// What a rule's expression gave at one time.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// For which label sets the condition holds.
    pub(crate) candidates: HashMap<Labels, Candidate>,
    /// Of which it isn't known, because a scrape failed: of the answer of [`AlertSet::vanished`].
    pub(crate) missed: HashSet<Labels>,
}

/// The times of a rule that decide about its alerts, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Holding {
    pub(crate) for_ms: i64,
    pub(crate) keep_firing_for_ms: i64,
}

/// One alert.
#[derive(Debug, Clone, PartialEq)]
struct Instance {
    annotations: Labels,
    value: f64,
    state: AlertState,
    active_at: Timestamp,
    fired_at: Option<Timestamp>,
    resolved_at: Option<Timestamp>,
    last_sent_at: Option<Timestamp>,
    keep_firing_since: Option<Timestamp>,
    /// Since when it is held without its condition being known.
    missed_since: Option<Timestamp>,
}

/// All alerts of a rule, the resolved ones included that are still to be told.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct AlertSet {
    instances: HashMap<Labels, Instance>,
}

impl AlertSet {
    /// The active alerts without a candidate that were active at the evaluation before, or have been held since then for less
    /// than `missed_ms`.
    pub(crate) fn vanished(
        &self,
        time: Timestamp,
        candidates: &HashMap<Labels, Candidate>,
        missed_ms: i64,
    ) -> Vec<Labels> {
        let may_be_held = |instance: &Instance| {
            instance.state != AlertState::Inactive
                && instance.keep_firing_since.is_none()
                && time - instance.missed_since.unwrap_or(time) < missed_ms
        };
        let all = self.instances.iter();
        let vanished = all.filter(|(labels, instance)| may_be_held(instance) && !candidates.contains_key(*labels));
        vanished.map(|(labels, _)| labels.clone()).collect()
    }

    /// Takes what the expression gave at `time`: one candidate for each label set. Beyond `limit` (0 is none) active alerts
    /// all of them are dropped, and how many they were is the error.
    pub(crate) fn step(&mut self, time: Timestamp, found: Found, holding: Holding, limit: usize) -> Result<(), usize> {
        let Found { candidates, missed } = found;
        let mut ended: Vec<Labels> =
            self.instances.keys().filter(|labels| !candidates.contains_key(*labels)).cloned().collect();
        for candidate in candidates.into_values() {
            self.hold(time, candidate);
        }
        for labels in ended.drain(..) {
            let Entry::Occupied(mut entry) = self.instances.entry(labels) else { continue };
            if missed.contains(entry.key()) {
                entry.get_mut().missed_since.get_or_insert(time);
                continue;
            }
            entry.get_mut().missed_since = None;
            if end(entry.get_mut(), time, holding.keep_firing_for_ms) == Fate::Forgotten {
                entry.remove();
            }
        }
        let active = self.instances.values_mut().filter(|instance| instance.state != AlertState::Inactive);
        let mut count = 0;
        for instance in active {
            count += 1;
            let known = instance.missed_since.is_none();
            if known && instance.state == AlertState::Pending && time - instance.active_at >= holding.for_ms {
                instance.state = AlertState::Firing;
                instance.fired_at = Some(time);
            }
        }
        if limit > 0 && count > limit {
            self.instances.clear();
            return Err(count);
        }
        Ok(())
    }

    /// The condition of an alert holds.
    fn hold(&mut self, time: Timestamp, candidate: Candidate) {
        let Candidate { labels, annotations, value } = candidate;
        match self.instances.get_mut(&labels).filter(|instance| instance.state != AlertState::Inactive) {
            Some(instance) => {
                instance.annotations = annotations;
                instance.value = value;
                instance.keep_firing_since = None;
                instance.missed_since = None;
            }
            None => {
                let instance = Instance {
                    annotations,
                    value,
                    state: AlertState::Pending,
                    active_at: time,
                    fired_at: None,
                    resolved_at: None,
                    last_sent_at: None,
                    keep_firing_since: None,
                    missed_since: None,
                };
                self.instances.insert(labels, instance);
            }
        }
    }

    /// The series that show the active alerts, `ALERTS` and `ALERTS_FOR_STATE`, sorted by labels.
    pub(crate) fn series(&self) -> Vec<(Labels, f64)> {
        let mut series = Vec::new();
        for (labels, instance) in &self.instances {
            if instance.state == AlertState::Inactive {
                continue;
            }
            let mut builder = LabelsBuilder::new(labels);
            let since = instance.active_at.as_ms().div_euclid(1000);
            series.push((builder.set(METRIC_NAME, ALERTS_FOR_STATE).build(), since as f64));
            builder.set(METRIC_NAME, ALERTS).set(ALERT_STATE, instance.state.as_str());
            series.push((builder.build(), 1.0));
        }
        series.sort_by(|a, b| a.0.cmp(&b.0));
        series
    }

    /// The alerts that are due to be sent at `time`, sorted by labels; they count as sent. A firing alert is due again
    /// after `resend_delay_ms`, and is good for four evaluations or resends, whichever are longer, so that two may fail.
    pub(crate) fn due(
        &mut self,
        time: Timestamp,
        resend_delay_ms: i64,
        interval_ms: i64,
        generator_url: &str,
    ) -> Vec<Alert> {
        let valid_until = time + 4 * resend_delay_ms.max(interval_ms);
        let mut due = Vec::new();
        for (labels, instance) in &mut self.instances {
            if !instance.needs_sending(time, resend_delay_ms) {
                continue;
            }
            instance.last_sent_at = Some(time);
            due.push(Alert {
                labels: labels.clone(),
                annotations: instance.annotations.clone(),
                starts_at: instance.fired_at.unwrap_or(instance.active_at),
                ends_at: Some(instance.resolved_at.unwrap_or(valid_until)),
                generator_url: generator_url.to_owned(),
            });
        }
        due.sort_by(|a, b| a.labels.cmp(&b.labels));
        due
    }

    /// Gives active alerts another time since when their condition has held: `earlier` is asked for each.
    pub(crate) fn restore(&mut self, earlier: impl Fn(&Labels) -> Option<Timestamp>) {
        for (labels, instance) in &mut self.instances {
            if let Some(active_at) = earlier(labels).filter(|_| instance.resolved_at.is_none()) {
                instance.active_at = active_at;
            }
        }
    }

    /// The pending and firing alerts, sorted by labels.
    pub(crate) fn status(&self) -> Vec<AlertStatus> {
        let active = self.instances.iter().filter(|(_, instance)| instance.state != AlertState::Inactive);
        let mut alerts: Vec<AlertStatus> = active
            .map(|(labels, instance)| AlertStatus {
                labels: labels.clone(),
                annotations: instance.annotations.clone(),
                state: instance.state,
                active_at: instance.active_at,
                keep_firing_since: instance.keep_firing_since,
                value: instance.value,
            })
            .collect();
        alerts.sort_by(|a, b| a.labels.cmp(&b.labels));
        alerts
    }
}

/// What becomes of an alert whose condition no longer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Forgotten,
}

/// The condition of an alert no longer holds.
fn end(instance: &mut Instance, time: Timestamp, keep_firing_for_ms: i64) -> Fate {
    match instance.state {
        AlertState::Pending => return Fate::Forgotten,
        AlertState::Firing => {
            if keep_firing_for_ms > 0 {
                let since = *instance.keep_firing_since.get_or_insert(time);
                if time - since < keep_firing_for_ms {
                    return Fate::Kept;
                }
            }
            instance.state = AlertState::Inactive;
            instance.resolved_at = Some(time);
        }
        AlertState::Inactive => {
            if instance.resolved_at.is_none_or(|resolved_at| time - resolved_at > RESOLVED_RETENTION_MS) {
                return Fate::Forgotten;
            }
        }
    }
    Fate::Kept
}

impl Instance {
    fn needs_sending(&self, time: Timestamp, resend_delay_ms: i64) -> bool {
        if self.state == AlertState::Pending {
            return false;
        }
        let Some(sent) = self.last_sent_at else { return true };
        self.resolved_at.is_some_and(|resolved| resolved > sent) || sent + resend_delay_ms < time
    }
}

#[cfg(test)]
mod tests;
