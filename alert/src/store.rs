//! All alerts that are known, firing or lately resolved.

use std::collections::{BTreeMap, HashSet};

use model::Timestamp;

use crate::alert::Alert;
use crate::fingerprint::Fingerprint;

/// How many alerts are held.
pub(crate) const ALERTS_MAX: usize = 100_000;
/// How long a resolved alert is still shown: the interval of Alertmanager's clean-up, at most.
const RESOLVED_KEPT_MS: i64 = 15 * 60_000;

/// There are too many alerts to take a new one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("too many alerts: at most {ALERTS_MAX} are held")]
pub(crate) struct TooManyAlerts;

/// An alert after a message about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Received {
    /// As it is held now.
    pub alert: Alert,
    /// Whether that is news for the journal.
    pub is_news: bool,
}

/// The alerts by fingerprint.
#[derive(Debug, Default)]
pub(crate) struct Alerts(BTreeMap<Fingerprint, Alert>);

impl Alerts {
    /// Takes a message about an alert.
    pub(crate) fn receive(&mut self, alert: Alert, now: Timestamp) -> Result<Received, TooManyAlerts> {
        let fingerprint = alert.fingerprint();
        let known = self.0.get(&fingerprint);
        if known.is_none() && self.0.len() >= ALERTS_MAX {
            return Err(TooManyAlerts);
        }
        let (alert, is_news) = match known {
            Some(known) => {
                let merged = known.merged(alert, now);
                let is_news = known.differs_materially(&merged, now);
                (merged, is_news)
            }
            None => (alert, true),
        };
        self.0.insert(fingerprint, alert.clone());
        Ok(Received { alert, is_news })
    }

    /// Takes in an alert from the journal. One that nobody has said to be over is held for `hold_ms` from now: its sender
    /// couldn't repeat itself while we were away.
    pub(crate) fn restore(&mut self, mut alert: Alert, now: Timestamp, hold_ms: i64) {
        if !alert.ended_by_word() {
            alert.ends_at = alert.ends_at.max(now.saturating_add(hold_ms));
            alert.timeout = true;
        }
        self.0.insert(alert.fingerprint(), alert);
    }

    /// Writes down that an alert which wasn't sent again is over. The answer is what the journal has to know.
    pub(crate) fn settle(&mut self, fingerprint: Fingerprint, now: Timestamp) -> Option<Alert> {
        let alert = self.0.get_mut(&fingerprint).filter(|a| a.is_resolved(now) && !a.ended_by_word())?;
        alert.updated_at = alert.ends_at;
        Some(alert.clone())
    }

    /// Forgets alerts that were resolved a while ago and that no group waits to tell.
    pub(crate) fn forget_old(&mut self, held: &HashSet<Fingerprint>, now: Timestamp) {
        let old = |alert: &Alert| alert.is_resolved(now.saturating_sub(RESOLVED_KEPT_MS));
        self.0.retain(|fingerprint, alert| !old(alert) || held.contains(fingerprint));
    }

    /// All alerts in the order of their fingerprints.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Fingerprint, &Alert)> + Clone {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use model::Labels;

    use super::*;

    fn alert(ends: i64, updated: i64) -> Alert {
        Alert {
            labels: Labels::from_pairs([("alertname", "Down")]),
            annotations: Labels::empty(),
            starts_at: Timestamp::from_ms(0),
            ends_at: Timestamp::from_ms(ends),
            updated_at: Timestamp::from_ms(updated),
            generator_url: String::new(),
            timeout: false,
        }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn a_repetition_is_no_news_and_an_end_is() {
        let mut alerts = Alerts::default();
        assert!(alerts.receive(alert(100, 10), at(10)).unwrap().is_news);
        assert!(!alerts.receive(alert(120, 20), at(20)).unwrap().is_news);
        let received = alerts.receive(alert(30, 30), at(30)).unwrap();
        assert!(received.is_news && received.alert.is_resolved(at(30)));
    }

    #[test]
    fn a_restart_holds_what_fired_and_keeps_what_was_over() {
        let mut alerts = Alerts::default();
        alerts.restore(alert(100, 10), at(5000), 300);
        assert!(!alerts.iter().next().unwrap().1.is_resolved(at(5299)));
        assert!(alerts.iter().next().unwrap().1.is_resolved(at(5300)));
        alerts.restore(alert(100, 100), at(5000), 300);
        assert!(alerts.iter().next().unwrap().1.is_resolved(at(5000)));
    }

    #[test]
    fn what_timed_out_is_settled_once() {
        let mut alerts = Alerts::default();
        alerts.receive(alert(100, 10), at(10)).unwrap();
        let fingerprint = alert(0, 0).fingerprint();
        assert_eq!(alerts.settle(fingerprint, at(99)), None);
        assert!(alerts.settle(fingerprint, at(100)).unwrap().ended_by_word());
        assert_eq!(alerts.settle(fingerprint, at(100)), None);
    }

    #[test]
    fn forgets_resolved_alerts_that_nobody_waits_for() {
        let mut alerts = Alerts::default();
        alerts.receive(alert(100, 100), at(100)).unwrap();
        let late = at(100 + RESOLVED_KEPT_MS);
        alerts.forget_old(&[alert(0, 0).fingerprint()].into(), late);
        assert_eq!(alerts.iter().count(), 1);
        alerts.forget_old(&HashSet::new(), late);
        assert_eq!(alerts.iter().count(), 0);
    }
}
