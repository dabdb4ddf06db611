//! A queryable that hides replicas.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use model::{Matcher, Timestamp};

use super::group::groups;
use super::rewrite::{series, widened};
use crate::query::{LabelRequest, QueryError, Queryable, SelectRequest, SeriesIter, SeriesSet};
use crate::samples::Samples;

/// Shows the series of a source without replica labels, each once, the replicas' samples made one.
///
/// A request with a matcher on a replica label means that replica: it is passed on, and its series come as they are, with
/// the label. Chunks reach beyond the range that is asked for, as everybody's do; what they hold there may be any replica's. The
/// values of a replica label can be asked for; among the names of labels it is not listed.
pub struct Dedup {
    source: Arc<dyn Queryable>,
    replica_labels: ArcSwap<Vec<String>>,
}

impl Dedup {
    /// Hides `replica_labels` of `source`; with none of them the source is shown as it is.
    pub fn new(source: Arc<dyn Queryable>, replica_labels: Vec<String>) -> Self {
        Dedup { source, replica_labels: ArcSwap::from_pointee(replica_labels) }
    }

    /// The labels that are hidden.
    pub fn replica_labels(&self) -> Arc<Vec<String>> {
        self.replica_labels.load_full()
    }

    /// Hides these labels from the next request on.
    pub fn set_replica_labels(&self, replica_labels: Vec<String>) {
        self.replica_labels.store(Arc::new(replica_labels));
    }

    /// The labels to hide; `None` where the request is to be passed on.
    fn hidden(&self, matchers: &[Matcher]) -> Option<Arc<Vec<String>>> {
        let names = self.replica_labels.load_full();
        let passes = names.is_empty() || matchers.iter().any(|matcher| names.iter().any(|name| name == matcher.name()));
        (!passes).then_some(names)
    }
}

#[async_trait]
impl Queryable for Dedup {
    async fn select(&self, request: &SelectRequest) -> Result<SeriesSet, QueryError> {
        let Some(hidden) = self.hidden(&request.matchers) else { return self.source.select(request).await };
        let mut asked = request.with_all_labels();
        (asked.hints.limit, asked.hints.newest_only) = (0, false);
        if !request.hints.labels_only {
            asked.range = widened(request.range);
        }
        let SeriesSet { series: found, warnings } = self.source.select(&asked).await?;
        let groups = groups(found, &hidden)?.into_iter();
        let (range, labels_only) = (request.range, request.hints.labels_only);
        let mut samples = Samples::default();
        let all = groups.filter_map(move |group| {
            if labels_only {
                return Some(Ok(group.into_labels()));
            }
            series(group, range, &mut samples).map_err(QueryError::from).transpose()
        });
        let series: SeriesIter = match request.hints.limit {
            0 => Box::new(all),
            limit => Box::new(all.take(limit)),
        };
        Ok(SeriesSet { series, warnings })
    }

    async fn label_names(&self, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        let Some(hidden) = self.hidden(&request.matchers) else { return self.source.label_names(request).await };
        let mut asked = request.clone();
        if asked.limit > 0 {
            asked.limit = asked.limit.saturating_add(hidden.len());
        }
        let mut names = self.source.label_names(&asked).await?;
        names.retain(|name| !hidden.contains(name));
        if request.limit > 0 {
            names.truncate(request.limit);
        }
        Ok(names)
    }

    async fn label_values(&self, name: &str, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        self.source.label_values(name, request).await
    }

    fn min_time(&self) -> Option<Timestamp> {
        self.source.min_time()
    }
}
