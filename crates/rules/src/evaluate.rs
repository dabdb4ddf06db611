//! From the result of a rule's expression to what the rule makes of it: recorded series, or candidates for alerts.

use std::collections::{HashMap, HashSet};

use model::{Labels, LabelsBuilder, METRIC_NAME, NativeHistogram};
use promql::{QueryFailure, Value, VectorSample};
use storage::chunk;
use template::{Context, RuleData};

use crate::alerts::{ALERT_NAME, Candidate};
use crate::definition::{Alerting, Rule, Text};

/// Why a rule's evaluation failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RuleError {
    /// The expression could not be evaluated.
    #[error(transparent)]
    Query(#[from] QueryFailure),
    /// The expression gives nothing that a rule can use.
    #[error("rule result is not a vector or scalar")]
    NotAVector,
    /// Two series became one.
    #[error("vector contains metrics with the same labelset after applying {0} labels")]
    SameLabels(&'static str),
    /// There are too many.
    #[error("exceeded limit of {limit} with {count} {what}")]
    Limit {
        /// The group's limit.
        limit: usize,
        /// How many there are.
        count: usize,
        /// Series or alerts.
        what: &'static str,
    },
    /// The node stops.
    #[error("the evaluation was interrupted")]
    Interrupted,
    /// A part of the evaluation broke down.
    #[error("the evaluation broke down: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

/// The result of an expression as a vector: a scalar is one sample without labels.
pub(crate) fn vector(value: Value) -> Result<Vec<VectorSample>, RuleError> {
    match value {
        Value::Vector(samples) => Ok(samples),
        Value::Scalar(sample) => {
            Ok(vec![VectorSample { labels: Labels::empty(), time: sample.time, value: sample.value, histogram: None }])
        }
        Value::String(..) | Value::Matrix(_) => Err(RuleError::NotAVector),
    }
}

/// What a recording rule stores.
pub(crate) fn recorded(
    rule: &Rule,
    samples: &[VectorSample],
    limit: usize,
) -> Result<Vec<(Labels, chunk::Value)>, RuleError> {
    let mut seen = HashSet::with_capacity(samples.len());
    let mut recorded = Vec::with_capacity(samples.len());
    for sample in samples {
        let mut builder = LabelsBuilder::new(&sample.labels);
        builder.set(METRIC_NAME, &rule.name);
        for (name, text) in &rule.labels {
            builder.set(name, &text.source);
        }
        let labels = builder.build();
        if !seen.insert(labels.clone()) {
            return Err(RuleError::SameLabels("rule"));
        }
        let value = match &sample.histogram {
            Some(histogram) => chunk::Value::Histogram(NativeHistogram::Float(histogram.clone())),
            None => chunk::Value::Float(sample.value),
        };
        recorded.push((labels, value));
    }
    match recorded.len() {
        count if limit > 0 && count > limit => Err(RuleError::Limit { limit, count, what: "series" }),
        _ => Ok(recorded),
    }
}

/// The candidates of an alerting rule, their labels and annotations filled in.
pub(crate) fn candidates(
    rule: &Rule,
    alerting: &Alerting,
    samples: &[VectorSample],
    external_labels: &Labels,
    context: &Context,
) -> Result<HashMap<Labels, Candidate>, RuleError> {
    let mut candidates = HashMap::with_capacity(samples.len());
    for VectorSample { labels, value, histogram, .. } in samples {
        let data = RuleData { labels, external_labels, value: *value, histogram: histogram.as_deref() };
        let fill_in = |text: &Text| match &text.template {
            Some(template) => template.expand_for_rule(&data, context),
            None => text.source.clone(),
        };
        let mut builder = LabelsBuilder::new(labels);
        builder.del(METRIC_NAME);
        for (name, text) in &rule.labels {
            builder.set(name, &fill_in(text));
        }
        let labels = builder.set(ALERT_NAME, &rule.name).build();
        let annotations = Labels::from_pairs(alerting.annotations.iter().map(|(name, text)| (name, fill_in(text))));
        let candidate = Candidate { labels: labels.clone(), annotations, value: *value };
        if candidates.insert(labels, candidate).is_some() {
            return Err(RuleError::SameLabels("alert"));
        }
    }
    Ok(candidates)
}

/// Whether filling in a rule's texts may ask queries.
pub(crate) fn asks_queries(rule: &Rule, alerting: &Alerting) -> bool {
    let asks = |(_, text): &(String, Text)| text.template.as_ref().is_some_and(template::Template::uses_query);
    rule.labels.iter().any(asks) || alerting.annotations.iter().any(asks)
}
