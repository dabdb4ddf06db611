//! Prometheus's test language for PromQL: `load`, `clear`, `eval`, `expect`.
//!
//! A script loads series into memory, evaluates queries and says what is to come out. [`run`] tells how many cases passed,
//! which failed and what came instead. The crate's own tests and `watershed test promql` run the same code.

mod classic;
mod compare;
mod literal;
mod memory;
mod notation;
mod runner;
mod script;
mod starts;
mod written;

pub use classic::NativeSeries;
pub use literal::{HistogramLiteral, written as written_histogram};
pub use memory::MemoryStorage;
pub use notation::{NotationError, SequenceValue, parse_series};
pub use runner::{CaseFailure, Report, run};
pub use script::{Command, Evaluation, Expectation, Load, ScriptError, TextMatch, When, parse_script};
pub use starts::Starts;
