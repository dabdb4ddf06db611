//! Answering questions from the head and the blocks.

use async_trait::async_trait;
use model::{TimeRange, Timestamp};
use storage::{LabelRequest, QueryError, Queryable, SelectRequest, SeriesIter, SeriesSet, merge_sets};

use super::state::Db;

#[async_trait]
impl Queryable for Db {
    async fn select(&self, request: &SelectRequest) -> Result<SeriesSet, QueryError> {
        let warnings: Vec<String> = self.history().await.into_iter().collect();
        if !self.blocks_overlap(request.range) {
            let series = self.select_head(request)?;
            // Nothing was cut out of it in between.
            if !self.blocks_overlap(request.range) {
                return Ok(SeriesSet { series: limited(series, request.hints.limit), warnings });
            }
        }
        // The head is asked first: what is cut out of it in between is in a block by the time the blocks are looked at.
        let request = request.with_all_labels();
        let head = self.select_head(&request)?;
        let SelectRequest { matchers, range, hints } = &request;
        let mut sets = Vec::new();
        for block in &self.blocks.load().blocks {
            if block.meta().range().overlaps(*range) {
                let series = block.select(matchers, *range, hints.labels_only)?;
                sets.push(SeriesSet { series, warnings: Vec::new() });
            }
        }
        sets.push(SeriesSet { series: head, warnings });
        Ok(merge_sets(sets, hints.limit))
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
    /// What the head has, sorted by labels.
    fn select_head(&self, request: &SelectRequest) -> Result<SeriesIter, QueryError> {
        if !self.head_overlaps(request.range) {
            return Ok(Box::new(std::iter::empty()));
        }
        if request.hints.labels_only {
            return Ok(Box::new(self.head.select_labels(&request.matchers, request.range).into_iter().map(Ok)));
        }
        self.head.select(request)
    }

    fn blocks_overlap(&self, range: TimeRange) -> bool {
        self.blocks.load().blocks.iter().any(|block| block.meta().range().overlaps(range))
    }

    fn head_overlaps(&self, range: TimeRange) -> bool {
        self.head.whole_range().is_some_and(|head| range.overlaps(head))
    }
}

fn limited(series: SeriesIter, limit: usize) -> SeriesIter {
    if limit > 0 { Box::new(series.take(limit)) } else { series }
}

fn tidied(mut all: Vec<String>, limit: usize) -> Vec<String> {
    all.sort_unstable();
    all.dedup();
    if limit > 0 {
        all.truncate(limit);
    }
    all
}
