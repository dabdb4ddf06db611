//! A node of the tree as text, without what stands below it.

use crate::syntax::ast::{Expr, ExprKind};
use crate::syntax::operator::UnaryOp;
use crate::syntax::print::{AggregateHead, BinaryHead, SubqueryRange};

impl Expr {
    /// The expression with `…` for every operand that is no literal: `sum by (job) (…)`, `… > 100`. Parentheses around it are left out.
    pub fn head(&self) -> String {
        match &self.kind {
            ExprKind::Number(_) | ExprKind::String(_) | ExprKind::Selector(_) | ExprKind::Matrix(..) => {
                self.to_string()
            }
            ExprKind::Paren(inner) => inner.head(),
            ExprKind::Subquery(subquery) => format!("…{}", SubqueryRange(subquery)),
            ExprKind::Unary(UnaryOp::Minus, inner) => format!("-{}", operand(inner)),
            ExprKind::Unary(UnaryOp::Plus, inner) => format!("+{}", operand(inner)),
            ExprKind::Binary(binary) => {
                format!("{} {} {}", operand(&binary.lhs), BinaryHead(binary), operand(&binary.rhs))
            }
            ExprKind::Aggregate(aggregate) => {
                format!("{}({})", AggregateHead(aggregate), operands(aggregate.param.iter().chain([&aggregate.expr])))
            }
            ExprKind::Call(call) => format!("{}({})", call.function.name, operands(&call.args)),
        }
    }
}

fn operand(expr: &Expr) -> String {
    let expr = expr.unparen();
    if expr.kind.is_literal() { expr.to_string() } else { "…".to_owned() }
}

fn operands<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> String {
    exprs.into_iter().map(operand).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use crate::syntax::parser::parse;

    #[test]
    fn operands_are_left_out() {
        let check = |text: &str, want: &str| assert_eq!(parse(text).expect("a good expression").head(), want, "{text}");
        check("(sum(up) by (job))", "sum by (job) (…)");
        check("topk(3, up)", "topk(3, …)");
        check("quantile without (x) (scalar(a), up)", "quantile without (x) (…, …)");
        check("a{b=\"c\"} offset 5m", "a{b=\"c\"} offset 5m");
        check("rate(a[5m])", "rate(…)");
        check("a[5m] @ 3", "a[5m] @ 3.000");
        check("(a + b)[1h:5m] offset 1m", "…[1h:5m] offset 1m");
        check("a * on (x) group_left () b", "… * on (x) group_left () …");
        check("a > bool (100)", "… > bool 100");
        check("-(a)", "-…");
        check("time() + 1", "… + 1");
        check("time()", "time()");
        check("label_replace(up, \"a\", \"$1\", \"b\", \"(.*)\")", "label_replace(…, \"a\", \"$1\", \"b\", \"(.*)\")");
        check("\"text\"", "\"text\"");
    }
}
