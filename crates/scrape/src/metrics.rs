//! What scraping tells about itself.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The label of a series about one job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct JobLabel {
    pub(crate) scrape_job: String,
}

/// The label of a series about one discovered job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ConfigLabel {
    pub(crate) config: String,
}

/// Counters and gauges of one manager.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) interval_length: Histogram,
    pub(crate) sample_limit: Counter,
    pub(crate) body_size_limit: Counter,
    pub(crate) label_limits: Counter,
    pub(crate) bucket_limit: Counter,
    pub(crate) out_of_order: Counter,
    pub(crate) duplicate: Counter,
    pub(crate) out_of_bounds: Counter,
    pub(crate) exemplars_out_of_order: Counter,
    pub(crate) scrapes: Counter,
    pub(crate) failed: Counter,
    pub(crate) pool_targets: Family<JobLabel, Gauge>,
    pub(crate) discovered: Family<ConfigLabel, Gauge>,
}

impl Metrics {
    /// Creates them and makes them known to `registry`.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Metrics {
            interval_length: Histogram::new(exponential_buckets(0.25, 2.0, 12)),
            sample_limit: Counter::default(),
            body_size_limit: Counter::default(),
            label_limits: Counter::default(),
            bucket_limit: Counter::default(),
            out_of_order: Counter::default(),
            duplicate: Counter::default(),
            out_of_bounds: Counter::default(),
            exemplars_out_of_order: Counter::default(),
            scrapes: Counter::default(),
            failed: Counter::default(),
            pool_targets: Family::default(),
            discovered: Family::default(),
        };
        metrics.register(registry);
        metrics
    }

    fn register(&self, registry: &mut Registry) {
        let counters = [
            (
                "prometheus_target_scrapes_exceeded_sample_limit",
                "Scrapes that brought more samples than sample_limit",
                &self.sample_limit,
            ),
            (
                "prometheus_target_scrapes_exceeded_body_size_limit",
                "Scrapes with a body larger than body_size_limit",
                &self.body_size_limit,
            ),
            (
                "watershed_target_scrapes_exceeded_label_limits",
                "Scrapes with a series beyond one of the label limits",
                &self.label_limits,
            ),
            (
                "prometheus_target_scrapes_exceeded_native_histogram_bucket_limit",
                "Scrapes with a native histogram that cannot be made coarse enough for native_histogram_bucket_limit",
                &self.bucket_limit,
            ),
            (
                "prometheus_target_scrapes_sample_out_of_order",
                "Samples skipped because a newer one is stored",
                &self.out_of_order,
            ),
            (
                "prometheus_target_scrapes_sample_duplicate_timestamp",
                "Samples skipped because their series has another value at that time",
                &self.duplicate,
            ),
            (
                "prometheus_target_scrapes_sample_out_of_bounds",
                "Samples skipped because they are too old",
                &self.out_of_bounds,
            ),
            (
                "prometheus_target_scrapes_exemplar_out_of_order",
                "Exemplars skipped because newer ones of their series are stored",
                &self.exemplars_out_of_order,
            ),
            ("watershed_target_scrapes", "Scrapes done", &self.scrapes),
            ("watershed_target_scrapes_failed", "Scrapes that failed", &self.failed),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "prometheus_target_interval_length_seconds",
            "Time between the scrapes of a target",
            self.interval_length.clone(),
        );
        registry.register(
            "prometheus_target_scrape_pool_targets",
            "Targets that are scraped, per job",
            self.pool_targets.clone(),
        );
        registry.register(
            "prometheus_sd_discovered_targets",
            "Targets that were found before relabelling, per job",
            self.discovered.clone(),
        );
    }
}
