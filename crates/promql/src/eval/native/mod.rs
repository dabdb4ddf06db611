//! Native histograms: what becomes of them where the float code passes them over.
//!
//! A [column](crate::eval::column) has its histograms in an array of their own, and decoded samples have theirs in a list of their own.
//! Code for floats runs over floats alone, whether there are histograms or not; where there are, this module goes over the same steps
//! afterwards and puts in, or takes out, what they change. Queries without histograms come here nowhere. The arithmetic itself is
//! `model`'s.

pub(crate) mod aggregate;
pub(crate) mod covered;
pub(crate) mod extended;
pub(crate) mod moments;
pub(crate) mod operator;
pub(crate) mod over_time;
pub(crate) mod quantile;
pub(crate) mod range;
pub(crate) mod rate;
pub(crate) mod remarks;
pub(crate) mod smoothed;
pub(crate) mod stats;
pub(crate) mod window;
