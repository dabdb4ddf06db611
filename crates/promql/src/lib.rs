//! PromQL: the language and the engine that answers it over a [`storage::Queryable`].
//!
//! Text becomes a tree ([`parse`]), the tree a value ([`Engine`]). The parser is our own because no published one gives
//! spans and the whole of Prometheus 3's language; the engine is our own because the published ones walk step by step over
//! whole vectors, and decode a chunk once per step.
//!
//! # How a query is answered
//!
//! 1. Every selector is sent to the storage once, for the whole range of the query, all at the same time.
//!    With each goes what of it matters: of an instant the newest samples, of what is aggregated the labels of the grouping. A head
//!    in memory has these without decoding a chunk or making a label.
//! 2. On a blocking thread, or at once where little is read, the tree is evaluated **series by series**: an expression gives series, each a column with one
//!    place per step. A series' chunks are decoded once; functions over ranges walk the decoded samples with two indices.
//!    Decoded samples are dropped before the next series is read.
//! 3. An aggregation takes its operand series by series into one column per group, so `sum by (job) (rate(m[5m]))` holds
//!    groups, not series.
//! 4. What doesn't depend on the step (`@`) is evaluated for one step.
//! 5. Where there are many series, a second thread reads and decodes them ahead, and leaves decoding to the first one whenever that
//!    has nothing to do. Their order stays, and so does every bit of the result.
//!
//! # What a query tells of itself
//!
//! Series read, samples decoded and held, and the durations of its parts come with every answer. Two things take time to find out and
//! come only where they are asked for ([`Detail`]): how many samples each step looked at, counted as Prometheus counts them
//! ([`StepSamples`]), and what each node of the tree cost ([`Explanation`]). Where nobody asks, nodes look at an option and
//! nothing is done per sample.
//!
//! The semantics are Prometheus 3's: ranges and lookback are open on the left, a stale marker ends a series at once. Start timestamps, where
//! samples have them, tell of counter resets if [`ParseOptions::start_timestamps`] says so.
//!
//! # What it doesn't do
//!
//! There is no HTTP here, and no cache.

mod engine;
mod eval;
mod syntax;
pub mod testlang;

pub use engine::{
    Asker, Detail, EndedQuery, Engine, EngineOptions, Explanation, MatrixSeries, Origin, QueryDurations, QueryResult,
    QueryStats, QueryWatch, StepSamples, Value, VectorSample,
};
pub use eval::{QueryFailure, TooManyBytes};
pub use syntax::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Boundary, Call, Cardinality, DurationExpr, DurationKind, Expr,
    ExprKind, Function, Length, LengthError, Matching, Number, ParseError, ParseOptions, Pretty, QueryTimes, Selector,
    Span, StringLiteral, Subquery, UnaryOp, ValueType, functions, parse, parse_selectors, parse_with,
};
