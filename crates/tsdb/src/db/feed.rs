//! Following what is committed, and what is newest.

use std::sync::Arc;

use async_trait::async_trait;
use model::{Matcher, TimeRange};
use storage::{Feed, Follower, Newest, NewestSamples, QueryError};

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
        range: TimeRange,
    ) -> Result<Option<Box<dyn NewestSamples>>, QueryError> {
        if self.history().await.is_some()
            || self.blocks.load().blocks.iter().any(|block| block.meta().range().overlaps(range))
        {
            return Ok(None);
        }
        Ok(Head::newest(&self.head, selectors, range))
    }
}
