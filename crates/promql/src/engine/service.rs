//! The engine: it asks the storage, evaluates on a blocking thread what isn't small, and keeps the limits.
//!
//! Dropping a query's future cancels it: the evaluation sees a flag before each series and ends. The slot of a query is
//! free again when its evaluation has ended, not when its future has.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::try_join_all;
use model::Timestamp;
use storage::Queryable;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::engine::detail::Detail;
use crate::engine::explanation::SelectTimes;
use crate::engine::result::QueryResult;
use crate::engine::run::{QueryKind, run};
use crate::engine::small::is_small;
use crate::engine::watch::{Asker, Origin, QueryWatch, Underway};
use crate::eval::{
    Answers, Budget, Context, Limits, Notes, QueryFailure, Selection, SelectorKey, Share, Steps, selections,
};
use crate::syntax::{Expr, ParseError, ParseOptions, QueryTimes, parse_with};

/// The limits of an engine. The defaults are Prometheus's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineOptions {
    /// How old a sample may be to count at a step, milliseconds.
    pub lookback_ms: i64,
    /// How long a query may take, waiting included.
    pub timeout: Duration,
    /// How many samples a query may hold at one time.
    pub max_samples: usize,
    /// How many bytes a query may hold at one time, 0 for any number.
    pub max_bytes: u64,
    /// How many bytes all queries may hold together, 0 for any number. Rules count and are never refused.
    pub max_total_bytes: u64,
    /// How many queries may run at one time; others wait.
    pub max_concurrency: usize,
    /// The step of subqueries that give none, milliseconds: the evaluation interval of rules.
    pub subquery_step_ms: i64,
    /// What of the language its queries may use.
    pub language: ParseOptions,
    /// Whether whoever wants to know what a query looked at is told step by step; Prometheus's `promql-per-step-stats`.
    pub per_step_stats: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions {
            lookback_ms: 300_000,
            timeout: Duration::from_secs(120),
            max_samples: 50_000_000,
            max_bytes: 0,
            max_total_bytes: 0,
            max_concurrency: 20,
            subquery_step_ms: 60_000,
            language: ParseOptions::default(),
            per_step_stats: false,
        }
    }
}

/// Answers queries. Cheap to clone; clones share the limits.
#[derive(Debug, Clone)]
pub struct Engine {
    options: EngineOptions,
    slots: Arc<Semaphore>,
    budget: Arc<Budget>,
    watch: Option<Arc<dyn QueryWatch>>,
    origin: Option<Arc<Origin>>,
    detail: Detail,
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
        let budget = Arc::new(Budget::new(options.max_total_bytes));
        Engine { options, slots: slots(&options), budget, watch: None, origin: None, detail: Detail::default() }
    }

    /// The limits.
    pub fn options(&self) -> EngineOptions {
        self.options
    }

    /// The same engine with as many queries at a time of its own; bytes they share.
    pub fn beside(&self) -> Self {
        Engine { slots: slots(&self.options), ..self.clone() }
    }

    /// How many bytes the queries hold that run.
    pub fn held_bytes(&self) -> u64 {
        self.budget.held()
    }

    /// Reads an expression.
    pub fn parse(&self, text: &str) -> Result<Expr, ParseError> {
        parse_with(text, self.options.language)
    }

    /// The same engine, sharing the number of queries at a time, with another lookback.
    pub fn with_lookback(&self, lookback_ms: i64) -> Self {
        Engine { options: EngineOptions { lookback_ms, ..self.options }, ..self.clone() }
    }

    /// The same engine, sharing the number of queries at a time; somebody is told of its queries.
    pub fn watched_by(&self, watch: Arc<dyn QueryWatch>) -> Self {
        Engine { watch: Some(watch), ..self.clone() }
    }

    /// The same engine, sharing the number of queries at a time, for queries that come from there.
    pub fn asked_by(&self, origin: Origin) -> Self {
        Engine { origin: Some(Arc::new(origin)), ..self.clone() }
    }

    /// The same engine, sharing the number of queries at a time, for queries that are to tell so much of themselves.
    pub fn telling(&self, detail: Detail) -> Self {
        Engine { detail, ..self.clone() }
    }

    /// Evaluates `expr` at `time`.
    pub async fn instant(
        &self,
        source: Arc<dyn Queryable>,
        expr: &Expr,
        time: Timestamp,
    ) -> Result<QueryResult, QueryFailure> {
        let steps = Steps { first: time.as_ms(), step: 1, count: 1 };
        let times = QueryTimes { step_ms: 0, range_ms: 0 };
        self.query(source, expr, times, steps, QueryKind::Instant).await
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
        let times = QueryTimes { step_ms, range_ms: end.as_ms().saturating_sub(start.as_ms()) };
        self.query(source, expr, times, steps, QueryKind::Range).await
    }

    /// What its queries are to tell of themselves: to whom asks, and to whom watches.
    fn detail(&self) -> Detail {
        let is_counted = self.watch.as_ref().is_some_and(|watch| watch.counts_samples());
        Detail { step_samples: self.detail.step_samples || is_counted, ..self.detail }
    }

    async fn query(
        &self,
        source: Arc<dyn Queryable>,
        expr: &Expr,
        times: QueryTimes,
        steps: Steps,
        kind: QueryKind,
    ) -> Result<QueryResult, QueryFailure> {
        let span = (Timestamp::from_ms(steps.first), Timestamp::from_ms(steps.last()), times.step_ms);
        let printed = || expr.to_string();
        let mut underway = Underway::new(self.watch.as_ref(), self.origin.as_deref(), printed, span);
        let mut result = self.answer(source, expr, times, steps, kind, &mut underway).await;
        underway.end(&mut result);
        result
    }

    async fn answer(
        &self,
        source: Arc<dyn Queryable>,
        expr: &Expr,
        times: QueryTimes,
        steps: Steps,
        kind: QueryKind,
        underway: &mut Underway<'_>,
    ) -> Result<QueryResult, QueryFailure> {
        let mut expr = expr.clone();
        expr.resolve(times)?;
        let deadline = Instant::now() + self.options.timeout;
        let slot = match timeout_at(deadline, Arc::clone(&self.slots).acquire_owned()).await {
            Ok(Ok(slot)) => slot,
            Ok(Err(_)) => return Err(QueryFailure::Canceled),
            Err(_) => return Err(QueryFailure::Timeout("query queue")),
        };
        let running = underway.starts();
        let canceled = Arc::new(AtomicBool::new(false));
        let _cancel = CancelOnDrop(Arc::clone(&canceled));
        let is_rule = self.origin.as_ref().is_some_and(|origin| matches!(origin.asker, Asker::RuleGroup { .. }));
        let share = Share::new(Arc::clone(&self.budget), self.options.max_bytes, is_rule);
        let limits = Limits::new(self.options.max_samples as u64, share, deadline.into_std(), canceled);
        limits.hold(steps.count)?;
        let context = Context {
            query: steps,
            end: steps.first.saturating_add(times.range_ms),
            lookback_ms: self.options.lookback_ms.max(1),
            subquery_step_ms: self.options.subquery_step_ms.max(1),
            delays_names: self.options.language.delayed_name_removal,
            uses_starts: self.options.language.start_timestamps,
            limits,
            notes: Notes::default(),
        };
        // The tree is shared with the thread that evaluates it; its selectors are known by their place in it.
        let expr = Arc::new(expr);
        let asked = selections(&expr, steps, &context);
        let detail = self.detail();
        let (mut answers, selects) = match timeout_at(deadline, ask(source.as_ref(), &asked, detail)).await {
            Ok(answers) => answers?,
            Err(_) => return Err(QueryFailure::Timeout("query execution")),
        };
        underway.is_prepared();
        let is_small = is_small(&expr, steps, answers.iter_mut().map(|(_, answer)| answer));
        let evaluate = move || {
            let result = run(&expr, kind, &context, (&Answers::new(answers), &selects), detail);
            drop(running);
            drop(slot);
            result
        };
        if is_small {
            let result = catch_unwind(AssertUnwindSafe(evaluate));
            underway.is_evaluated();
            return result.unwrap_or_else(|_| Err(QueryFailure::Execution("the evaluation panicked".to_owned())));
        }
        let task = tokio::task::spawn_blocking(evaluate);
        let result = timeout_at(deadline, task).await;
        underway.is_evaluated();
        match result {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(QueryFailure::Execution(format!("the evaluation ended unexpectedly: {error}"))),
            Err(_) => Err(QueryFailure::Timeout("expression evaluation")),
        }
    }
}

fn slots(options: &EngineOptions) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(options.max_concurrency.clamp(1, Semaphore::MAX_PERMITS)))
}

/// Asks the storage for everything at the same time; it is timed where the query is to be explained.
async fn ask(
    source: &dyn Queryable,
    asked: &[Selection],
    detail: Detail,
) -> Result<(Vec<(SelectorKey, storage::SeriesSet)>, SelectTimes), QueryFailure> {
    let selects = asked.iter().map(|selection| async move {
        let began = detail.explanation.then(Instant::now);
        let answer = source.select(&selection.request).await?;
        Ok::<_, QueryFailure>(((selection.key, answer), began.map(|began| (selection.key, began.elapsed()))))
    });
    let (answers, times): (Vec<_>, Vec<_>) = try_join_all(selects).await?.into_iter().unzip();
    Ok((answers, times.into_iter().flatten().collect()))
}
