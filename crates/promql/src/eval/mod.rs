//! The evaluator: series by series over columns of steps.

mod aggregate;
mod ahead;
mod binary;
mod calls;
mod column;
mod constant;
mod context;
mod evaluator;
mod failure;
mod functions;
mod grouping;
mod info;
mod info_selector;
mod instant;
mod mean;
mod native;
mod operator;
mod quantile;
mod select_k;
mod selections;
mod selectors;
mod series;
mod steps;
mod subquery;
mod window;

pub(crate) use column::{Point, weight};
pub(crate) use context::{Context, Limits, Notes};
pub(crate) use evaluator::Evaluator;
pub use failure::QueryFailure;
pub(crate) use functions::extended::samples as extended_samples;
pub(crate) use native::operator::owned;
pub(crate) use native::stats::counted;
pub(crate) use selections::{Answers, Selection, SelectorKey, selections};
pub(crate) use series::without_metadata;
pub(crate) use steps::Steps;
