//! An alert as it is held: who sent it last and until when its word is good.

use std::cmp::Ordering;

use model::{INSTANCE, JOB, Labels, Timestamp};
use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprint;

/// An alert that was received, firing or resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alert {
    /// What identifies it.
    pub labels: Labels,
    /// What is told about it.
    pub annotations: Labels,
    /// Since when it fires.
    pub starts_at: Timestamp,
    /// When it ended, or will count as ended unless it is sent again.
    pub ends_at: Timestamp,
    /// When it was last received.
    pub updated_at: Timestamp,
    /// Where a person sees the expression behind it.
    pub generator_url: String,
    /// Whether the end was not the sender's word but ours (`resolve_timeout`).
    #[serde(default)]
    pub timeout: bool,
}

impl Alert {
    /// Its identity.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.labels)
    }

    /// Whether it is over at `now`.
    pub(crate) fn is_resolved(&self, now: Timestamp) -> bool {
        self.ends_at <= now
    }

    /// Whether somebody said that it is over. The alternative is an end that lay in the future when it was received: a
    /// time until which the alert holds without being sent again.
    pub(crate) fn ended_by_word(&self) -> bool {
        self.ends_at <= self.updated_at
    }

    /// Joins this alert with a later message about the same one, as Alertmanager does: messages whose spans overlap are one
    /// incident with the earliest start; of two ends the latest counts. A message about another span replaces it.
    pub(crate) fn merged(&self, newer: Alert, now: Timestamp) -> Alert {
        let inside = |t: Timestamp| self.starts_at < t && t < self.ends_at;
        if !inside(newer.ends_at) && !inside(newer.starts_at) && newer.starts_at != self.starts_at {
            return newer;
        }
        let mut merged = newer;
        merged.starts_at = merged.starts_at.min(self.starts_at);
        let own_end_counts = if merged.is_resolved(now) { self.is_resolved(now) } else { !self.timeout };
        if own_end_counts && self.ends_at > merged.ends_at {
            merged.ends_at = self.ends_at;
        }
        merged
    }

    /// The same, said later than `earlier` also where the clock was put back in between: peers take the later word of a source.
    pub(crate) fn said_after(mut self, earlier: &Alert) -> Alert {
        if self.updated_at <= earlier.updated_at {
            let is_over = self.ended_by_word();
            self.updated_at = earlier.updated_at + 1;
            if !is_over {
                self.ends_at = self.ends_at.max(self.updated_at + 1);
            }
        }
        self
    }

    /// Whether a reader of the journal would take `other` for something else: the end of a firing alert and the time of
    /// its last message don't count, they move with every repetition.
    pub(crate) fn differs_materially(&self, other: &Alert, now: Timestamp) -> bool {
        self.starts_at != other.starts_at
            || self.annotations != other.annotations
            || self.generator_url != other.generator_url
            || self.is_resolved(now)
            || other.is_resolved(now)
    }

    /// The order of alerts in a message: by job, then by instance, those without behind the others, then by labels.
    pub(crate) fn message_order(&self, other: &Alert) -> Ordering {
        let by_label = |name: &str| match (self.labels.get(name), other.labels.get(name)) {
            (Some(a), Some(b)) => a.cmp(b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        by_label(JOB).then_with(|| by_label(INSTANCE)).then_with(|| self.labels.cmp(&other.labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(starts: i64, ends: i64, updated: i64, timeout: bool) -> Alert {
        Alert {
            labels: Labels::from_pairs([("alertname", "Down")]),
            annotations: Labels::empty(),
            starts_at: Timestamp::from_ms(starts),
            ends_at: Timestamp::from_ms(ends),
            updated_at: Timestamp::from_ms(updated),
            generator_url: String::new(),
            timeout,
        }
    }

    #[test]
    fn merges_as_alertmanager_does() {
        let check = |old: Alert, new: Alert, now: i64, want: (i64, i64)| {
            let merged = old.merged(new, Timestamp::from_ms(now));
            assert_eq!((merged.starts_at.as_ms(), merged.ends_at.as_ms()), want);
        };
        // firing, sent again with a later end: earliest start, latest end
        check(alert(10, 100, 10, false), alert(20, 120, 20, false), 20, (10, 120));
        // an explicit end that is later than the newer message's counts
        check(alert(10, 200, 10, false), alert(20, 120, 20, false), 20, (10, 200));
        // but our own time-out doesn't
        check(alert(10, 200, 10, true), alert(20, 120, 20, false), 20, (10, 120));
        // resolved before its time-out
        check(alert(10, 200, 10, false), alert(10, 30, 30, false), 30, (10, 30));
        // resolved twice: the later end
        check(alert(10, 30, 30, false), alert(10, 25, 31, false), 31, (10, 30));
        // fires again after it was resolved: a new incident
        check(alert(10, 30, 30, false), alert(50, 100, 50, false), 50, (50, 100));
    }

    #[test]
    fn a_clock_that_was_put_back_does_not_make_a_word_older() {
        let check = |earlier: Alert, later: Alert, want: (i64, i64)| {
            let said = later.clone().said_after(&earlier);
            assert_eq!((said.ends_at.as_ms(), said.updated_at.as_ms()), want);
            assert_eq!(said.ended_by_word(), later.ended_by_word());
        };
        check(alert(10, 100, 20, false), alert(10, 120, 30, false), (120, 30));
        check(alert(10, 1000, 900, false), alert(10, 120, 30, false), (902, 901));
        check(alert(10, 1000, 900, false), alert(10, 1200, 30, false), (1200, 901));
        check(alert(10, 1000, 900, false), alert(10, 30, 30, false), (30, 901));
    }

    #[test]
    fn alerts_of_a_message_are_ordered_by_job_and_instance() {
        let with = |pairs: &[(&str, &str)]| Alert {
            labels: Labels::from_pairs(pairs.iter().copied()),
            ..alert(0, 0, 0, false)
        };
        let (a, b, c) = (with(&[("job", "a"), ("z", "1")]), with(&[("job", "b")]), with(&[("a", "1")]));
        let mut all = vec![c.clone(), b.clone(), a.clone()];
        all.sort_by(Alert::message_order);
        assert_eq!(all, [a, b, c]);
    }
}
