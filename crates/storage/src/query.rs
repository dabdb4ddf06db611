//! Asking for series: the request, the answer, the trait.

use std::sync::Arc;

use async_trait::async_trait;
use model::{Matcher, TimeRange, Timestamp};

use crate::chunk::ChunkError;
use crate::series::Series;

/// Which series, and which part of them.
#[derive(Debug, Clone)]
pub struct SelectRequest {
    /// All of them must match.
    pub matchers: Vec<Matcher>,
    /// Chunks that touch this range are wanted. The answer may hold more; the reader cuts.
    pub range: TimeRange,
    /// What the reader is going to do, for those who can save work by knowing it.
    pub hints: Hints,
}

impl SelectRequest {
    /// A request without hints.
    pub fn new(matchers: Vec<Matcher>, range: TimeRange) -> Self {
        SelectRequest { matchers, range, hints: Hints::default() }
    }

    /// The same for who knows series by their labels.
    pub fn with_all_labels(&self) -> Self {
        SelectRequest { hints: Hints { labels: None, ..self.hints.clone() }, ..self.clone() }
    }
}

/// What the reader is going to do with the series. A storage may ignore every one of them.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    /// The query's step in milliseconds, 0 for an instant.
    pub step_ms: i64,
    /// The length of the range selector in milliseconds, 0 where there is none.
    pub range_ms: i64,
    /// The function or aggregation around the selector, empty where there is none.
    pub func: String,
    /// Only the labels are wanted: chunks may be left out.
    pub labels_only: bool,
    /// At most so many series, 0 for all of them.
    pub limit: usize,
    /// Of each series only the newest sample of the range matters; the others may be left out.
    pub newest_only: bool,
    /// Only these labels matter, and the metric's name; the others may be left out. The series stay apart and in the order of all their
    /// labels, also where what is left of these is the same. Whoever knows series by their labels asks for all of them.
    pub labels: Option<Arc<[String]>>,
}

/// Which label names or values.
#[derive(Debug, Clone)]
pub struct LabelRequest {
    /// Only of series for which all of these match.
    pub matchers: Vec<Matcher>,
    /// Only of series with data in this range, as exactly as the storage can tell cheaply.
    pub range: TimeRange,
    /// At most so many answers, 0 for all of them.
    pub limit: usize,
}

/// Series in order of their labels, each label set once. An error ends the walk.
pub type SeriesIter = Box<dyn Iterator<Item = Result<Series, QueryError>> + Send>;

/// What a selection gives.
pub struct SeriesSet {
    /// The series. Everything that needs waiting for has been waited for: walking costs CPU only.
    pub series: SeriesIter,
    /// What a person should know about this answer, for example that a source could not be asked.
    pub warnings: Vec<String>,
}

impl SeriesSet {
    /// No series.
    pub fn empty() -> Self {
        SeriesSet { series: Box::new(std::iter::empty()), warnings: Vec::new() }
    }

    /// The given series, which must be sorted by labels.
    pub fn from_sorted(series: Vec<Series>) -> Self {
        SeriesSet { series: Box::new(series.into_iter().map(Ok)), warnings: Vec::new() }
    }
}

/// What to do about a failed query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryErrorKind {
    /// The same question may be answered later.
    Retry,
    /// The question must change: it asks for too much, or for something that can't be.
    Input,
    /// The data can't be read.
    Data,
}

/// A failed selection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// What to do about it.
    pub kind: QueryErrorKind,
    /// What happened, and where.
    pub message: String,
}

impl QueryError {
    /// The same question may be answered later.
    pub fn retry(message: impl Into<String>) -> Self {
        QueryError { kind: QueryErrorKind::Retry, message: message.into() }
    }

    /// The question must change.
    pub fn input(message: impl Into<String>) -> Self {
        QueryError { kind: QueryErrorKind::Input, message: message.into() }
    }

    /// The data can't be read.
    pub fn data(message: impl Into<String>) -> Self {
        QueryError { kind: QueryErrorKind::Data, message: message.into() }
    }
}

impl From<ChunkError> for QueryError {
    fn from(error: ChunkError) -> Self {
        QueryError::data(error.to_string())
    }
}

/// A storage that answers questions. Everything that waits (a bucket, a remote node) waits inside these calls; walking the
/// answer is pure CPU work.
#[async_trait]
pub trait Queryable: Send + Sync {
    /// The series that match, sorted by labels, with the chunks that touch the range.
    async fn select(&self, request: &SelectRequest) -> Result<SeriesSet, QueryError>;

    /// The names of labels, sorted, each once.
    async fn label_names(&self, request: &LabelRequest) -> Result<Vec<String>, QueryError>;

    /// The values of a label, sorted, each once.
    async fn label_values(&self, name: &str, request: &LabelRequest) -> Result<Vec<String>, QueryError>;

    /// The oldest time of which there may be data; `None` where there is nothing.
    fn min_time(&self) -> Option<Timestamp>;
}
