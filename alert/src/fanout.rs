//! One alert, several ears: what leaves the rules is completed once and handed to every notifier.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use discovery::relabel::{RelabelConfig, process};
use model::{Labels, LabelsBuilder};
use rules::{Alert, Notifier};

/// Hands alerts to several notifiers, with external labels in place. What it holds can be exchanged while rules run.
pub struct Fanout {
    current: ArcSwap<Wiring>,
}

/// Who hears, and what is added to the alerts before.
#[derive(Clone, Default)]
pub struct Wiring {
    /// `global.external_labels`: added where an alert has no label of its own by that name.
    pub external_labels: Labels,
    /// `alerting.alert_relabel_configs`: what changes or drops alerts after that. A pair drops its replica label here, so
    /// that both its halves tell the same alert.
    pub relabeling: Vec<RelabelConfig>,
    /// The notifiers. All of them hear of an alert at the same time; none waits for another.
    pub notifiers: Vec<Arc<dyn Notifier>>,
}

impl Fanout {
    /// A fan-out to these notifiers.
    pub fn new(wiring: Wiring) -> Self {
        Fanout { current: ArcSwap::from_pointee(wiring) }
    }

    /// Puts other notifiers and labels in place.
    pub fn set(&self, wiring: Wiring) {
        self.current.store(Arc::new(wiring));
    }
}

impl Wiring {
    fn completed(&self, mut alert: Alert) -> Option<Alert> {
        let mut builder = LabelsBuilder::new(&alert.labels);
        for (name, value) in &self.external_labels {
            if builder.get(name).is_none() {
                builder.set(name, value);
            }
        }
        if !process(&self.relabeling, &mut builder) {
            return None;
        }
        alert.labels = builder.build();
        (!alert.labels.is_empty()).then_some(alert)
    }
}

impl fmt::Debug for Fanout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wiring = self.current.load();
        write!(f, "Fanout({} notifiers, external labels {})", wiring.notifiers.len(), wiring.external_labels)
    }
}

#[async_trait]
impl Notifier for Fanout {
    async fn notify(&self, alerts: Vec<Alert>) {
        let wiring = self.current.load_full();
        let alerts: Vec<Alert> = alerts.into_iter().filter_map(|alert| wiring.completed(alert)).collect();
        futures::future::join_all(wiring.notifiers.iter().map(|notifier| notifier.notify(alerts.clone()))).await;
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use parking_lot::Mutex;

    use discovery::NameValidation;

    use super::*;

    #[derive(Default)]
    struct Ear(Mutex<Vec<Labels>>);

    #[async_trait]
    impl Notifier for Ear {
        async fn notify(&self, alerts: Vec<Alert>) {
            self.0.lock().extend(alerts.into_iter().map(|a| a.labels));
        }
    }

    #[tokio::test]
    async fn everybody_hears_with_external_labels() {
        let (first, second) = (Arc::new(Ear::default()), Arc::new(Ear::default()));
        let external_labels = Labels::from_pairs([("cluster", "eu"), ("job", "none")]);
        let wiring = Wiring { external_labels, relabeling: Vec::new(), notifiers: vec![first.clone(), second.clone()] };
        let fanout = Fanout::new(wiring);
        let labels = Labels::from_pairs([("alertname", "Down"), ("job", "api")]);
        let starts_at = Timestamp::from_ms(0);
        let alert = Alert {
            labels,
            annotations: Labels::empty(),
            starts_at,
            ends_at: None,
            generator_url: String::new(),
            recalled: false,
        };
        fanout.notify(vec![alert]).await;
        let want = [Labels::from_pairs([("alertname", "Down"), ("cluster", "eu"), ("job", "api")])];
        assert_eq!(*first.0.lock(), want);
        assert_eq!(*second.0.lock(), want);
    }

    #[tokio::test]
    async fn relabelling_makes_a_pair_say_the_same() {
        let rules = "[{regex: replica, action: labeldrop}, {source_labels: [severity], regex: none, action: drop}]";
        let mut report = config::Report::new("shard.yml");
        let relabeling =
            RelabelConfig::validate_all(config::load(rules, "shard.yml").unwrap(), NameValidation::Utf8, &mut report);
        let ear = Arc::new(Ear::default());
        let external_labels = Labels::from_pairs([("replica", "a")]);
        let fanout = Fanout::new(Wiring { external_labels, relabeling, notifiers: vec![ear.clone()] });
        let alert = |severity: &str| Alert {
            labels: Labels::from_pairs([("alertname", "Down"), ("severity", severity)]),
            annotations: Labels::empty(),
            starts_at: Timestamp::from_ms(0),
            ends_at: None,
            generator_url: String::new(),
            recalled: false,
        };
        fanout.notify(vec![alert("page"), alert("none")]).await;
        assert_eq!(*ear.0.lock(), [Labels::from_pairs([("alertname", "Down"), ("severity", "page")])]);
    }
}
