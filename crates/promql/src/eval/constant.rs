//! What an expression depends on.

use model::{METRIC_NAME, MatchOp};

use crate::eval::functions::range::keeps_name;
use crate::syntax::{AggregateOp, BinaryOp, Call, Expr, ExprKind};

/// Whether an expression has the same value at every step.
pub(crate) fn is_constant(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Selector(selector) | ExprKind::Matrix(selector, _) => selector.at.is_some(),
        ExprKind::Subquery(subquery) => subquery.at.is_some(),
        ExprKind::Call(call) if depends_on_time(call) => false,
        _ => expr.children().into_iter().all(is_constant),
    }
}

fn depends_on_time(call: &Call) -> bool {
    match call.function.name {
        "time" | "predict_linear" => true,
        // The time of a selector's sample is the sample's own, of anything else the step's.
        "timestamp" => !matches!(call.args.first().map(|arg| &arg.unparen().kind), Some(ExprKind::Selector(_))),
        // Without an argument the date functions look at the step.
        _ => call.args.is_empty() && !matches!(call.function.name, "pi" | "start" | "end" | "step" | "range"),
    }
}

/// Whether the series of an expression stay different from one another without the metric's name.
pub(crate) fn differ_without_name(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Selector(selector) | ExprKind::Matrix(selector, _) => selector.matchers.iter().any(|matcher| {
            matcher.name() == METRIC_NAME && matcher.op() == MatchOp::Equal && !matcher.value().is_empty()
        }),
        ExprKind::Subquery(subquery) => differ_without_name(&subquery.expr),
        ExprKind::Paren(inner) | ExprKind::Unary(_, inner) => differ_without_name(inner),
        ExprKind::Aggregate(aggregate) => match aggregate.op {
            AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk | AggregateOp::LimitRatio => {
                differ_without_name(&aggregate.expr)
            }
            _ => aggregate.without || !aggregate.grouping.iter().any(|name| name == METRIC_NAME),
        },
        ExprKind::Binary(binary) => {
            !matches!(binary.op, BinaryOp::Or) && differ_without_name(&binary.lhs) && differ_without_name(&binary.rhs)
        }
        ExprKind::Call(call) if call.function.name.starts_with("label_") => false,
        ExprKind::Call(call) if call.function.name == "info" => call.args.first().is_some_and(differ_without_name),
        ExprKind::Call(call) if keeps_name(call.function.name) || call.function.name.starts_with("sort") => {
            call.args.iter().all(differ_without_name)
        }
        ExprKind::Number(_) | ExprKind::String(_) | ExprKind::Call(_) => true,
    }
}
