//! The evaluator: series by series over columns of steps.

mod failure;

pub use failure::QueryFailure;
