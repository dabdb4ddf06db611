//! Who is told of an engine's queries: what runs, and what has ended.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;
use tokio::time::Instant;

use crate::engine::result::{QueryResult, QueryStats};
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
    /// How long it took.
    pub times: QueryDurations,
}

/// How long the parts of a query took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueryDurations {
    /// Waiting for others to end.
    pub queue: Duration,
    /// Asking the storage.
    pub preparation: Duration,
    /// Evaluating.
    pub evaluation: Duration,
    /// All of it.
    pub total: Duration,
}

/// A query under way whose end somebody wants to know. Dropped before its end it was canceled.
pub(crate) struct Watched<'a> {
    watch: &'a Arc<dyn QueryWatch>,
    query: String,
    asker: Option<&'a Asker>,
    span: (Timestamp, Timestamp, i64),
    began: Instant,
    /// When the last part ended.
    at: Instant,
    times: QueryDurations,
    is_told: bool,
}

impl<'a> Watched<'a> {
    /// A query that has just been asked; `span` is its first step, its last and their distance.
    pub(crate) fn new(
        watch: &'a Arc<dyn QueryWatch>,
        origin: Option<&'a Origin>,
        printed: impl FnOnce() -> String,
        span: (Timestamp, Timestamp, i64),
    ) -> Self {
        let now = Instant::now();
        let query = origin.and_then(|origin| origin.query.clone()).unwrap_or_else(printed);
        let (asker, times) = (origin.map(|origin| &origin.asker), QueryDurations::default());
        Watched { watch, query, asker, span, began: now, at: now, times, is_told: false }
    }

    /// It has waited long enough.
    pub(crate) fn starts(&mut self) -> Box<dyn Send> {
        self.times.queue = self.lap();
        self.watch.began(&self.query)
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

    /// Tells its end.
    pub(crate) fn end(mut self, result: &Result<QueryResult, QueryFailure>) {
        let stats = result.as_ref().map(|result| result.stats).unwrap_or_default();
        self.tell(result.as_ref().err(), stats);
    }

    fn tell(&mut self, error: Option<&QueryFailure>, stats: QueryStats) {
        self.is_told = true;
        let (start, end, step_ms) = self.span;
        let times = QueryDurations { total: self.began.elapsed(), ..self.times };
        self.watch.ended(&EndedQuery {
            query: &self.query,
            asker: self.asker,
            start,
            end,
            step_ms,
            error,
            stats,
            times,
        });
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if !self.is_told {
            self.tell(Some(&QueryFailure::Canceled), QueryStats::default());
        }
    }
}
