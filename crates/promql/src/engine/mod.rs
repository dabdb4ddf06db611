//! Queries as a service: limits, cancellation, waiting for the storage, then evaluation.

mod result;

pub use result::{MatrixSeries, QueryResult, QueryStats, Value, VectorSample};
