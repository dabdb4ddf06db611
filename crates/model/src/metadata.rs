//! What a target says of a metric.

use crate::metric_type::MetricType;

/// Type, unit and help of a metric.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Metadata {
    /// Its kind.
    pub kind: MetricType,
    /// Its unit, empty where nobody said.
    pub unit: String,
    /// Its description, empty where nobody said.
    pub help: String,
}
