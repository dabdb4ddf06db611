//! What forwarding tells about itself, under Prometheus's names.

use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// `alertmanager="http://…"`
#[derive(Debug, Default, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct To {
    /// The URL, without credentials; empty where none has been found yet.
    pub(crate) alertmanager: String,
}

/// The metrics of one forwarder.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// `prometheus_notifications_sent_total`
    pub(crate) sent: Family<To, Counter>,
    /// `prometheus_notifications_errors_total`
    pub(crate) errors: Family<To, Counter>,
    /// `prometheus_notifications_dropped_total`
    pub(crate) dropped: Family<To, Counter>,
    /// `prometheus_notifications_queue_length`
    pub(crate) queue_length: Family<To, Gauge<i64, AtomicI64>>,
    /// `prometheus_notifications_queue_capacity`
    pub(crate) queue_capacity: Gauge<i64, AtomicI64>,
    /// `prometheus_notifications_alertmanagers_discovered`
    pub(crate) discovered: Gauge<i64, AtomicI64>,
    /// `prometheus_notifications_latency_histogram_seconds`
    pub(crate) latency: Family<To, Histogram, fn() -> Histogram>,
}

impl Metrics {
    /// Registers the metrics.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let buckets: fn() -> Histogram = || Histogram::new([0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0]);
        let metrics = Metrics {
            sent: Family::default(),
            errors: Family::default(),
            dropped: Family::default(),
            queue_length: Family::default(),
            queue_capacity: Gauge::default(),
            discovered: Gauge::default(),
            latency: Family::new_with_constructor(buckets),
        };
        let m = &metrics;
        registry.register("prometheus_notifications_sent", "Alerts sent to an Alertmanager", m.sent.clone());
        registry.register("prometheus_notifications_errors", "Alerts whose sending failed", m.errors.clone());
        registry.register("prometheus_notifications_dropped", "Alerts that were given up", m.dropped.clone());
        registry.register("prometheus_notifications_queue_length", "Alerts waiting to be sent", m.queue_length.clone());
        registry.register("prometheus_notifications_queue_capacity", "Alerts that may wait", m.queue_capacity.clone());
        let help = "Alertmanagers that alerts are sent to";
        registry.register("prometheus_notifications_alertmanagers_discovered", help, m.discovered.clone());
        let (name, help) = ("prometheus_notifications_latency_histogram", "Time of one attempt to send alerts");
        registry.register_with_unit(name, help, Unit::Seconds, m.latency.clone());
        metrics
    }

    /// Takes back what was told of an Alertmanager that is gone.
    pub(crate) fn forget(&self, gone: &To) {
        for counters in [&self.sent, &self.errors, &self.dropped] {
            counters.remove(gone);
        }
        self.queue_length.remove(gone);
        self.latency.remove(gone);
    }
}
