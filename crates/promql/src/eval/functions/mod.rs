//! What the functions compute, one file per family. They know columns and samples, not the tree.

pub(crate) mod absent;
pub(crate) mod date;
pub(crate) mod extended;
pub(crate) mod extrapolation;
pub(crate) mod histogram;
pub(crate) mod label;
pub(crate) mod math;
pub(crate) mod monotonic;
pub(crate) mod over_time;
pub(crate) mod range;
pub(crate) mod rate;
pub(crate) mod sort;
mod started;
pub(crate) mod trend;
