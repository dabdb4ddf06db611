//! The metrics of a node's queries, under Prometheus's names where it has one.

use std::sync::Arc;

use model::Clock;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use promql::{EndedQuery, Engine};

use super::times::QueryTimes;

/// What is counted.
#[derive(Debug)]
pub(super) struct QueryMetrics {
    running: Gauge,
    samples: Counter,
    times: QueryTimes,
}

impl QueryMetrics {
    /// Counts nothing yet. So many queries may run at one time.
    pub(super) fn new(queries_max: usize, clock: Arc<dyn Clock>, registry: &mut Registry) -> Self {
        let times = QueryTimes::new(clock, registry);
        let metrics = QueryMetrics { running: Gauge::default(), samples: Counter::default(), times };
        let name = "prometheus_engine_queries";
        registry.register(name, "Queries that run", metrics.running.clone());
        let max: Gauge = Gauge::default();
        max.set(i64::try_from(queries_max).unwrap_or(i64::MAX));
        let name = "prometheus_engine_queries_concurrent_max";
        registry.register(name, "Queries that may run at one time, those of rules included", max);
        let name = "prometheus_engine_query_samples";
        registry.register(name, "Samples that queries decoded", metrics.samples.clone());
        metrics
    }

    /// A query runs until this is dropped.
    pub(super) fn began(&self) -> Running {
        self.running.inc();
        Running(self.running.clone())
    }

    /// A query has ended.
    pub(super) fn ended(&self, query: &EndedQuery<'_>) {
        self.samples.inc_by(query.stats.samples);
        self.times.add(&query.times);
    }
}

/// A query that runs.
pub(super) struct Running(Gauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What an engine's queries hold, looked up whenever it is collected.
#[derive(Debug)]
pub(crate) struct HeldBytes(pub(crate) Engine);

impl Collector for HeldBytes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let metric = ConstGauge::new(i64::try_from(self.0.held_bytes()).unwrap_or(i64::MAX));
        let help = "Bytes that running queries hold, against --query.max-total-bytes";
        metric.encode(encoder.encode_descriptor("watershed_engine_held_bytes", help, None, metric.metric_type())?)
    }
}
