//! The steps of a subquery.

use crate::eval::context::Context;
use crate::eval::steps::Steps;
use crate::syntax::{Length, Subquery};

/// The times at which the inner expression is evaluated for all outer steps together: multiples of the subquery's step, so
/// that they don't move with the outer steps. The oldest range is open on the left.
pub(crate) fn inner_steps(subquery: &Subquery, outer: Steps, context: &Context) -> Steps {
    let ends = outer.moved(context.fixed(subquery.at), subquery.offset.ms());
    let step = subquery.step.as_ref().map_or(context.subquery_step_ms, Length::ms).max(1);
    let from = ends.first.saturating_sub(subquery.range.ms());
    let first = from.div_euclid(step).saturating_mul(step).saturating_add(step);
    Steps::between(first, ends.last(), step)
}
