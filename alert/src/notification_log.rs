//! What was told to whom: the log that keeps a notification from being sent twice, over restarts too.
//!
//! An [`Entry`] is made before anything is sent and recorded after the receiver took it. It is therefore also the
//! intent of sending: whoever shares the log between instances shares entries.

use std::collections::{BTreeMap, BTreeSet};

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::fingerprint::Fingerprint;

/// How long an entry is kept at most: Alertmanager's default retention.
const RETENTION_MS: i64 = 120 * 3_600_000;

/// The last notification of one group to one integration of a receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Group, receiver and integration.
    pub key: String,
    /// When it was decided.
    pub at: Timestamp,
    /// What fired in it.
    pub firing: BTreeSet<Fingerprint>,
    /// What was resolved in it.
    pub resolved: BTreeSet<Fingerprint>,
    /// From when on the entry means nothing more.
    pub expires_at: Timestamp,
}

impl Entry {
    /// What a notification with these alerts, decided at `now`, says. It comes after the one that was told `last`, even if
    /// that was told by an instance whose clock is ahead of ours.
    pub(crate) fn new<'a>(
        key: String,
        alerts: impl Iterator<Item = (&'a Fingerprint, &'a Alert)>,
        repeat_interval_ms: i64,
        last: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let (mut firing, mut resolved) = (BTreeSet::new(), BTreeSet::new());
        for (fingerprint, alert) in alerts {
            let set = if alert.is_resolved(now) { &mut resolved } else { &mut firing };
            set.insert(*fingerprint);
        }
        let lifetime_ms = repeat_interval_ms.saturating_mul(2).min(RETENTION_MS);
        let at = last.map_or(now, |last| now.max(last.saturating_add(1)));
        Entry { key, at, firing, resolved, expires_at: at.saturating_add(lifetime_ms) }
    }

    /// Whether this entry takes the other's place: it is later. Of two that a cut pair made at the same moment all
    /// instances choose the same.
    fn replaces(&self, other: &Entry) -> bool {
        let order = |entry: &Entry| (entry.at, entry.firing.clone(), entry.resolved.clone(), entry.expires_at);
        self.at > other.at || order(self) > order(other)
    }
}

/// The last entry of every key.
#[derive(Debug, Default)]
pub(crate) struct NotificationLog(BTreeMap<String, Entry>);

impl NotificationLog {
    /// Takes in an entry; it replaces an older one of its key. Whether it did, and so is news.
    pub(crate) fn record(&mut self, entry: Entry) -> bool {
        let is_news = self.0.get(&entry.key).is_none_or(|known| entry.replaces(known));
        if is_news {
            self.0.insert(entry.key.clone(), entry);
        }
        is_news
    }

    /// The entry of a key that still counts at `now`.
    pub(crate) fn get(&self, key: &str, now: Timestamp) -> Option<&Entry> {
        self.0.get(key).filter(|entry| entry.expires_at > now)
    }

    /// The entry of a key, even if it counts no more.
    pub(crate) fn known(&self, key: &str) -> Option<&Entry> {
        self.0.get(key)
    }

    /// All entries.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.values()
    }

    /// Forgets what means nothing more.
    pub(crate) fn forget_old(&mut self, now: Timestamp) {
        self.0.retain(|_, entry| entry.expires_at > now);
    }

    /// Whether `next` has to be told, given what was: the decision of Alertmanager's deduplication stage.
    pub(crate) fn needs_update(&self, next: &Entry, send_resolved: bool, repeat_interval_ms: i64) -> bool {
        let Some(last) = self.get(&next.key, next.at) else {
            // A receiver that has heard nothing of a group needn't hear that it is over.
            return !next.firing.is_empty();
        };
        if !next.firing.is_subset(&last.firing) {
            return true;
        }
        if next.firing.is_empty() {
            // The end of everything clears the log even if the receiver doesn't want to hear of it.
            return !last.firing.is_empty();
        }
        if send_resolved && !next.resolved.is_subset(&last.resolved) {
            return true;
        }
        // Alertmanager asks for more than the interval, which with its own clock means one group_interval too late.
        last.at <= next.at.saturating_sub(repeat_interval_ms)
    }
}

#[cfg(test)]
mod tests {
    use model::Labels;

    use super::*;

    const REPEAT_MS: i64 = 1000;

    fn entry(firing: &[&str], resolved: &[&str], at: i64) -> Entry {
        let set = |names: &[&str]| names.iter().map(|n| Fingerprint::of(&Labels::from_pairs([("n", n)]))).collect();
        let at = Timestamp::from_ms(at);
        let expires_at = at.saturating_add(2 * REPEAT_MS);
        Entry { key: "k".into(), at, firing: set(firing), resolved: set(resolved), expires_at }
    }

    #[test]
    fn decides_as_the_deduplication_stage() {
        let check = |last: Option<Entry>, next: Entry, send_resolved: bool, want: bool| {
            let mut log = NotificationLog::default();
            last.clone().into_iter().for_each(|e| assert!(log.record(e)));
            assert_eq!(log.needs_update(&next, send_resolved, REPEAT_MS), want, "{last:?} {next:?} {send_resolved}");
        };
        check(None, entry(&["a"], &[], 10), true, true);
        check(None, entry(&[], &["a"], 10), true, false);
        check(Some(entry(&["a"], &[], 0)), entry(&["a"], &[], 10), true, false);
        check(Some(entry(&["a", "b"], &[], 0)), entry(&["a"], &[], 10), true, false); // b is muted now
        check(Some(entry(&["a"], &[], 0)), entry(&["a", "b"], &[], 10), true, true);
        check(Some(entry(&["a", "b"], &[], 0)), entry(&["a"], &["b"], 10), true, true);
        check(Some(entry(&["a", "b"], &[], 0)), entry(&["a"], &["b"], 10), false, false);
        check(Some(entry(&["a"], &["b"], 0)), entry(&["a"], &["b"], 10), true, false);
        check(Some(entry(&["a"], &[], 0)), entry(&[], &["a"], 10), true, true);
        check(Some(entry(&["a"], &[], 0)), entry(&[], &["a"], 10), false, true);
        check(Some(entry(&[], &["a"], 0)), entry(&[], &["a", "b"], 10), true, false);
        check(Some(entry(&["a"], &[], 0)), entry(&["a"], &[], 999), true, false);
        check(Some(entry(&["a"], &[], 0)), entry(&["a"], &[], 1000), true, true);
        check(Some(entry(&["a"], &[], 0)), entry(&[], &["a"], 2000), true, false); // the entry has expired
    }

    #[test]
    fn an_older_entry_does_not_replace_a_newer_one() {
        let mut log = NotificationLog::default();
        assert!(log.record(entry(&["a"], &[], 5)));
        assert!(!log.record(entry(&["b"], &[], 3)));
        assert!(!log.record(entry(&["a"], &[], 5)), "known");
        assert_eq!(log.get("k", Timestamp::from_ms(6)), Some(&entry(&["a"], &[], 5)));
        log.forget_old(Timestamp::from_ms(5 + 2 * REPEAT_MS));
        assert_eq!(log.iter().count(), 0);
    }

    #[test]
    fn two_cut_halves_agree_in_the_end_and_a_clock_behind_does_not_matter() {
        let (one, other) = (entry(&["a"], &[], 5), entry(&["b"], &[], 5));
        let told = |first: &Entry, second: &Entry| {
            let mut log = NotificationLog::default();
            log.record(first.clone());
            log.record(second.clone());
            log.get("k", Timestamp::from_ms(6)).cloned()
        };
        assert_eq!(told(&one, &other), told(&other, &one));
        let next =
            Entry::new("k".into(), std::iter::empty(), REPEAT_MS, Some(Timestamp::from_ms(5)), Timestamp::from_ms(2));
        assert_eq!(next.at.as_ms(), 6);
    }
}
