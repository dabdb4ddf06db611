//! The body that a webhook gets: Alertmanager's, version 4.

use std::collections::BTreeMap;

use model::{Labels, Timestamp};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_128;

use crate::alert::Alert;
use crate::fingerprint::Fingerprint;
use crate::notification_log::Entry;

/// Go's zero time, the end of an alert that has none.
pub(crate) const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// Firing or resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// At least one alert fires.
    Firing,
    /// All are over.
    Resolved,
}

/// One alert in a message.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageAlert {
    status: Status,
    labels: Labels,
    annotations: Labels,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: Fingerprint,
}

/// One notification.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    receiver: String,
    status: Status,
    alerts: Vec<MessageAlert>,
    group_labels: Labels,
    common_labels: Labels,
    common_annotations: Labels,
    #[serde(rename = "externalURL")]
    external_url: String,
    version: &'static str,
    group_key: String,
    truncated_alerts: usize,
}

/// What a message is about, apart from its alerts.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    /// The receiver's name.
    pub receiver: &'a str,
    /// The route's key.
    pub route_key: &'a str,
    /// The group's labels.
    pub group_labels: &'a Labels,
    /// Where a person finds this Alertmanager.
    pub external_url: &'a str,
}

impl Message {
    /// A message with the alerts as they are `at` a moment; `max_alerts` of them where that isn't 0.
    pub(crate) fn new(
        subject: &Subject<'_>,
        alerts: &[(Fingerprint, Alert)],
        max_alerts: usize,
        at: Timestamp,
    ) -> Self {
        let kept = if max_alerts == 0 { alerts } else { &alerts[..alerts.len().min(max_alerts)] };
        let messages: Vec<MessageAlert> = kept.iter().map(|(f, a)| message_alert(*f, a, at)).collect();
        let fires = messages.iter().any(|a| a.status == Status::Firing);
        Message {
            receiver: subject.receiver.to_owned(),
            status: if fires { Status::Firing } else { Status::Resolved },
            group_labels: subject.group_labels.clone(),
            common_labels: shared(kept.iter().map(|(_, a)| &a.labels)),
            common_annotations: shared(kept.iter().map(|(_, a)| &a.annotations)),
            alerts: messages,
            external_url: subject.external_url.to_owned(),
            version: "4",
            group_key: format!("{}:{}", subject.route_key, subject.group_labels),
            truncated_alerts: alerts.len() - kept.len(),
        }
    }
}

fn message_alert(fingerprint: Fingerprint, alert: &Alert, at: Timestamp) -> MessageAlert {
    let resolved = alert.is_resolved(at);
    MessageAlert {
        status: if resolved { Status::Resolved } else { Status::Firing },
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        starts_at: alert.starts_at.to_rfc3339(),
        ends_at: if resolved { alert.ends_at.to_rfc3339() } else { NO_TIME.to_owned() },
        generator_url: alert.generator_url.clone(),
        fingerprint,
    }
}

/// The pairs that all sets have.
fn shared<'a>(mut sets: impl Iterator<Item = &'a Labels>) -> Labels {
    let Some(first) = sets.next() else { return Labels::empty() };
    let mut pairs: BTreeMap<&str, &str> = first.iter().collect();
    for set in sets {
        pairs.retain(|name, value| set.get(name) == Some(value));
    }
    Labels::from_sorted(pairs)
}

/// A name for a notification by which a receiver knows it again: the same for every attempt and for every instance that
/// decides from the same log, another one for the next. `last` is when the group was told before; where that is forgotten,
/// the start of what it tells of keeps today's incident apart from last week's.
pub(crate) fn idempotency_key(entry: &Entry, alerts: &[(Fingerprint, Alert)], last: Option<Timestamp>) -> String {
    let since = match last {
        Some(last) => format!("{last:?}"),
        None => format!("since {:?}", alerts.iter().map(|(_, alert)| alert.starts_at).max()),
    };
    let text = format!("{} {:?} {:?} {since}", entry.key, entry.firing, entry.resolved);
    format!("{:032x}", xxh3_128(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(pairs: &[(&str, &str)], ends: i64) -> (Fingerprint, Alert) {
        let alert = Alert {
            labels: Labels::from_pairs(pairs.iter().copied()),
            annotations: Labels::from_pairs([("summary", "it is down")]),
            starts_at: Timestamp::from_ms(1_700_000_000_500),
            ends_at: Timestamp::from_ms(ends),
            updated_at: Timestamp::from_ms(0),
            generator_url: "http://shard/graph".into(),
            timeout: false,
        };
        (alert.fingerprint(), alert)
    }

    #[test]
    fn has_the_shape_of_version_4() {
        let alerts = [
            alert(&[("alertname", "Down"), ("instance", "a"), ("job", "api")], i64::MAX),
            alert(&[("alertname", "Down"), ("instance", "b"), ("job", "api")], 1_700_000_060_000),
            alert(&[("alertname", "Down"), ("instance", "c")], i64::MAX),
        ];
        let labels = Labels::from_pairs([("alertname", "Down")]);
        let subject = Subject { receiver: "hook", route_key: "{}", group_labels: &labels, external_url: "http://am" };
        let message = Message::new(&subject, &alerts, 2, Timestamp::from_ms(1_700_000_100_000));
        let want = serde_json::json!({
            "receiver": "hook", "status": "firing", "version": "4", "truncatedAlerts": 1, "externalURL": "http://am",
            "groupKey": "{}:{alertname=\"Down\"}", "groupLabels": {"alertname": "Down"},
            "commonLabels": {"alertname": "Down", "job": "api"}, "commonAnnotations": {"summary": "it is down"},
            "alerts": [
                {"status": "firing", "labels": {"alertname": "Down", "instance": "a", "job": "api"},
                 "annotations": {"summary": "it is down"}, "startsAt": "2023-11-14T22:13:20.5Z", "endsAt": NO_TIME,
                 "generatorURL": "http://shard/graph", "fingerprint": alerts[0].0.to_string()},
                {"status": "resolved", "labels": {"alertname": "Down", "instance": "b", "job": "api"},
                 "annotations": {"summary": "it is down"}, "startsAt": "2023-11-14T22:13:20.5Z",
                 "endsAt": "2023-11-14T22:14:20Z", "generatorURL": "http://shard/graph",
                 "fingerprint": alerts[1].0.to_string()},
            ],
        });
        assert_eq!(serde_json::to_value(&message).unwrap(), want);
    }

    #[test]
    fn the_key_is_of_the_content_and_of_what_was_told_before() {
        let now = Timestamp::from_ms(10);
        let key = |name: &str, starts: i64, last: Option<i64>| {
            let (fingerprint, mut alert) = alert(&[("alertname", name)], i64::MAX);
            alert.starts_at = Timestamp::from_ms(starts);
            let entry = Entry::new("group".into(), [(&fingerprint, &alert)].into_iter(), 1000, None, now);
            idempotency_key(&entry, &[(fingerprint, alert)], last.map(Timestamp::from_ms))
        };
        assert_eq!(key("a", 5, None), key("a", 5, None));
        assert_ne!(key("a", 5, None), key("b", 5, None));
        assert_ne!(key("a", 5, None), key("a", 5, Some(10)));
        assert_eq!(key("a", 5, Some(10)), key("a", 6, Some(10)));
        assert_ne!(key("a", 5, None), key("a", 6, None), "another incident, long after");
    }
}
