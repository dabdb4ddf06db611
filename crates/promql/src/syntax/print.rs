//! The tree as text, in Prometheus's canonical form.

use std::fmt::{Display, Formatter, Result};

use model::{METRIC_NAME, MatchOp, format_duration, format_go_float, format_plain_float, is_valid_label_name, quote};

use crate::syntax::ast::{Aggregate, At, Binary, Boundary, Cardinality, Expr, ExprKind, Matching, Selector, Subquery};
use crate::syntax::length::Length;
use crate::syntax::literal::{Number, StringLiteral};
use crate::syntax::operator::{BinaryOp, UnaryOp};
use crate::syntax::strings::quote_bytes;

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.kind {
            ExprKind::Number(number) => number.fmt(f),
            ExprKind::String(text) => text.fmt(f),
            // The word stands behind the range, but behind the time where there is no range.
            ExprKind::Selector(selector) => {
                let (at, word, offset) = (Fixed(selector.at), Word(selector.boundary), Moved(&selector.offset));
                write!(f, "{}{at}{word}{offset}", Bare(selector))
            }
            ExprKind::Matrix(selector, range) => {
                let (at, word, offset) = (Fixed(selector.at), Word(selector.boundary), Moved(&selector.offset));
                write!(f, "{}[{range}]{word}{at}{offset}", Bare(selector))
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
        let step = self.0.step.as_ref().map(ToString::to_string).unwrap_or_default();
        let (at, offset) = (Fixed(self.0.at), Moved(&self.0.offset));
        write!(f, "[{}:{step}]{at}{offset}", self.0.range)
    }
}

impl Display for Binary {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match infinite_base(self) {
            Some(base) => f.write_str(base),
            None => self.lhs.fmt(f),
        }?;
        write!(f, " {} {}", BinaryHead(self), self.rhs)
    }
}

/// What stands for infinity on the left of `^`: a sign there would be one of the whole power.
pub(crate) fn infinite_base(binary: &Binary) -> Option<&'static str> {
    match &binary.lhs.kind {
        ExprKind::Number(number) if binary.op == BinaryOp::Pow && number.value == f64::INFINITY => Some("Inf"),
        _ => None,
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
        if let Some(side) = group {
            write!(f, " group_{side} ({})", Names(&self.include))?;
        }
        let value = |number: Number| format_go_float(number.value);
        match (self.fill_left, self.fill_right) {
            (Some(left), Some(right)) if left.value == right.value => write!(f, " fill ({})", value(left)),
            (left, right) => {
                left.map_or(Ok(()), |left| write!(f, " fill_left ({})", value(left)))?;
                right.map_or(Ok(()), |right| write!(f, " fill_right ({})", value(right)))
            }
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

impl Selector {
    /// The selector without range, `@` and offset.
    pub(crate) fn bare(&self) -> String {
        Bare(self).to_string()
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

/// `@`.
struct Fixed(Option<At>);

impl Display for Fixed {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            Some(At::Time(time)) => {
                let ms = time.as_ms();
                let sign = if ms < 0 { "-" } else { "" };
                write!(f, " @ {sign}{}.{:03}", ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000)
            }
            Some(At::Start) => f.write_str(" @ start()"),
            Some(At::End) => f.write_str(" @ end()"),
            None => Ok(()),
        }
    }
}

/// `offset`.
struct Moved<'a>(&'a Length);

impl Display for Moved<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.0.is_zero() { Ok(()) } else { write!(f, " offset {}", self.0) }
    }
}

/// `anchored` or `smoothed`.
struct Word(Boundary);

impl Display for Word {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.0 == Boundary::Range { Ok(()) } else { write!(f, " {}", self.0.as_str()) }
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
