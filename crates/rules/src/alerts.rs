//! The state of one rule's alerts: a pure machine, fed with what the expression gave at one time after another.
//!
//! The states and their times are Prometheus's. An alert is pending from the first time its condition holds, fires once it
//! has held for `for`, goes on firing for `keep_firing_for` after it ended, and then is kept as inactive for a while so that
//! its end can be told again to a receiver that missed it. Unlike Prometheus's, an alert that vanishes because its target's
//! scrape failed is held as it is for a while: it neither ends nor comes nearer to firing. So is one from before a restart until
//! its targets have been scraped since.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use model::{Labels, LabelsBuilder, METRIC_NAME, Timestamp};

use crate::instance::{Fate, Instance, Times};
use crate::notify::Alert;
use crate::status::{AlertState, AlertStatus};

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
    /// Of which nothing was scraped since the start: of the answer of [`AlertSet::doubtful`].
    pub(crate) unsettled: HashSet<Labels>,
}

/// The times of a rule that decide about its alerts, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Holding {
    pub(crate) for_ms: i64,
    pub(crate) keep_firing_for_ms: i64,
}

/// All alerts of a rule, the resolved ones included that are still to be told.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct AlertSet {
    instances: HashMap<Labels, Instance>,
    /// What the notes in the storage say: what differs has to be noted.
    noted: HashMap<Labels, Times>,
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
            instance.is_active()
                && instance.times.keep_firing_since.is_none()
                && time - instance.times.missed_since.unwrap_or(time) < missed_ms
        };
        let all = self.instances.iter();
        let vanished = all.filter(|(labels, instance)| may_be_held(instance) && !candidates.contains_key(*labels));
        vanished.map(|(labels, _)| labels.clone()).collect()
    }

    /// The alerts that were noted before a restart and that this evaluation can't decide about alone: those without a candidate, unless
    /// their end was known, and those that are to fire.
    pub(crate) fn doubtful(&self, candidates: &HashMap<Labels, Candidate>) -> Vec<Labels> {
        let is_doubtful = |labels: &Labels, instance: &Instance| {
            let times = &instance.times;
            let is_open = instance.is_active() && times.keep_firing_since.is_none();
            instance.recalled && is_open && (times.state() == AlertState::Pending || !candidates.contains_key(labels))
        };
        let doubtful = self.instances.iter().filter(|(labels, instance)| is_doubtful(labels, instance));
        doubtful.map(|(labels, _)| labels.clone()).collect()
    }

    /// Takes what the expression gave at `time`: one candidate for each label set. Beyond `limit` (0 is none) active alerts
    /// all of them are dropped, and how many they were is the error.
    pub(crate) fn step(&mut self, time: Timestamp, found: Found, holding: Holding, limit: usize) -> Result<(), usize> {
        let Found { candidates, missed, unsettled } = found;
        let mut ended: Vec<Labels> =
            self.instances.keys().filter(|labels| !candidates.contains_key(*labels)).cloned().collect();
        for candidate in candidates.into_values() {
            let recalled = unsettled.contains(&candidate.labels);
            self.hold(time, candidate, recalled);
        }
        for labels in ended.drain(..) {
            let Entry::Occupied(mut entry) = self.instances.entry(labels) else { continue };
            if missed.contains(entry.key()) || unsettled.contains(entry.key()) {
                entry.get_mut().miss(time);
            } else if entry.get_mut().end(time, holding.keep_firing_for_ms) == Fate::Forgotten {
                entry.remove();
            }
        }
        let mut count = 0;
        for instance in self.instances.values_mut().filter(|instance| instance.is_active()) {
            count += 1;
            let times = &mut instance.times;
            let known = times.missed_since.is_none() && !instance.recalled;
            if known && times.fired_at.is_none() && time - times.active_at >= holding.for_ms {
                times.fired_at = Some(time);
            }
        }
        if limit > 0 && count > limit {
            self.instances.clear();
            return Err(count);
        }
        Ok(())
    }

    /// The condition of an alert holds, as far as what is `recalled` is known.
    fn hold(&mut self, time: Timestamp, candidate: Candidate, recalled: bool) {
        let Candidate { labels, annotations, value } = candidate;
        match self.instances.get_mut(&labels).filter(|instance| instance.is_active()) {
            Some(instance) => {
                (instance.annotations, instance.value) = (annotations, value);
                (instance.times.keep_firing_since, instance.times.missed_since) = (None, None);
                instance.recalled &= recalled;
            }
            None => drop(self.instances.insert(labels, Instance::new(annotations, value, time))),
        }
    }

    /// Takes in what a note says, with the alert that goes on from it, if one does.
    pub(crate) fn recall(&mut self, labels: Labels, noted: Times, goes_on: Option<Instance>) {
        self.noted.insert(labels.clone(), noted);
        self.instances.extend(goes_on.map(|instance| (labels, instance)));
    }

    /// The alerts that the notes don't tell of as they are, sorted by labels; `None` for those that are no more.
    pub(crate) fn unnoted(&self) -> Vec<(&Labels, Option<&Instance>)> {
        let changed = self.instances.iter().filter(|(labels, i)| self.noted.get(*labels) != Some(&i.times));
        let gone = self.noted.keys().filter(|labels| !self.instances.contains_key(*labels));
        let mut all: Vec<_> = changed.map(|(labels, i)| (labels, Some(i))).chain(gone.map(|l| (l, None))).collect();
        all.sort_by(|a, b| a.0.cmp(b.0));
        all
    }

    /// What a note says from now on.
    pub(crate) fn note(&mut self, labels: Labels, times: Option<Times>) {
        match times {
            Some(times) => drop(self.noted.insert(labels, times)),
            None => drop(self.noted.remove(&labels)),
        }
    }

    /// The alerts that there are notes of; from now on there are none.
    pub(crate) fn take_noted(&mut self) -> impl Iterator<Item = Labels> + use<> {
        std::mem::take(&mut self.noted).into_keys()
    }

    /// Whether any alert pends or fires.
    pub(crate) fn is_active(&self) -> bool {
        self.instances.values().any(Instance::is_active)
    }

    /// The series that show the active alerts, `ALERTS` and `ALERTS_FOR_STATE`, sorted by labels.
    pub(crate) fn series(&self) -> Vec<(Labels, f64)> {
        let mut series = Vec::new();
        for (labels, instance) in &self.instances {
            let since = instance.times.active_at.as_ms().div_euclid(1000);
            series.extend(shown(labels, &instance.times).into_iter().flatten().zip([since as f64, 1.0]));
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
            let (times, recalled) = (&instance.times, instance.recalled && instance.is_active());
            instance.last_sent_at = (!recalled).then_some(time);
            due.push(Alert {
                labels: labels.clone(),
                annotations: instance.annotations.clone(),
                starts_at: times.fired_at.unwrap_or(times.active_at),
                ends_at: Some(times.resolved_at.unwrap_or(valid_until)),
                generator_url: generator_url.to_owned(),
                recalled,
            });
        }
        due.sort_by(|a, b| a.labels.cmp(&b.labels));
        due
    }

    /// Gives active alerts another time since when their condition has held: `earlier` is asked for each.
    pub(crate) fn restore(&mut self, earlier: impl Fn(&Labels) -> Option<Timestamp>) {
        for (labels, instance) in &mut self.instances {
            if let Some(active_at) = earlier(labels).filter(|_| instance.is_active()) {
                instance.times.active_at = active_at;
            }
        }
    }

    /// The pending and firing alerts, sorted by labels.
    pub(crate) fn status(&self) -> Vec<AlertStatus> {
        let active = self.instances.iter().filter(|(_, instance)| instance.is_active());
        let mut alerts: Vec<AlertStatus> = active
            .map(|(labels, instance)| AlertStatus {
                labels: labels.clone(),
                annotations: instance.annotations.clone(),
                state: instance.times.state(),
                active_at: instance.times.active_at,
                keep_firing_since: instance.times.keep_firing_since,
                value: instance.value,
            })
            .collect();
        alerts.sort_by(|a, b| a.labels.cmp(&b.labels));
        alerts
    }
}

/// The names of the series that show an alert, `ALERTS_FOR_STATE` first; none where it is over.
pub(crate) fn shown(labels: &Labels, times: &Times) -> Option<[Labels; 2]> {
    if times.state() == AlertState::Inactive {
        return None;
    }
    let mut builder = LabelsBuilder::new(labels);
    let since = builder.set(METRIC_NAME, ALERTS_FOR_STATE).build();
    Some([since, builder.set(METRIC_NAME, ALERTS).set(ALERT_STATE, times.state().as_str()).build()])
}

#[cfg(test)]
mod tests;
