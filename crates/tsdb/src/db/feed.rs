//! Following what is committed, what is newest, and what has changed.

use std::sync::Arc;

use async_trait::async_trait;
use model::{Matcher, TimeRange, Timestamp};
use storage::{Feed, Follower, Mark, Newest, NewestSamples, QueryError, Revised, Revision};

use super::state::Db;
use crate::head::{Head, HeadFollower};

#[async_trait]
impl Feed for Db {
    /// Waits for the history of before the start, as questions do: without it nobody can be told from when on to read.
    async fn follow(&self, selectors: &[Vec<Matcher>]) -> Result<Arc<dyn Follower>, QueryError> {
        if let Some(reason) = self.history().await {
            return Err(QueryError::retry(reason));
        }
        Ok(Arc::new(HeadFollower::new(Arc::clone(&self.head), selectors)))
    }
}

#[async_trait]
impl Newest for Db {
    async fn newest(
        &self,
        selectors: &[Vec<Matcher>],
        since: Timestamp,
    ) -> Result<Option<Box<dyn NewestSamples>>, QueryError> {
        let range = TimeRange::new(since, Timestamp::MAX);
        if self.history().await.is_some()
            || self.blocks.load().blocks.iter().any(|block| block.meta().range().overlaps(range))
        {
            return Ok(None);
        }
        Ok(Head::newest(&self.head, selectors, since))
    }
}

impl Revised for Db {
    /// Says nothing for certain while the history of before the start is missing: it comes without commits.
    fn revised_since(&self, mark: Mark) -> Revision {
        if !self.loading.is_done() {
            return Revision { from: Timestamp::MIN, mark: Mark::default() };
        }
        let other = self.blocks.changes();
        let (from, commits) = self.head.committed_since(mark.commits);
        let is_of_now = other == mark.other && commits.run == mark.commits.run;
        let from = if is_of_now { from } else { Timestamp::MIN };
        Revision { from, mark: Mark { commits, other } }
    }
}
