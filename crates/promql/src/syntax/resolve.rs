//! Lengths that depend on the query become fixed ones.

use crate::syntax::ast::{Expr, ExprKind, Selector};
use crate::syntax::length::{Length, LengthError, QueryTimes};

impl Expr {
    /// Computes the lengths that depend on the query, so that all are [fixed](Length::Fixed).
    pub fn resolve(&mut self, times: QueryTimes) -> Result<(), LengthError> {
        let fix = |length: &mut Length, any_sign: bool| {
            if let Length::Computed(expr) = length {
                *length = Length::Fixed(expr.length(times, any_sign)?);
            }
            Ok(())
        };
        let selector = |selector: &mut Selector| fix(&mut selector.offset, true);
        match &mut self.kind {
            ExprKind::Number(_) | ExprKind::String(_) => Ok(()),
            ExprKind::Selector(inner) => selector(inner),
            ExprKind::Matrix(inner, range) => {
                selector(inner)?;
                fix(range, false)
            }
            ExprKind::Subquery(subquery) => {
                fix(&mut subquery.offset, true)?;
                subquery.step.as_mut().map_or(Ok(()), |step| fix(step, false))?;
                fix(&mut subquery.range, false)?;
                subquery.expr.resolve(times)
            }
            ExprKind::Paren(inner) | ExprKind::Unary(_, inner) => inner.resolve(times),
            ExprKind::Binary(binary) => {
                binary.lhs.resolve(times)?;
                binary.rhs.resolve(times)
            }
            ExprKind::Aggregate(aggregate) => {
                aggregate.param.as_mut().map_or(Ok(()), |param| param.resolve(times))?;
                aggregate.expr.resolve(times)
            }
            ExprKind::Call(call) => call.args.iter_mut().try_for_each(|arg| arg.resolve(times)),
        }
    }
}
