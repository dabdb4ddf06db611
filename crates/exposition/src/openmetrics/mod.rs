//! The OpenMetrics text format 1.0: `# HELP`, `# TYPE`, `# UNIT`, lines of a series, a value, perhaps a timestamp in seconds and
//! an exemplar, and `# EOF` at the end.
//!
//! What is accepted is what Prometheus 3 accepts, quoted UTF-8 names included. The format is stricter than the text format:
//! one space between the parts of a line and none elsewhere, no comments, no empty lines, a comma between labels. Stricter
//! than Prometheus: an empty name of a metric or label, a label given twice and a timestamp beyond 64 bits are errors at once,
//! and all text must be UTF-8. `_created` lines are samples like any other
//! here; a reader may take them for what they say.

mod exemplar;
mod locate;
mod parser;
mod series;
mod timestamp;

pub use exemplar::{EXEMPLAR_LABEL_CHARS_MAX, ExemplarText};
pub use parser::{Entry, Parser, SampleLine};
pub use series::parse_series;

#[cfg(test)]
mod tests;
