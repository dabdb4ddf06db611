//! Who is told of an engine's queries: what runs, and what has ended.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;
use tokio::time::Instant;

use crate::engine::result::{QueryDurations, QueryResult, QueryStats, StepSamples};
use crate::eval::QueryFailure;

/// On whose behalf a query is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// Somebody over HTTP.
    Request {
        /// The client's address, without its port; empty where it isn't known.
        client: String,
        /// `GET`, `POST`.
        method: String,
        /// Below which path.
        path: String,
    },
    /// A rule.
    RuleGroup {
        /// The file of the group.
        file: String,
        /// Its name.
        name: String,
    },
}

/// Where a query comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The query as it came; `None` is the expression as it is printed.
    pub query: Option<String>,
    /// On whose behalf.
    pub asker: Asker,
}

/// Is told of every query of an engine. Called between others' queries: whoever takes long delays them.
pub trait QueryWatch: Send + Sync + fmt::Debug {
    /// The evaluation of a query begins. What this gives is dropped when it has ended, however it ended; after a query that nobody
    /// waits for any more that is later than [`ended`](QueryWatch::ended).
    fn began(&self, query: &str) -> Box<dyn Send>;

    /// Whether it wants to know what the steps of a query look at, which takes time to count.
    fn counts_samples(&self) -> bool;

    /// A query has ended.
    fn ended(&self, query: &EndedQuery<'_>);
}

/// A query that has ended.
#[derive(Debug)]
pub struct EndedQuery<'a> {
    /// The query.
    pub query: &'a str,
    /// On whose behalf it was asked, if that is known.
    pub asker: Option<&'a Asker>,
    /// The first step.
    pub start: Timestamp,
    /// The last step.
    pub end: Timestamp,
    /// The distance of the steps in milliseconds; 0 for an instant query.
    pub step_ms: i64,
    /// Why there is no answer, if there is none.
    pub error: Option<&'a QueryFailure>,
    /// What it cost; nothing where it failed.
    pub stats: QueryStats,
    /// What its steps looked at, where that was counted.
    pub step_samples: Option<&'a StepSamples>,
    /// How long it took.
    pub times: QueryDurations,
}

/// A query under way, and what it took so far. Dropped before its end it was canceled.
pub(crate) struct Underway<'a> {
    /// Who wants to know its end.
    watch: Option<&'a Arc<dyn QueryWatch>>,
    query: String,
    asker: Option<&'a Asker>,
    span: (Timestamp, Timestamp, i64),
    began: Instant,
    /// When the last part ended.
    at: Instant,
    times: QueryDurations,
}

impl<'a> Underway<'a> {
    /// A query that has just been asked; `span` is its first step, its last and their distance.
    pub(crate) fn new(
        watch: Option<&'a Arc<dyn QueryWatch>>,
        origin: Option<&'a Origin>,
        printed: impl FnOnce() -> String,
        span: (Timestamp, Timestamp, i64),
    ) -> Self {
        let now = Instant::now();
        let query = watch.map(|_| origin.and_then(|origin| origin.query.clone()).unwrap_or_else(printed));
        let (asker, times) = (origin.map(|origin| &origin.asker), QueryDurations::default());
        Underway { watch, query: query.unwrap_or_default(), asker, span, began: now, at: now, times }
    }

    /// It has waited long enough.
    pub(crate) fn starts(&mut self) -> Option<Box<dyn Send>> {
        self.times.queue = self.lap();
        self.watch.map(|watch| watch.began(&self.query))
    }

    /// The storage has answered.
    pub(crate) fn is_prepared(&mut self) {
        self.times.preparation = self.lap();
    }

    /// It has been evaluated.
    pub(crate) fn is_evaluated(&mut self) {
        self.times.evaluation = self.lap();
    }

    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.at, now)
    }

    /// Tells its end, and the result how long it took.
    pub(crate) fn end(mut self, result: &mut Result<QueryResult, QueryFailure>) {
        self.times.total = self.began.elapsed();
        if let Ok(result) = result {
            result.times = self.times;
        }
        if let Some(watch) = self.watch.take() {
            self.tell(watch, result.as_ref());
        }
    }

    fn tell(&self, watch: &Arc<dyn QueryWatch>, result: Result<&QueryResult, &QueryFailure>) {
        let (start, end, step_ms) = self.span;
        watch.ended(&EndedQuery {
            query: &self.query,
            asker: self.asker,
            start,
            end,
            step_ms,
            error: result.err(),
            stats: result.map(|result| result.stats).unwrap_or_default(),
            step_samples: result.ok().and_then(|result| result.step_samples.as_ref()),
            times: self.times,
        });
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.take() {
            self.times.total = self.began.elapsed();
            self.tell(watch, Err(&QueryFailure::Canceled));
        }
    }
}
