//! The tree as text over several lines, broken where Prometheus breaks it.

use std::fmt::{Display, Formatter, Result};

use crate::syntax::ast::{Expr, ExprKind};
use crate::syntax::operator::UnaryOp;
use crate::syntax::print::{AggregateHead, BinaryHead, SubqueryRange, infinite_base};

/// An expression of more bytes than this is broken into lines.
const LINE_BYTES_MAX: usize = 100;

/// An expression over several lines, where one would be too long: `expr.pretty().to_string()`.
#[derive(Debug, Clone, Copy)]
pub struct Pretty<'a>(&'a Expr);

impl Expr {
    /// Prints the expression over several lines, where one would be too long.
    pub fn pretty(&self) -> Pretty<'_> {
        Pretty(self)
    }
}

impl Display for Pretty<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(&broken(self.0, 0))
    }
}

/// The expression, every line of it moved in by `level`.
fn broken(expr: &Expr, level: usize) -> String {
    let indent = "  ".repeat(level);
    let line = expr.to_string();
    if line.len() <= LINE_BYTES_MAX {
        return indent + &line;
    }
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) | ExprKind::Selector(_) | ExprKind::Matrix(..) => indent + &line,
        ExprKind::Subquery(subquery) => broken(&subquery.expr, level) + &SubqueryRange(subquery).to_string(),
        ExprKind::Paren(inner) => format!("{indent}(\n{}\n{indent})", broken(inner, level + 1)),
        ExprKind::Unary(op, inner) => {
            let sign = if *op == UnaryOp::Minus { '-' } else { '+' };
            format!("{indent}{sign}{}", broken(inner, level).trim_start())
        }
        ExprKind::Binary(binary) => {
            let base = infinite_base(binary).map(|base| format!("{indent}  {base}"));
            let (lhs, rhs) = (base.unwrap_or_else(|| broken(&binary.lhs, level + 1)), broken(&binary.rhs, level + 1));
            format!("{lhs}\n{indent}{}\n{rhs}", BinaryHead(binary))
        }
        ExprKind::Aggregate(aggregate) => {
            let arguments = aggregate.param.iter().chain([&aggregate.expr]);
            format!("{indent}{}(\n{}\n{indent})", AggregateHead(aggregate), one_by_line(arguments, level + 1))
        }
        ExprKind::Call(call) => {
            format!("{indent}{}(\n{}\n{indent})", call.function.name, one_by_line(&call.args, level + 1))
        }
    }
}

fn one_by_line<'a>(arguments: impl IntoIterator<Item = &'a Expr>, level: usize) -> String {
    let lines: Vec<String> = arguments.into_iter().map(|argument| broken(argument, level)).collect();
    lines.join(",\n")
}

#[cfg(test)]
mod tests {
    use crate::syntax::parser::parse;

    #[test]
    fn long_expressions_are_broken_into_lines() {
        let long = "a_name_of_thirty_characters_xx";
        let check = |text: String, want: String| {
            let pretty = parse(&text).expect("a good expression").pretty().to_string();
            assert_eq!(pretty, want);
            assert_eq!(parse(&pretty), parse(&text));
        };
        check("sum(up)".to_owned(), "sum(up)".to_owned());
        let sum = format!("{long} + {long} + {long} + {long}");
        let broken = format!("    {long} + {long} + {long}\n  +\n    {long}");
        check(format!("({sum})"), format!("(\n{broken}\n)"));
        check(format!("topk by (x) (3, {sum})"), format!("topk by (x) (\n  3,\n{broken}\n)"));
        check(format!("-({sum})"), format!("-(\n{broken}\n)"));
        check(format!("({sum})[5m:1m] offset 1h"), format!("(\n{broken}\n)[5m:1m] offset 1h"));
    }
}
