//! `/metadata`, `/targets/metadata`: what targets say about their metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use model::{Labels, Matcher};
use scrape::MetricMetadata;
use serde::Serialize;

use crate::envelope::{Answer, ApiError};
use crate::node::Node;
use crate::params::Params;

/// Type, help and unit of a metric family.
#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Metadata {
    #[serde(rename = "type")]
    kind: &'static str,
    help: String,
    unit: String,
}

/// The metadata of one metric at one target.
#[derive(Serialize)]
pub(crate) struct TargetMetadata {
    target: Labels,
    #[serde(skip_serializing_if = "String::is_empty")]
    metric: String,
    #[serde(flatten)]
    metadata: Metadata,
}

fn metadata(family: MetricMetadata) -> Metadata {
    Metadata { kind: family.kind.as_str(), help: family.help, unit: family.unit }
}

/// By metric, each different word on it once; at most `limit` metrics, `limit_per_metric` words on each.
pub(crate) async fn metrics(
    State(node): State<Arc<Node>>,
    params: Params,
) -> Result<Answer<BTreeMap<String, BTreeSet<Metadata>>>, ApiError> {
    let (metric, limit, per_metric) = (params.get("metric"), params.count("limit")?, params.count("limit_per_metric")?);
    let mut found: BTreeMap<String, BTreeSet<Metadata>> = BTreeMap::new();
    for family in node.scrape.metadata().into_iter().flat_map(|target| target.metrics) {
        if metric.is_some_and(|metric| metric != family.metric) {
            continue;
        }
        let known = found.contains_key(&family.metric);
        if limit > 0 && !known && found.len() == limit {
            continue;
        }
        let words = found.entry(family.metric.clone()).or_default();
        if per_metric == 0 || words.len() < per_metric {
            words.insert(metadata(family));
        }
    }
    Ok(Answer::new(found))
}

/// By target, of all targets or of those that `match_target` selects.
pub(crate) async fn targets(
    State(node): State<Arc<Node>>,
    params: Params,
) -> Result<Answer<Vec<TargetMetadata>>, ApiError> {
    let (metric, limit) = (params.get("metric"), params.count("limit")?);
    let matchers: Vec<Matcher> = match params.get("match_target") {
        Some(text) => promql::parse_selectors(text).map_err(|e| ApiError::parameter("match_target", e))?,
        None => Vec::new(),
    };
    let targets = node.scrape.metadata().into_iter();
    let targets = targets.filter(|target| matchers.iter().all(|matcher| matcher.matches_labels(&target.labels)));
    let families = targets.flat_map(|target| {
        let labels = target.labels;
        target.metrics.into_iter().map(move |family| (labels.clone(), family))
    });
    let wanted = families.filter(|(_, family)| metric.is_none_or(|metric| metric == family.metric));
    let found = wanted.map(|(target, family)| TargetMetadata {
        target,
        // Whoever asks for one metric knows its name.
        metric: if metric.is_some() { String::new() } else { family.metric.clone() },
        metadata: metadata(family),
    });
    Ok(Answer::new(if limit > 0 { found.take(limit).collect() } else { found.collect() }))
}
