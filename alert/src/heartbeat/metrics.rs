//! What heartbeats tell about themselves.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// `to="…"`: the server, or the file that names it.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct To {
    pub(super) to: String,
}

/// The metrics of all heartbeats of a node.
#[derive(Debug, Clone, Default)]
pub(super) struct Metrics {
    /// `watershed_heartbeat_sent_total`
    pub(super) sent: Family<To, Counter>,
    /// `watershed_heartbeat_failed_total`
    pub(super) failed: Family<To, Counter>,
    /// `watershed_heartbeat_withheld_total`
    pub(super) withheld: Family<To, Counter>,
    /// `watershed_heartbeat_last_sent_timestamp_seconds`
    pub(super) last_sent: Family<To, Gauge<f64, AtomicU64>>,
}

impl Metrics {
    /// Registers the metrics.
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Metrics::default();
        registry.register("watershed_heartbeat_sent", "Heartbeats that arrived", metrics.sent.clone());
        registry.register(
            "watershed_heartbeat_failed",
            "Attempts to send a heartbeat that failed",
            metrics.failed.clone(),
        );
        let help = "Heartbeats that were not sent because the node doesn't work";
        registry.register("watershed_heartbeat_withheld", help, metrics.withheld.clone());
        let help = "Time of the last heartbeat that arrived";
        registry.register("watershed_heartbeat_last_sent_timestamp_seconds", help, metrics.last_sent.clone());
        metrics
    }

    /// Shows a heartbeat before its first event.
    pub(super) fn start_at_zero(&self, to: &To) {
        [&self.sent, &self.failed, &self.withheld].into_iter().for_each(|family| drop(family.get_or_create(to)));
    }

    /// Shows nothing more of a heartbeat that was taken out of the configuration.
    pub(super) fn forget(&self, to: &To) {
        for family in [&self.sent, &self.failed, &self.withheld] {
            family.remove(to);
        }
        self.last_sent.remove(to);
    }
}
