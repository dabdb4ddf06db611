//! An example of what was counted: usually a trace.

use crate::labels::Labels;
use crate::time::Timestamp;

/// One observation picked out of a series, with labels (`trace_id`) that lead to where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// Its own labels, not those of the series.
    pub labels: Labels,
    /// The observed value.
    pub value: f64,
    /// When.
    pub time: Timestamp,
}
