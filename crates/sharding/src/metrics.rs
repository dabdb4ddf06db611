//! What sharding tells about itself.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counters and gauges of one node.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) members: Gauge,
    pub(crate) serving: Gauge,
    pub(crate) changes: Counter,
    pub(crate) failures: Counter,
}

impl Metrics {
    /// Creates them and makes them known to `registry`.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Metrics::default();
        let gauges = [
            (
                "watershed_sharding_members",
                "Shards that share targets, this one among them; 0 without sharding",
                &metrics.members,
            ),
            ("watershed_sharding_members_serving", "Those that do their share, as this one sees it", &metrics.serving),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        let counters = [
            ("watershed_sharding_changes", "Changes of who takes targets, as this shard sees it", &metrics.changes),
            (
                "watershed_sharding_failures",
                "Questions to members that were not answered as they should be",
                &metrics.failures,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        metrics
    }
}
