//! Metrics of rule evaluation, under Prometheus's names.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct GroupLabel {
    /// `file;group`
    pub(crate) rule_group: String,
}

type Seconds = Gauge<f64, AtomicU64>;

/// The metrics of all groups of a manager.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    iterations: Family<GroupLabel, Counter>,
    iterations_missed: Family<GroupLabel, Counter>,
    evaluations: Family<GroupLabel, Counter>,
    evaluation_failures: Family<GroupLabel, Counter>,
    last_duration: Family<GroupLabel, Seconds>,
    last_evaluation: Family<GroupLabel, Seconds>,
    last_samples: Family<GroupLabel, Gauge>,
    rules: Family<GroupLabel, Gauge>,
    interval: Family<GroupLabel, Seconds>,
}

impl Metrics {
    /// Registers them.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Metrics::default();
        let mut counter = |name: &str, help: &str, family: &Family<GroupLabel, Counter>| {
            registry.register(format!("prometheus_rule_{name}"), help, family.clone());
        };
        counter("group_iterations", "Rule group evaluations that were due, missed ones included", &metrics.iterations);
        counter(
            "group_iterations_missed",
            "Rule group evaluations missed because of slow evaluation",
            &metrics.iterations_missed,
        );
        counter("evaluations", "Rule evaluations", &metrics.evaluations);
        counter("evaluation_failures", "Rule evaluations that failed", &metrics.evaluation_failures);
        let mut seconds = |name: &str, help: &str, family: &Family<GroupLabel, Seconds>| {
            registry.register(format!("prometheus_rule_group_{name}_seconds"), help, family.clone());
        };
        seconds("last_duration", "Duration of the last rule group evaluation", &metrics.last_duration);
        seconds(
            "last_evaluation_timestamp",
            "Time of the last rule group evaluation, since the epoch",
            &metrics.last_evaluation,
        );
        seconds("interval", "Interval of a rule group", &metrics.interval);
        registry.register("prometheus_rule_group_rules", "Rules in a rule group", metrics.rules.clone());
        registry.register(
            "prometheus_rule_group_last_evaluation_samples",
            "Samples given by the last rule group evaluation",
            metrics.last_samples.clone(),
        );
        metrics
    }

    /// The metrics of one group.
    pub(crate) fn group(&self, key: String) -> GroupMetrics {
        let label = GroupLabel { rule_group: key };
        GroupMetrics {
            iterations: self.iterations.get_or_create_owned(&label),
            iterations_missed: self.iterations_missed.get_or_create_owned(&label),
            evaluations: self.evaluations.get_or_create_owned(&label),
            evaluation_failures: self.evaluation_failures.get_or_create_owned(&label),
            last_duration: self.last_duration.get_or_create_owned(&label),
            last_evaluation: self.last_evaluation.get_or_create_owned(&label),
            last_samples: self.last_samples.get_or_create_owned(&label),
            rules: self.rules.get_or_create_owned(&label),
            interval: self.interval.get_or_create_owned(&label),
        }
    }

    /// Forgets a group that is gone.
    pub(crate) fn remove(&self, key: String) {
        let label = GroupLabel { rule_group: key };
        self.iterations.remove(&label);
        self.iterations_missed.remove(&label);
        self.evaluations.remove(&label);
        self.evaluation_failures.remove(&label);
        self.last_duration.remove(&label);
        self.last_evaluation.remove(&label);
        self.last_samples.remove(&label);
        self.rules.remove(&label);
        self.interval.remove(&label);
    }
}

/// The metrics of one group.
#[derive(Debug)]
pub(crate) struct GroupMetrics {
    pub(crate) iterations: Counter,
    pub(crate) iterations_missed: Counter,
    pub(crate) evaluations: Counter,
    pub(crate) evaluation_failures: Counter,
    pub(crate) last_duration: Seconds,
    pub(crate) last_evaluation: Seconds,
    pub(crate) last_samples: Gauge,
    pub(crate) rules: Gauge,
    pub(crate) interval: Seconds,
}
