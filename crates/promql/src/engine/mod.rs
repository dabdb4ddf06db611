//! Queries as a service: limits, cancellation, waiting for the storage, then evaluation.

mod detail;
mod explanation;
mod result;
mod run;
mod service;
mod small;
mod watch;

pub use detail::Detail;
pub use explanation::Explanation;
pub use result::{MatrixSeries, QueryDurations, QueryResult, QueryStats, StepSamples, Value, VectorSample};
pub use service::{Engine, EngineOptions};
pub use watch::{Asker, EndedQuery, Origin, QueryWatch};
