//! What an expression gives.

use std::fmt;

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// One number per step.
    Scalar,
    /// A text.
    String,
    /// At most one sample per series and step.
    Vector,
    /// A range of samples per series and step.
    Matrix,
}

impl fmt::Display for ValueType {
    /// The words that Prometheus documents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueType::Scalar => "scalar",
            ValueType::String => "string",
            ValueType::Vector => "instant vector",
            ValueType::Matrix => "range vector",
        })
    }
}
