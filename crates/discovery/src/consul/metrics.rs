//! What is counted of questions to Consul, with Prometheus's names.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// In seconds. Consul holds a question back for two minutes, and a little more.
const BUCKETS: [f64; 6] = [0.01, 0.1, 1.0, 10.0, 60.0, 135.0];

/// The labels of a series about questions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    endpoint: &'static str,
    /// `services` of the catalog, or one `service`.
    call: &'static str,
}

/// How many questions failed and how long they take.
#[derive(Debug, Clone)]
pub(crate) struct ConsulMetrics {
    pub(crate) failures: Counter,
    durations: Family<CallLabels, Histogram>,
}

impl ConsulMetrics {
    /// Creates them and makes them known to `registry`.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let durations = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        let metrics = ConsulMetrics { failures: Counter::default(), durations };
        registry.register(
            "prometheus_sd_consul_rpc_failures",
            "Questions to Consul that failed",
            metrics.failures.clone(),
        );
        registry.register(
            "prometheus_sd_consul_rpc_duration_seconds",
            "How long questions to Consul took, which it may hold back until there is something new",
            metrics.durations.clone(),
        );
        metrics
    }

    /// A question was answered, or failed, after so long.
    pub(crate) fn observe(&self, call: &'static str, took: Duration) {
        self.durations.get_or_create(&CallLabels { endpoint: "catalog", call }).observe(took.as_secs_f64());
    }
}

impl Default for ConsulMetrics {
    /// Counts where nobody sees it.
    fn default() -> Self {
        ConsulMetrics::new(&mut Registry::default())
    }
}
