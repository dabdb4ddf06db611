//! What a query gives.

use std::time::Duration;

use model::{FloatHistogram, Labels, Sample, Timestamp};
use storage::Samples;

use crate::engine::explanation::Explanation;

/// One sample of an instant vector.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorSample {
    /// Of which series.
    pub labels: Labels,
    /// When; the time of the query.
    pub time: Timestamp,
    /// What; 0 where it is a histogram.
    pub value: f64,
    /// The native histogram, if it is one.
    pub histogram: Option<Box<FloatHistogram>>,
}

/// One series of a range.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixSeries {
    /// Which series.
    pub labels: Labels,
    /// Its samples; at least one.
    pub samples: Samples,
}

/// The value of a query.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number at the time of the query.
    Scalar(Sample),
    /// A text at the time of the query.
    String(Timestamp, String),
    /// At most one sample per series, in the order of the expression where it has one (`sort`, `topk`).
    Vector(Vec<VectorSample>),
    /// Series sorted by labels. A range query always gives this.
    Matrix(Vec<MatrixSeries>),
}

impl Value {
    /// The name of the type in Prometheus's API.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Scalar(_) => "scalar",
            Value::String(..) => "string",
            Value::Vector(_) => "vector",
            Value::Matrix(_) => "matrix",
        }
    }
}

/// What a query cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueryStats {
    /// Series that were read from the storage.
    pub series: u64,
    /// Samples that were decoded, each once.
    pub samples: u64,
    /// The most samples that were held at one time.
    pub peak_samples: u64,
}

/// How many samples a query looked at, step by step, counted as Prometheus counts them: a histogram by its size, and what several steps
/// look at for each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepSamples {
    /// The first step.
    pub start: Timestamp,
    /// The distance of the steps, milliseconds.
    pub step_ms: i64,
    /// Per step those that it looked at: of a range all of them, of an instant selector one per series.
    pub queryable: Vec<u64>,
    /// Per step those of them that no step before had looked at; of a subquery, what its expression reads.
    pub read: Vec<u64>,
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

/// The answer to a query.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryResult {
    /// The value.
    pub value: Value,
    /// What may make the answer wrong, each once, sorted.
    pub warnings: Vec<String>,
    /// What may point to a mistake in the query, each once, sorted.
    pub infos: Vec<String>,
    /// What it cost.
    pub stats: QueryStats,
    /// How long it took.
    pub times: QueryDurations,
    /// What its steps looked at, where that was asked for.
    pub step_samples: Option<StepSamples>,
    /// What its parts cost, where that was asked for.
    pub explanation: Option<Explanation>,
}
