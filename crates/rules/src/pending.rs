//! What a group's evaluation has found so far: already visible to the group's own later rules, not yet to anyone else.
//!
//! A group's evaluation is one transaction, so that a reader and a federation pull see all of it or nothing. But a rule may
//! build on an earlier rule of its group, at the same time. Committing in between would break the transaction, and
//! reading the expression for metric names wouldn't find every dependence. So later rules read through an overlay: the
//! storage with the uncommitted results on top.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use model::{Labels, METRIC_NAME, MatchOp, STALE_NAN, Timestamp, is_stale};
use parking_lot::RwLock;
use storage::chunk::{Recoder, Value};
use storage::{LabelRequest, QueryError, Queryable, SelectRequest, Series, SeriesSet, merge_sets};

use crate::write::Known;

/// Uncommitted samples and stale markers by metric name, all at one time.
#[derive(Debug)]
pub(crate) struct Pending {
    time: Timestamp,
    by_name: RwLock<HashMap<String, Vec<(Labels, Value)>>>,
}

impl Pending {
    /// Nothing yet, at `time`.
    pub(crate) fn new(time: Timestamp) -> Self {
        Pending { time, by_name: RwLock::default() }
    }

    /// Adds what a rule gave, and stale markers for what it gave at the evaluation before and gives no longer.
    pub(crate) fn add(&self, samples: &[(Labels, Value)], previous: &Known) {
        let current: HashSet<&Labels> = samples.iter().map(|(labels, _)| labels).collect();
        let vanished = previous.keys().filter(|labels| !current.contains(labels));
        let mut by_name = self.by_name.write();
        let markers = vanished.map(|labels| (labels, Value::Float(STALE_NAN)));
        let all = samples.iter().map(|(labels, value)| (labels, value.clone())).chain(markers);
        for (labels, value) in all {
            by_name.entry(labels.metric_name().to_owned()).or_default().push((labels.clone(), value));
        }
    }

    fn select(&self, request: &SelectRequest) -> Vec<Series> {
        if !request.range.contains(self.time) {
            return Vec::new();
        }
        let by_name = self.by_name.read();
        let named = request.matchers.iter().find(|m| m.name() == METRIC_NAME && m.op() == MatchOp::Equal);
        let candidates: Vec<&(Labels, Value)> = match named {
            Some(matcher) => by_name.get(matcher.value()).into_iter().flatten().collect(),
            None => by_name.values().flatten().collect(),
        };
        let all_match = |labels: &Labels| request.matchers.iter().all(|m| m.matches_labels(labels));
        let mut found: Vec<_> = candidates.into_iter().filter(|(labels, _)| all_match(labels)).collect();
        // Two rules may have given the same series: the first counts, and a sample before a marker, as when it is stored.
        found.sort_by(|a, b| a.0.cmp(&b.0).then(is_marker(&a.1).cmp(&is_marker(&b.1))));
        found.dedup_by(|later, first| later.0 == first.0);
        found.into_iter().map(|(labels, value)| self.series(labels, value)).collect()
    }

    fn series(&self, labels: &Labels, value: &Value) -> Series {
        let mut recoder = Recoder::default();
        recoder.push(self.time.as_ms(), value.clone());
        Series { labels: labels.clone(), chunks: recoder.finish() }
    }
}

fn is_marker(value: &Value) -> bool {
    matches!(value, Value::Float(value) if is_stale(*value))
}

/// A storage with uncommitted results on top.
pub(crate) struct Overlay {
    pub(crate) pending: Arc<Pending>,
    pub(crate) storage: Arc<dyn Queryable>,
}

#[async_trait]
impl Queryable for Overlay {
    async fn select(&self, request: &SelectRequest) -> Result<SeriesSet, QueryError> {
        let pending = self.pending.select(request);
        if pending.is_empty() {
            return self.storage.select(request).await;
        }
        let stored = self.storage.select(&request.with_all_labels()).await?;
        Ok(merge_sets(vec![SeriesSet::from_sorted(pending), stored], request.hints.limit))
    }

    /// As the storage knows them: no rule asks for labels.
    async fn label_names(&self, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        self.storage.label_names(request).await
    }

    async fn label_values(&self, name: &str, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        self.storage.label_values(name, request).await
    }

    fn min_time(&self) -> Option<Timestamp> {
        self.storage.min_time()
    }
}
