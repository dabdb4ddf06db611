//! The text format 0.0.4: `# HELP`, `# TYPE`, and lines of a series, a value and perhaps a timestamp in milliseconds.
//!
//! What is accepted is what Prometheus 3 accepts, quoted UTF-8 names (`{"my.metric","a.b"="c"}`) included. Two places are
//! stricter: a NUL byte outside a quoted text is an error where Prometheus stops reading without a word, and an empty name
//! of a metric or label is one at once.

pub(crate) mod error;
pub(crate) mod number;
mod parser;
pub(crate) mod series;

pub use error::ParseError;
pub use parser::{Description, Entry, Parser, Remark, SampleLine};
pub use series::parse_series;

#[cfg(test)]
mod tests;
