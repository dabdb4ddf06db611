//! Alerts that wait for one Alertmanager: bounded, each alert once, in the order they came.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;
use rules::Alert;
use tokio::sync::Notify;

use crate::fingerprint::Fingerprint;

/// How many alerts may wait.
pub(crate) const CAPACITY: usize = 10_000;

/// Alerts with their places in the queue.
pub(crate) type Batch = Vec<(u64, Alert)>;

/// The queue before one Alertmanager.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    /// Rings when alerts have come.
    pub(crate) wake: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    alerts: BTreeMap<u64, Alert>,
    places: HashMap<Fingerprint, u64>,
}

impl Waiting {
    /// Takes the alert in the front.
    fn pop(&mut self) -> Option<(u64, Alert)> {
        let (place, alert) = self.alerts.pop_first()?;
        self.places.remove(&Fingerprint::of(&alert.labels));
        Some((place, alert))
    }
}

impl Queue {
    /// Adds alerts. One that waits already is replaced by its newer state and keeps its place. The answer is how many of the
    /// oldest had to go.
    pub(crate) fn push(&self, alerts: impl IntoIterator<Item = Alert>) -> u64 {
        let mut waiting = self.waiting.lock();
        let mut dropped = 0;
        for alert in alerts {
            let fingerprint = Fingerprint::of(&alert.labels);
            let place = waiting.places.get(&fingerprint).copied().unwrap_or(waiting.next);
            waiting.next = waiting.next.max(place + 1);
            waiting.places.insert(fingerprint, place);
            waiting.alerts.insert(place, alert);
            if waiting.alerts.len() > CAPACITY {
                waiting.pop();
                dropped += 1;
            }
        }
        drop(waiting);
        self.wake.notify_one();
        dropped
    }

    /// Takes up to `max` alerts from the front.
    pub(crate) fn take(&self, max: usize) -> Batch {
        let mut waiting = self.waiting.lock();
        std::iter::from_fn(|| waiting.pop()).take(max).collect()
    }

    /// Puts alerts back to their places, except those whose newer state has come meanwhile. The answer is how many found no
    /// room.
    pub(crate) fn put_back(&self, batch: Batch) -> u64 {
        let mut waiting = self.waiting.lock();
        let mut dropped = 0;
        for (place, alert) in batch {
            let fingerprint = Fingerprint::of(&alert.labels);
            if waiting.places.contains_key(&fingerprint) {
                continue;
            }
            if waiting.alerts.len() >= CAPACITY {
                dropped += 1;
                continue;
            }
            waiting.places.insert(fingerprint, place);
            waiting.alerts.insert(place, alert);
        }
        dropped
    }

    /// How many alerts wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.lock().alerts.len()
    }
}

#[cfg(test)]
mod tests {
    use model::{Labels, Timestamp};

    use super::*;

    fn alert(name: usize, starts: i64) -> Alert {
        let labels = Labels::from_pairs([("n", name.to_string())]);
        let starts_at = Timestamp::from_ms(starts);
        Alert {
            labels,
            annotations: Labels::empty(),
            starts_at,
            ends_at: None,
            generator_url: String::new(),
            recalled: false,
        }
    }

    fn shown(batch: &Batch) -> Vec<(String, i64)> {
        batch.iter().map(|(_, a)| (a.labels.value("n").to_owned(), a.starts_at.as_ms())).collect()
    }

    #[test]
    fn an_alert_waits_once_with_its_newest_state() {
        let queue = Queue::default();
        queue.push([alert(1, 10), alert(2, 10), alert(1, 20)]);
        let batch = queue.take(64);
        assert_eq!(shown(&batch), [("1".to_owned(), 20), ("2".to_owned(), 10)]);
        queue.push([alert(2, 30), alert(3, 30)]);
        assert_eq!(queue.put_back(batch), 0);
        assert_eq!(shown(&queue.take(2)), [("1".to_owned(), 20), ("2".to_owned(), 30)]);
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn the_oldest_goes_when_there_is_no_room() {
        let queue = Queue::default();
        assert_eq!(queue.push((0..CAPACITY + 3).map(|n| alert(n, 0))), 3);
        assert_eq!(queue.len(), CAPACITY);
        let batch = queue.take(1);
        assert_eq!(shown(&batch), [("3".to_owned(), 0)]);
        queue.push([alert(CAPACITY + 3, 0)]);
        assert_eq!(queue.put_back(batch), 1);
    }
}
