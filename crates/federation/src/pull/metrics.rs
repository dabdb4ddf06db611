//! What a global says about its pulls.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use storage::AppendError;

const SUCCESS: &str = "success";
const FAILURE: &str = "failure";

/// Names a replica.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReplicaLabels {
    pub(super) shard: String,
    pub(super) replica: String,
}

/// Names pulls of a replica by how they ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PullLabels {
    shard: String,
    replica: String,
    result: &'static str,
}

/// Names samples that were not stored, by reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SkipLabels {
    shard: String,
    replica: String,
    reason: &'static str,
}

/// Samples of one pull that were not stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Skipped {
    /// Nothing newer than what the last pull brought.
    pub(super) repeated: u64,
    /// Older than what is stored.
    pub(super) out_of_order: u64,
    /// Another value for a time that is stored.
    pub(super) duplicate: u64,
    /// Older than what the storage takes.
    pub(super) too_old: u64,
    /// Further in the future than the storage takes.
    pub(super) too_new: u64,
    /// Labels that the storage refuses.
    pub(super) invalid_labels: u64,
}

impl Skipped {
    /// Both together.
    pub(super) fn and(&self, other: &Skipped) -> Skipped {
        Skipped {
            repeated: self.repeated + other.repeated,
            out_of_order: self.out_of_order + other.out_of_order,
            duplicate: self.duplicate + other.duplicate,
            too_old: self.too_old + other.too_old,
            too_new: self.too_new + other.too_new,
            invalid_labels: self.invalid_labels + other.invalid_labels,
        }
    }

    /// Counts a sample that the storage refused.
    pub(super) fn count(&mut self, reason: &AppendError) {
        let counter = match reason {
            AppendError::OutOfOrder => &mut self.out_of_order,
            AppendError::DuplicateTimestamp => &mut self.duplicate,
            AppendError::TooOld { .. } | AppendError::BeyondWindow { .. } => &mut self.too_old,
            AppendError::TooNew { .. } => &mut self.too_new,
            _ => &mut self.invalid_labels,
        };
        *counter += 1;
    }

    fn by_reason(self) -> [(&'static str, u64); 6] {
        [
            ("repeated", self.repeated),
            ("out_of_order", self.out_of_order),
            ("duplicate_timestamp", self.duplicate),
            ("too_old", self.too_old),
            ("too_new", self.too_new),
            ("invalid_labels", self.invalid_labels),
        ]
    }
}

type LastSuccess = Family<ReplicaLabels, Gauge<f64, AtomicU64>>;

/// The metrics of the pulling half.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    pulls: Family<PullLabels, Counter>,
    samples: Family<ReplicaLabels, Counter>,
    skipped: Family<SkipLabels, Counter>,
    last_success: LastSuccess,
    duration: Family<ReplicaLabels, Histogram, fn() -> Histogram>,
    gaps: Family<ReplicaLabels, Counter>,
    gap_seconds: Family<ReplicaLabels, Counter<f64, AtomicU64>>,
}

impl Metrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 4.0, 8));
        let metrics = Metrics {
            pulls: Family::default(),
            samples: Family::default(),
            skipped: Family::default(),
            last_success: Family::default(),
            duration: Family::new_with_constructor(histogram),
            gaps: Family::default(),
            gap_seconds: Family::default(),
        };
        let registry = registry.sub_registry_with_prefix("watershed_federation");
        registry.register("pulls", "Pulls of a replica by how they ended", metrics.pulls.clone());
        registry.register("samples", "Samples that pulls stored", metrics.samples.clone());
        registry.register("samples_skipped", "Samples that were pulled and not stored", metrics.skipped.clone());
        registry.register(
            "last_success_timestamp_seconds",
            "When the last pull that succeeded began",
            metrics.last_success.clone(),
        );
        let help = "How often a replica had deleted samples before they were pulled";
        registry.register("gaps", help, metrics.gaps.clone());
        let help = "How much time the samples covered that a replica had deleted before they were pulled";
        registry.register_with_unit("gap", help, Unit::Seconds, metrics.gap_seconds.clone());
        registry.register_with_unit("pull_duration", "How long pulls took", Unit::Seconds, metrics.duration.clone());
        metrics
    }

    /// Counts a pull that was stored.
    pub(super) fn success(
        &self,
        replica: &ReplicaLabels,
        began_secs: f64,
        seconds: f64,
        samples: u64,
        skipped: Skipped,
    ) {
        self.pull(replica, SUCCESS, seconds);
        self.samples.get_or_create(replica).inc_by(samples);
        self.last_success.get_or_create(replica).set(began_secs);
        for (reason, count) in skipped.by_reason() {
            self.skipped.get_or_create(&skip_labels(replica, reason)).inc_by(count);
        }
    }

    /// Counts samples that are lost.
    pub(super) fn gap(&self, replica: &ReplicaLabels, seconds: f64) {
        self.gaps.get_or_create(replica).inc();
        self.gap_seconds.get_or_create(replica).inc_by(seconds);
    }

    /// Counts a pull that failed.
    pub(super) fn failure(&self, replica: &ReplicaLabels, seconds: f64) {
        self.pull(replica, FAILURE, seconds);
    }

    fn pull(&self, replica: &ReplicaLabels, result: &'static str, seconds: f64) {
        self.pulls.get_or_create(&pull_labels(replica, result)).inc();
        self.duration.get_or_create(replica).observe(seconds);
    }

    /// Forgets a replica that is no longer pulled.
    pub(super) fn forget(&self, replica: &ReplicaLabels) {
        for result in [SUCCESS, FAILURE] {
            self.pulls.remove(&pull_labels(replica, result));
        }
        for (reason, _) in Skipped::default().by_reason() {
            self.skipped.remove(&skip_labels(replica, reason));
        }
        self.samples.remove(replica);
        self.gaps.remove(replica);
        self.gap_seconds.remove(replica);
        self.last_success.remove(replica);
        self.duration.remove(replica);
    }
}

fn pull_labels(replica: &ReplicaLabels, result: &'static str) -> PullLabels {
    PullLabels { shard: replica.shard.clone(), replica: replica.replica.clone(), result }
}

fn skip_labels(replica: &ReplicaLabels, reason: &'static str) -> SkipLabels {
    SkipLabels { shard: replica.shard.clone(), replica: replica.replica.clone(), reason }
}
