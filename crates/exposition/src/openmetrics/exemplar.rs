//! An exemplar as it stands behind a sample: `# {trace_id="…"} 0.5 1700000000.123`.

use model::LabelsScratch;

use super::series::parse_exemplar_labels;
use crate::text::ParseError;

/// The most characters that the names and values of an exemplar's labels may have together (OpenMetrics 1.0). A longer one is
/// no error of the exposition: its reader drops it.
pub const EXEMPLAR_LABEL_CHARS_MAX: usize = 128;

/// An exemplar whose labels have been checked and not been built.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExemplarText<'a> {
    /// The labels with their braces, exactly as they stand in the line.
    pub labels: &'a [u8],
    /// The observed value; a `NaN` is never the stale marker.
    pub value: f64,
    /// Milliseconds since the epoch, where the exemplar has a timestamp.
    pub timestamp: Option<i64>,
}

impl ExemplarText<'_> {
    /// Parses the labels into `scratch`, which is cleared first, and tells whether they keep to
    /// [`EXEMPLAR_LABEL_CHARS_MAX`]. An error can't come from labels that a [`Parser`](super::Parser) gave.
    pub fn labels(&self, scratch: &mut LabelsScratch) -> Result<bool, ParseError> {
        scratch.clear();
        parse_exemplar_labels(self.labels, scratch)?;
        let chars: usize = scratch.pairs().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
        Ok(chars <= EXEMPLAR_LABEL_CHARS_MAX)
    }
}
