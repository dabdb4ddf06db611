//! What a query gives.

use model::{FloatHistogram, Labels, Sample, Timestamp};
use storage::Samples;

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
}
