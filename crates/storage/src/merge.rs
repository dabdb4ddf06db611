//! One queryable made of several.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::try_join_all;
use model::{Labels, Timestamp};

use crate::query::{LabelRequest, QueryError, Queryable, SelectRequest, SeriesIter, SeriesSet};
use crate::series::Series;

/// Asks several sources at once and gives one answer: a series that several hold comes once, with the chunks of all.
/// Where two sources have a sample at the same time, that of the source that was given first counts if its chunk begins no
/// later; sources are expected to agree.
pub struct Merge {
    sources: Vec<Arc<dyn Queryable>>,
}

impl Merge {
    /// Merges `sources`.
    pub fn new(sources: Vec<Arc<dyn Queryable>>) -> Self {
        Merge { sources }
    }
}

#[async_trait]
impl Queryable for Merge {
    async fn select(&self, request: &SelectRequest) -> Result<SeriesSet, QueryError> {
        if let [source] = &self.sources[..] {
            return source.select(request).await;
        }
        let request = request.with_all_labels();
        let sets = try_join_all(self.sources.iter().map(|source| source.select(&request))).await?;
        Ok(merge_sets(sets, request.hints.limit))
    }

    async fn label_names(&self, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        let answers = try_join_all(self.sources.iter().map(|source| source.label_names(request))).await?;
        Ok(merge_strings(answers, request.limit))
    }

    async fn label_values(&self, name: &str, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        let answers = try_join_all(self.sources.iter().map(|source| source.label_values(name, request))).await?;
        Ok(merge_strings(answers, request.limit))
    }

    fn min_time(&self) -> Option<Timestamp> {
        self.sources.iter().filter_map(|source| source.min_time()).min()
    }
}

/// Merges lists of names or values into one, sorted, each once; `limit` 0 means all.
pub fn merge_strings(answers: Vec<Vec<String>>, limit: usize) -> Vec<String> {
    let mut all: Vec<String> = answers.into_iter().flatten().collect();
    all.sort_unstable();
    all.dedup();
    if limit > 0 {
        all.truncate(limit);
    }
    all
}

/// Merges sets that are each sorted by labels into one; `limit` 0 means all.
pub fn merge_sets(mut sets: Vec<SeriesSet>, limit: usize) -> SeriesSet {
    if sets.len() == 1 && limit == 0 {
        return sets.remove(0);
    }
    let mut warnings = Vec::new();
    let mut sources = Vec::new();
    for set in sets {
        warnings.extend(set.warnings);
        sources.push(set.series);
    }
    warnings.sort();
    warnings.dedup();
    let merged = MergeIter::new(sources);
    let series: SeriesIter = if limit > 0 { Box::new(merged.take(limit)) } else { Box::new(merged) };
    SeriesSet { series, warnings }
}

struct MergeIter {
    sources: Vec<SeriesIter>,
    /// The next series of each source that has one: by labels, then by the order of the sources.
    heads: BinaryHeap<Reverse<(Labels, usize)>>,
    /// The chunks that belong to the labels in `heads`.
    pending: Vec<Option<Series>>,
    failed: Option<QueryError>,
    started: bool,
}

impl MergeIter {
    fn new(sources: Vec<SeriesIter>) -> Self {
        let pending = sources.iter().map(|_| None).collect();
        MergeIter { sources, heads: BinaryHeap::new(), pending, failed: None, started: false }
    }

    fn advance(&mut self, source: usize) {
        match self.sources[source].next() {
            Some(Ok(series)) => {
                self.heads.push(Reverse((series.labels.clone(), source)));
                self.pending[source] = Some(series);
            }
            Some(Err(error)) => self.failed = Some(error),
            None => {}
        }
    }
}

impl Iterator for MergeIter {
    type Item = Result<Series, QueryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.started {
            self.started = true;
            (0..self.sources.len()).for_each(|source| self.advance(source));
        }
        if let Some(error) = self.failed.take() {
            self.heads.clear();
            return Some(Err(error));
        }
        let Reverse((labels, source)) = self.heads.pop()?;
        let mut series = self.pending[source].take()?;
        self.advance(source);
        let mut shared = false;
        while self.heads.peek().is_some_and(|Reverse((next, _))| *next == labels) {
            let Some(Reverse((_, other))) = self.heads.pop() else { break };
            series.chunks.extend(self.pending[other].take().into_iter().flat_map(|more| more.chunks));
            shared = true;
            self.advance(other);
        }
        if shared {
            series.chunks.sort_by_key(|chunk| chunk.min_time); // stable: earlier sources stay in front
        }
        Some(Ok(series))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::xor;

    fn series(name: &str, times: &[i64]) -> Series {
        let mut writer = xor::Writer::default();
        for t in times {
            writer.push(*t, 1.0);
        }
        Series { labels: Labels::from_pairs([("__name__", name)]), chunks: writer.finish().into_iter().collect() }
    }

    #[test]
    fn each_label_set_comes_once_in_order() {
        let sets = vec![
            SeriesSet::from_sorted(vec![series("a", &[5, 6]), series("c", &[1])]),
            SeriesSet::from_sorted(vec![series("a", &[1, 2]), series("b", &[1])]),
            SeriesSet::empty(),
        ];
        let merged: Vec<Series> = merge_sets(sets, 0).series.map(|s| s.expect("no errors")).collect();
        let names: Vec<_> = merged.iter().map(|s| s.labels.metric_name().to_owned()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(merged[0].chunks.iter().map(|c| c.min_time.as_ms()).collect::<Vec<_>>(), [1, 5]);
    }

    /// Gives one series that says whether all labels were asked for.
    struct Asked;

    #[async_trait]
    impl Queryable for Asked {
        async fn select(&self, request: &SelectRequest) -> Result<SeriesSet, QueryError> {
            let name = if request.hints.labels.is_none() { "all" } else { "some" };
            Ok(SeriesSet::from_sorted(vec![series(name, &[1])]))
        }

        async fn label_names(&self, _: &LabelRequest) -> Result<Vec<String>, QueryError> {
            Ok(Vec::new())
        }

        async fn label_values(&self, _: &str, _: &LabelRequest) -> Result<Vec<String>, QueryError> {
            Ok(Vec::new())
        }

        fn min_time(&self) -> Option<Timestamp> {
            None
        }
    }

    #[test]
    fn several_sources_are_asked_for_all_labels() {
        let mut request = SelectRequest::new(Vec::new(), model::TimeRange::ALL);
        request.hints.labels = Some([].into());
        for (sources, want) in [(1, "some"), (2, "all")] {
            let merge = Merge::new((0..sources).map(|_| Arc::new(Asked) as Arc<dyn Queryable>).collect());
            let set = futures::executor::block_on(merge.select(&request)).expect("selects");
            let names: Vec<_> = set.series.map(|s| s.expect("no errors").labels.metric_name().to_owned()).collect();
            assert_eq!(names, [want], "{sources}");
        }
    }

    #[test]
    fn an_error_ends_the_walk() {
        let broken: SeriesIter = Box::new([Ok(series("a", &[1])), Err(QueryError::data("broken"))].into_iter());
        let sets = vec![
            SeriesSet { series: broken, warnings: vec!["w".into()] },
            SeriesSet::from_sorted(vec![series("b", &[1]), series("c", &[1])]),
        ];
        let merged = merge_sets(sets, 0);
        assert_eq!(merged.warnings, ["w"]);
        let results: Vec<_> = merged.series.collect();
        assert!(results.iter().any(|r| r.is_err()));
        assert!(results.last().is_some_and(|r| r.is_err()));
    }

    #[test]
    fn limits_and_merges_strings() {
        let set = || vec![SeriesSet::from_sorted(vec![series("a", &[1]), series("b", &[1])])];
        assert_eq!(merge_sets(set(), 1).series.count(), 1);
        assert_eq!(merge_strings(vec![vec!["b".into(), "c".into()], vec!["a".into(), "b".into()]], 2), ["a", "b"]);
    }
}
