//! Queries as a service: limits, cancellation, waiting for the storage, then evaluation.

mod result;
mod run;
mod service;
mod small;
mod watch;

pub use result::{MatrixSeries, QueryResult, QueryStats, Value, VectorSample};
pub use service::{Engine, EngineOptions};
pub use watch::{Asker, EndedQuery, Origin, QueryDurations, QueryWatch};
