//! Answering questions from the head and the blocks.

use async_trait::async_trait;
use model::{TimeRange, Timestamp};
use storage::{LabelRequest, QueryError, Queryable, SelectRequest, Series, SeriesSet, merge_sets};

use super::state::Db;

#[async_trait]
impl Queryable for Db {
    async fn select(&self, request: &SelectRequest) -> Result<SeriesSet, QueryError> {
        let SelectRequest { matchers, range, hints } = request;
        let warning = self.history().await;
        // The head is asked first: what is cut out of it in between is in a block by the time the blocks are looked at.
        let head: Vec<Series> = if self.head_overlaps(*range) {
            if hints.labels_only {
                self.head.select_labels(matchers, *range)
            } else {
                self.head.select(matchers, *range)?
            }
        } else {
            Vec::new()
        };
        let mut sets = Vec::new();
        for block in &self.blocks.load().blocks {
            if block.meta().range().overlaps(*range) {
                let series = block.select(matchers, *range, hints.labels_only)?;
                sets.push(SeriesSet { series, warnings: Vec::new() });
            }
        }
        sets.push(SeriesSet::from_sorted(head));
        let mut set = merge_sets(sets, hints.limit);
        set.warnings.extend(warning);
        Ok(set)
    }

    async fn label_names(&self, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        self.history().await;
        let mut names = if self.head_overlaps(request.range) { self.head.label_names(request) } else { Vec::new() };
        for block in &self.blocks.load().blocks {
            if block.meta().range().overlaps(request.range) {
                names.extend(block.label_names(request)?);
            }
        }
        Ok(tidied(names, request.limit))
    }

    async fn label_values(&self, name: &str, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        self.history().await;
        let in_head = self.head_overlaps(request.range);
        let mut values = if in_head { self.head.label_values(name, request) } else { Vec::new() };
        for block in &self.blocks.load().blocks {
            if block.meta().range().overlaps(request.range) {
                values.extend(block.label_values(name, request)?);
            }
        }
        Ok(tidied(values, request.limit))
    }

    fn min_time(&self) -> Option<Timestamp> {
        self.oldest()
    }
}

impl Db {
    fn head_overlaps(&self, range: TimeRange) -> bool {
        self.head.whole_range().is_some_and(|head| range.overlaps(head))
    }
}

fn tidied(mut all: Vec<String>, limit: usize) -> Vec<String> {
    all.sort_unstable();
    all.dedup();
    if limit > 0 {
        all.truncate(limit);
    }
    all
}
