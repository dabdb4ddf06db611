//! What discovery tells about itself, with Prometheus's names.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::consul::metrics::ConsulMetrics;

/// The labels of a series about the sources of one kind that somebody has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct SourceLabels {
    /// The job, or who else has the sources.
    pub(crate) config: String,
    /// As `dns` or `ec2`.
    pub(crate) mechanism: String,
}

/// The labels of a series about changes of Kubernetes objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct EventLabels {
    /// `add`, `update` or `delete`.
    pub(crate) event: String,
    /// As `pod`.
    pub(crate) role: String,
}

/// Counters of what is followed in Kubernetes clusters.
#[derive(Debug, Clone, Default)]
pub(crate) struct KubernetesMetrics {
    pub(crate) failures: Counter,
    events: Family<EventLabels, Counter>,
}

impl KubernetesMetrics {
    /// Creates them and makes them known to `registry`.
    fn new(registry: &mut Registry) -> Self {
        let metrics = KubernetesMetrics::default();
        registry.register(
            "prometheus_sd_kubernetes_failures",
            "Lists and watches of Kubernetes objects that failed",
            metrics.failures.clone(),
        );
        registry.register(
            "prometheus_sd_kubernetes_events",
            "Changes of Kubernetes objects, each counted once however many sources share the watch",
            metrics.events.clone(),
        );
        for role in ["endpointslice", "endpoints", "node", "pod", "service", "ingress"] {
            metrics.count(role, 0, 0, 0);
        }
        metrics
    }

    /// Counts changes of the objects that are targets of a role.
    pub(crate) fn count(&self, role: &str, added: u64, updated: u64, deleted: u64) {
        for (event, count) in [("add", added), ("update", updated), ("delete", deleted)] {
            let labels = EventLabels { event: event.to_owned(), role: role.to_owned() };
            self.events.get_or_create(&labels).inc_by(count);
        }
    }
}

/// Counters of a node's discovery.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) file_read_errors: Counter,
    pub(crate) dns_lookups: Counter,
    pub(crate) dns_lookup_failures: Counter,
    pub(crate) http_failures: Counter,
    pub(crate) nomad_failures: Counter,
    pub(crate) azure_failures: Counter,
    pub(crate) azure_cache_hits: Counter,
    refresh_failures: Family<SourceLabels, Counter>,
    pub(crate) kubernetes: KubernetesMetrics,
    pub(crate) consul: ConsulMetrics,
}

impl Metrics {
    /// Creates them and makes them known to `registry`.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let (kubernetes, consul) = (KubernetesMetrics::new(registry), ConsulMetrics::new(registry));
        let metrics = Metrics { kubernetes, consul, ..Metrics::default() };
        let counters = [
            ("prometheus_sd_file_read_errors", "Files of targets that could not be read", &metrics.file_read_errors),
            ("prometheus_sd_dns_lookups", "Lookups of names in the DNS", &metrics.dns_lookups),
            ("prometheus_sd_dns_lookup_failures", "Lookups of names that failed", &metrics.dns_lookup_failures),
            ("prometheus_sd_http_failures", "Lists of targets that a server didn't tell", &metrics.http_failures),
            ("prometheus_sd_nomad_failures", "Rounds of questions to Nomad that failed", &metrics.nomad_failures),
            ("prometheus_sd_azure_failures", "Lists of Azure's machines that failed", &metrics.azure_failures),
            (
                "prometheus_sd_azure_cache_hit",
                "Network interfaces of Azure's machines that were known already",
                &metrics.azure_cache_hits,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "prometheus_sd_refresh_failures",
            "Refreshes of a source that failed, at least in part",
            metrics.refresh_failures.clone(),
        );
        metrics
    }

    /// Counts and logs that a source of somebody was asked in vain; what it found last stays.
    pub(crate) fn refresh_failed(&self, owner: &str, mechanism: &str, error: &dyn std::error::Error) {
        self.count_failed_refresh(owner, mechanism);
        let error = config::chain(error);
        tracing::error!(config = owner, mechanism, error, "targets not found anew, the last ones stay");
    }

    /// Counts that a source of somebody was asked in vain, at least in part.
    pub(crate) fn count_failed_refresh(&self, owner: &str, mechanism: &str) {
        let labels = SourceLabels { config: owner.to_owned(), mechanism: mechanism.to_owned() };
        self.refresh_failures.get_or_create(&labels).inc();
    }
}
