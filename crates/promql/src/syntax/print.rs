//! The tree as text, in Prometheus's canonical form.

use std::fmt::{Display, Formatter, Result};

use model::{METRIC_NAME, MatchOp, format_duration, format_plain_float, is_valid_label_name, quote};

use crate::syntax::ast::{
    Aggregate, At, Binary, Cardinality, Expr, ExprKind, Matching, Number, Selector, StringLiteral, Subquery, UnaryOp,
};
use crate::syntax::strings::quote_bytes;

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.kind {
            ExprKind::Number(number) => number.fmt(f),
            ExprKind::String(text) => text.fmt(f),
            ExprKind::Selector(selector) => write!(f, "{}{}", Bare(selector), Moved(selector.at, selector.offset_ms)),
            ExprKind::Matrix(selector, range_ms) => {
                let moved = Moved(selector.at, selector.offset_ms);
                write!(f, "{}[{}]{moved}", Bare(selector), format_duration(*range_ms))
            }
            ExprKind::Subquery(subquery) => subquery.fmt(f),
            ExprKind::Paren(inner) => write!(f, "({inner})"),
            ExprKind::Unary(UnaryOp::Minus, inner) => write!(f, "-{inner}"),
            ExprKind::Unary(UnaryOp::Plus, inner) => write!(f, "+{inner}"),
            ExprKind::Binary(binary) => binary.fmt(f),
            ExprKind::Aggregate(aggregate) => aggregate.fmt(f),
            ExprKind::Call(call) => write!(f, "{}({})", call.function.name, Separated(&call.args)),
        }
    }
}

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.duration {
            f.write_str(&format_duration((self.value * 1000.0).round() as i64))
        } else {
            f.write_str(&format_plain_float(self.value))
        }
    }
}

impl Display for StringLiteral {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.invalid {
            Some(bytes) => f.write_str(&quote_bytes(bytes)),
            None => f.write_str(&quote(&self.value)),
        }
    }
}

impl Display for Subquery {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}{}", self.expr, SubqueryRange(self))
    }
}

/// A subquery without what is evaluated.
pub(crate) struct SubqueryRange<'a>(pub(crate) &'a Subquery);

impl Display for SubqueryRange<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let step = self.0.step_ms.map(format_duration).unwrap_or_default();
        let moved = Moved(self.0.at, self.0.offset_ms);
        write!(f, "[{}:{step}]{moved}", format_duration(self.0.range_ms))
    }
}

impl Display for Binary {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} {} {}", self.lhs, BinaryHead(self), self.rhs)
    }
}

/// What stands between the sides of a binary operator: itself, `bool` and the matching.
pub(crate) struct BinaryHead<'a>(pub(crate) &'a Binary);

impl Display for BinaryHead<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.0.op.as_str())?;
        if self.0.return_bool {
            f.write_str(" bool")?;
        }
        self.0.matching.as_ref().map_or(Ok(()), |matching| matching.fmt(f))
    }
}

impl Display for Matching {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let group = match self.cardinality {
            Cardinality::ManyToOne => Some("left"),
            Cardinality::OneToMany => Some("right"),
            Cardinality::OneToOne | Cardinality::ManyToMany => None,
        };
        if self.on || !self.labels.is_empty() || group.is_some() {
            write!(f, " {} ({})", if self.on { "on" } else { "ignoring" }, Names(&self.labels))?;
        }
        match group {
            Some(side) => write!(f, " group_{side} ({})", Names(&self.include)),
            None => Ok(()),
        }
    }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}(", AggregateHead(self))?;
        if let Some(param) = &self.param {
            write!(f, "{param}, ")?;
        }
        write!(f, "{})", self.expr)
    }
}

/// An aggregation without what stands in its parentheses.
pub(crate) struct AggregateHead<'a>(pub(crate) &'a Aggregate);

impl Display for AggregateHead<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.0.op.as_str())?;
        if self.0.without {
            write!(f, " without ({}) ", Names(&self.0.grouping))
        } else if !self.0.grouping.is_empty() {
            write!(f, " by ({}) ", Names(&self.0.grouping))
        } else {
            Ok(())
        }
    }
}

/// A selector without range, `@` and offset.
struct Bare<'a>(&'a Selector);

impl Display for Bare<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let name = self.0.name.as_deref().unwrap_or("");
        f.write_str(name)?;
        let is_name = |m: &&model::Matcher| {
            !name.is_empty() && m.name() == METRIC_NAME && m.op() == MatchOp::Equal && m.value() == name
        };
        let mut matchers: Vec<String> =
            self.0.matchers.iter().filter(|m| !is_name(m)).map(ToString::to_string).collect();
        matchers.sort();
        if matchers.is_empty() { Ok(()) } else { write!(f, "{{{}}}", matchers.join(",")) }
    }
}

/// `@` and offset.
struct Moved(Option<At>, i64);

impl Display for Moved {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            Some(At::Time(time)) => {
                let ms = time.as_ms();
                let sign = if ms < 0 { "-" } else { "" };
                write!(f, " @ {sign}{}.{:03}", ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000)?;
            }
            Some(At::Start) => f.write_str(" @ start()")?,
            Some(At::End) => f.write_str(" @ end()")?,
            None => {}
        }
        if self.1 == 0 { Ok(()) } else { write!(f, " offset {}", format_duration(self.1)) }
    }
}

/// Label names, those that need it in quotes.
struct Names<'a>(&'a [String]);

impl Display for Names<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (at, name) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            if is_valid_label_name(name) { f.write_str(name) } else { f.write_str(&quote(name)) }?;
        }
        Ok(())
    }
}

struct Separated<'a>(&'a [Expr]);

impl Display for Separated<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (at, expr) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            expr.fmt(f)?;
        }
        Ok(())
    }
}
