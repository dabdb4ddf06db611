//! `/parse_query`: the tree of an expression as Prometheus's tree view shows it.

use std::sync::Arc;

use axum::extract::State;
use model::{MatchOp, Matcher, format_plain_float};
use promql::{
    At, Boundary, Cardinality, DurationExpr, DurationKind, Expr, ExprKind, Length, Matching, Number, Selector, UnaryOp,
    ValueType,
};
use serde_json::{Value, json};

use super::query;
use crate::envelope::{Answer, ApiError};
use crate::node::Node;
use crate::params::Params;

/// Parses an expression and shows its tree.
pub(crate) async fn parse(State(node): State<Arc<Node>>, params: Params) -> Result<Answer<Value>, ApiError> {
    Ok(Answer::new(tree(&query::parse(&node, &params)?)))
}

fn tree(expr: &Expr) -> Value {
    let kind = expr.kind.name();
    match &expr.kind {
        ExprKind::Number(number) => json!({"type": kind, "val": format_plain_float(number.value)}),
        ExprKind::String(text) => json!({"type": kind, "val": text.value}),
        ExprKind::Selector(selector) => selector_tree(kind, selector),
        ExprKind::Matrix(selector, range) => {
            let mut value = selector_tree(kind, selector);
            (value["range"], value["rangeExpr"]) = length(range);
            value
        }
        ExprKind::Subquery(subquery) => {
            let ((range, range_expr), (offset, offset_expr)) = (length(&subquery.range), length(&subquery.offset));
            let (step, step_expr) = subquery.step.as_ref().map_or((json!(0), Value::Null), length);
            let (timestamp, start_or_end) = fixed(subquery.at);
            json!({
                "type": kind, "expr": tree(&subquery.expr),
                "range": range, "rangeExpr": range_expr,
                "offset": offset, "offsetExpr": offset_expr,
                "step": step, "stepExpr": step_expr,
                "timestamp": timestamp, "startOrEnd": start_or_end,
            })
        }
        ExprKind::Paren(inner) => json!({"type": kind, "expr": tree(inner)}),
        ExprKind::Unary(op, inner) => {
            let op = if *op == UnaryOp::Minus { "-" } else { "+" };
            json!({"type": kind, "op": op, "expr": tree(inner)})
        }
        ExprKind::Binary(binary) => json!({
            "type": kind, "op": binary.op.as_str(), "lhs": tree(&binary.lhs), "rhs": tree(&binary.rhs),
            "matching": binary.matching.as_ref().map(matching), "bool": binary.return_bool,
        }),
        ExprKind::Aggregate(aggregate) => json!({
            "type": kind, "op": aggregate.op.as_str(), "expr": tree(&aggregate.expr),
            "param": aggregate.param.as_ref().map(tree), "grouping": aggregate.grouping, "without": aggregate.without,
        }),
        ExprKind::Call(call) => {
            let types: Vec<&str> = call.function.args.iter().map(|kind| type_name(*kind)).collect();
            json!({
                "type": kind,
                "func": {
                    "name": call.function.name, "argTypes": types, "variadic": call.function.variadic,
                    "returnType": type_name(call.function.returns),
                },
                "args": call.args.iter().map(tree).collect::<Vec<_>>(),
            })
        }
    }
}

fn matching(matching: &Matching) -> Value {
    let cardinality = match matching.cardinality {
        Cardinality::OneToOne => "one-to-one",
        Cardinality::ManyToOne => "many-to-one",
        Cardinality::OneToMany => "one-to-many",
        Cardinality::ManyToMany => "many-to-many",
    };
    // JSON has no NaN and no infinity; Prometheus can't answer then.
    let fill = |fill: &Option<Number>| fill.map(|number| number.value);
    json!({
        "card": cardinality, "labels": matching.labels, "on": matching.on, "include": matching.include,
        "fillValues": {"lhs": fill(&matching.fill_left), "rhs": fill(&matching.fill_right)},
    })
}

fn selector_tree(kind: &str, selector: &Selector) -> Value {
    let (offset, offset_expr) = length(&selector.offset);
    let (timestamp, start_or_end) = fixed(selector.at);
    json!({
        "type": kind, "name": selector.name.as_deref().unwrap_or_default(),
        "offset": offset, "offsetExpr": offset_expr,
        "matchers": selector.matchers.iter().map(matcher).collect::<Vec<_>>(),
        "timestamp": timestamp, "startOrEnd": start_or_end,
        "anchored": selector.boundary == Boundary::Anchored, "smoothed": selector.boundary == Boundary::Smoothed,
    })
}

fn matcher(matcher: &Matcher) -> Value {
    let op = match matcher.op() {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
    };
    json!({"name": matcher.name(), "value": matcher.value(), "type": op})
}

/// `timestamp` and `startOrEnd`.
fn fixed(at: Option<At>) -> (Value, Value) {
    match at {
        None => (Value::Null, Value::Null),
        Some(At::Time(time)) => (json!(time.as_ms()), Value::Null),
        Some(At::Start) => (Value::Null, json!("start")),
        Some(At::End) => (Value::Null, json!("end")),
    }
}

/// Milliseconds, and what they are computed from; a literal is no computation, in parentheses neither.
fn length(length: &Length) -> (Value, Value) {
    match length {
        Length::Fixed(ms) => (json!(ms), Value::Null),
        Length::Computed(expr) => match literal(expr) {
            Some(number) => (json!((number.value * 1000.0).round() as i64), Value::Null),
            None => (json!(0), duration(expr, false)),
        },
    }
}

fn literal(expr: &DurationExpr) -> Option<Number> {
    match &expr.kind {
        DurationKind::Literal(number) => Some(*number),
        DurationKind::Paren(inner) => literal(inner),
        _ => None,
    }
}

fn duration(expr: &DurationExpr, wrapped: bool) -> Value {
    let node = |op: &str, lhs: Option<&DurationExpr>, rhs: Option<&DurationExpr>| {
        let side = |side: Option<&DurationExpr>| side.map(|expr| duration(expr, false));
        json!({"type": "durationExpr", "op": op, "lhs": side(lhs), "rhs": side(rhs), "wrapped": wrapped})
    };
    match &expr.kind {
        DurationKind::Literal(number) => {
            json!({"type": "numberLiteral", "val": format_plain_float(number.value), "duration": number.duration})
        }
        DurationKind::Paren(inner) => duration(inner, true),
        DurationKind::Step => node("step", None, None),
        DurationKind::Range => node("range", None, None),
        DurationKind::MinOf(a, b) => node("min_of", Some(a), Some(b)),
        DurationKind::MaxOf(a, b) => node("max_of", Some(a), Some(b)),
        DurationKind::Minus(inner) => node("-", None, Some(inner)),
        DurationKind::Binary(op, a, b) => node(op.as_str(), Some(a), Some(b)),
    }
}

fn type_name(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Scalar => "scalar",
        ValueType::String => "string",
        ValueType::Vector => "vector",
        ValueType::Matrix => "matrix",
    }
}

#[cfg(test)]
mod tests;
