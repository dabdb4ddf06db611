//! The engine: it asks the storage, evaluates on a blocking thread, and keeps the limits.
//!
//! Dropping a query's future cancels it: the evaluation sees a flag before each series and ends. The slot of a query is
//! free again when its evaluation has ended, not when its future has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::try_join_all;
use model::Timestamp;
use storage::Queryable;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::engine::result::QueryResult;
use crate::engine::run::{QueryKind, run};
use crate::eval::{Answers, Context, Limits, Notes, QueryFailure, Selection, SelectorKey, Steps, selections};
use crate::syntax::Expr;

/// The limits of an engine. The defaults are Prometheus's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineOptions {
    /// How old a sample may be to count at a step, milliseconds.
    pub lookback_ms: i64,
    /// How long a query may take, waiting included.
    pub timeout: Duration,
    /// How many samples a query may hold at one time.
    pub max_samples: usize,
    /// How many queries may run at one time; others wait.
    pub max_concurrency: usize,
    /// The step of subqueries that give none, milliseconds: the evaluation interval of rules.
    pub subquery_step_ms: i64,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions {
            lookback_ms: 300_000,
            timeout: Duration::from_secs(120),
            max_samples: 50_000_000,
            max_concurrency: 20,
            subquery_step_ms: 60_000,
        }
    }
}

/// Answers queries. Cheap to clone; clones share the limits.
#[derive(Debug, Clone)]
pub struct Engine {
    options: EngineOptions,
    slots: Arc<Semaphore>,
}

/// Tells the evaluation that nobody waits any more.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Engine {
    /// An engine with these limits.
    pub fn new(options: EngineOptions) -> Self {
        Engine { options, slots: Arc::new(Semaphore::new(options.max_concurrency.clamp(1, Semaphore::MAX_PERMITS))) }
    }

    /// The limits.
    pub fn options(&self) -> EngineOptions {
        self.options
    }

    /// The same engine, sharing the number of queries at a time, with another lookback.
    pub fn with_lookback(&self, lookback_ms: i64) -> Self {
        Engine { options: EngineOptions { lookback_ms, ..self.options }, slots: Arc::clone(&self.slots) }
    }

    /// Evaluates `expr` at `time`.
    pub async fn instant(
        &self,
        source: Arc<dyn Queryable>,
        expr: &Expr,
        time: Timestamp,
    ) -> Result<QueryResult, QueryFailure> {
        let steps = Steps { first: time.as_ms(), step: 1, count: 1 };
        self.query(source, expr, steps, QueryKind::Instant).await
    }

    /// Evaluates `expr` from `start` to `end`, both included, every `step_ms` milliseconds. The value is always a matrix.
    pub async fn range(
        &self,
        source: Arc<dyn Queryable>,
        expr: &Expr,
        start: Timestamp,
        end: Timestamp,
        step_ms: i64,
    ) -> Result<QueryResult, QueryFailure> {
        if step_ms <= 0 {
            let message = "zero or negative query resolution step widths are not accepted".to_owned();
            return Err(QueryFailure::Execution(message));
        }
        let steps = Steps::between(start.as_ms(), end.as_ms(), step_ms);
        self.query(source, expr, steps, QueryKind::Range).await
    }

    async fn query(
        &self,
        source: Arc<dyn Queryable>,
        expr: &Expr,
        steps: Steps,
        kind: QueryKind,
    ) -> Result<QueryResult, QueryFailure> {
        let deadline = Instant::now() + self.options.timeout;
        let slot = match timeout_at(deadline, Arc::clone(&self.slots).acquire_owned()).await {
            Ok(Ok(slot)) => slot,
            Ok(Err(_)) => return Err(QueryFailure::Canceled),
            Err(_) => return Err(QueryFailure::Timeout("query queue")),
        };
        let canceled = Arc::new(AtomicBool::new(false));
        let _cancel = CancelOnDrop(Arc::clone(&canceled));
        let limits = Limits::new(self.options.max_samples as u64, deadline.into_std(), canceled);
        limits.hold(steps.count)?;
        let context = Context {
            query: steps,
            lookback_ms: self.options.lookback_ms.max(1),
            subquery_step_ms: self.options.subquery_step_ms.max(1),
            limits,
            notes: Notes::default(),
        };
        // The tree is shared with the thread that evaluates it; its selectors are known by their place in it.
        let expr = Arc::new(expr.clone());
        let asked = selections(&expr, steps, &context);
        let answers = match timeout_at(deadline, ask(source.as_ref(), &asked)).await {
            Ok(answers) => answers?,
            Err(_) => return Err(QueryFailure::Timeout("query execution")),
        };
        let task = tokio::task::spawn_blocking(move || {
            let result = run(&expr, kind, &context, &Answers::new(answers));
            drop(slot);
            result
        });
        match timeout_at(deadline, task).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(QueryFailure::Execution(format!("the evaluation ended unexpectedly: {error}"))),
            Err(_) => Err(QueryFailure::Timeout("expression evaluation")),
        }
    }
}

/// Asks the storage for everything at the same time.
async fn ask(
    source: &dyn Queryable,
    asked: &[Selection],
) -> Result<Vec<(SelectorKey, storage::SeriesSet)>, QueryFailure> {
    let answers = asked
        .iter()
        .map(|selection| async move { source.select(&selection.request).await.map(|answer| (selection.key, answer)) });
    Ok(try_join_all(answers).await?)
}
