//! Lengths of time inside an expression: fixed ones, and those that are computed when the query is known.

use std::fmt::{Display, Formatter, Result as FmtResult};

use model::format_duration;

use crate::syntax::literal::Number;
use crate::syntax::operator::BinaryOp;
use crate::syntax::span::Span;

/// The most seconds that a duration has on either side of zero: Go's are nanoseconds in 64 bits.
pub(crate) const SECONDS_MAX: f64 = i64::MAX as f64 / 1e9;

/// How long a range, a step or an offset is.
#[derive(Debug, Clone, PartialEq)]
pub enum Length {
    /// Milliseconds.
    Fixed(i64),
    /// Computed when it is known which query it is: [`Expr::resolve`](crate::syntax::Expr::resolve).
    Computed(Box<DurationExpr>),
}

impl Length {
    /// Milliseconds. One that is computed has none before [`Expr::resolve`](crate::syntax::Expr::resolve), and says 0.
    pub fn ms(&self) -> i64 {
        match self {
            Length::Fixed(ms) => *ms,
            Length::Computed(_) => 0,
        }
    }

    /// Whether it is written as nothing at all.
    pub(crate) fn is_zero(&self) -> bool {
        *self == Length::Fixed(0)
    }
}

/// An expression of durations and where it stands. Two are equal if they say the same.
#[derive(Debug, Clone)]
pub struct DurationExpr {
    /// What it is.
    pub kind: DurationKind,
    /// Where it stands in the text.
    pub span: Span,
}

impl PartialEq for DurationExpr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// The kinds of expressions of durations.
#[derive(Debug, Clone, PartialEq)]
pub enum DurationKind {
    /// `5m`, or seconds as a number.
    Literal(Number),
    /// `step()`: the distance of the query's steps, 0 where there is one step.
    Step,
    /// `range()`: from the query's first step to its last.
    Range,
    /// `min_of(a, b)`.
    MinOf(Box<DurationExpr>, Box<DurationExpr>),
    /// `max_of(a, b)`.
    MaxOf(Box<DurationExpr>, Box<DurationExpr>),
    /// `(a)`.
    Paren(Box<DurationExpr>),
    /// `-a`.
    Minus(Box<DurationExpr>),
    /// `a + b`; of the operators only those of arithmetic.
    Binary(BinaryOp, Box<DurationExpr>, Box<DurationExpr>),
}

/// What durations may depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryTimes {
    /// The distance of the query's steps, milliseconds; 0 for an instant query.
    pub step_ms: i64,
    /// From the first step to the last, milliseconds; 0 for an instant query.
    pub range_ms: i64,
}

/// A computed duration that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {message}", span.start, span.end)]
pub struct LengthError {
    /// What is wrong.
    pub message: String,
    /// Where the duration stands.
    pub span: Span,
}

impl DurationExpr {
    /// As in Prometheus, parentheses around more than a literal are not meant.
    fn wrong<T>(&self, message: impl Into<String>) -> Result<T, LengthError> {
        match &self.kind {
            DurationKind::Paren(inner) if !matches!(inner.kind, DurationKind::Literal(_)) => inner.wrong(message),
            _ => Err(LengthError { message: message.into(), span: self.span }),
        }
    }

    /// The length in milliseconds; only an offset may be zero or less.
    pub(crate) fn length(&self, times: QueryTimes, any_sign: bool) -> Result<i64, LengthError> {
        let seconds = self.seconds(times)?;
        if !seconds.is_finite() {
            return self.wrong("duration is NaN or infinite");
        }
        if seconds <= 0.0 && !any_sign {
            return self.wrong("duration must be greater than 0");
        }
        if seconds.abs() > SECONDS_MAX {
            return self.wrong("duration is out of range");
        }
        Ok((seconds * 1000.0) as i64)
    }

    fn seconds(&self, times: QueryTimes) -> Result<f64, LengthError> {
        Ok(match &self.kind {
            DurationKind::Literal(number) => number.value,
            DurationKind::Step => times.step_ms as f64 / 1000.0,
            DurationKind::Range => times.range_ms as f64 / 1000.0,
            DurationKind::MinOf(a, b) => smaller(a.seconds(times)?, b.seconds(times)?),
            DurationKind::MaxOf(a, b) => -smaller(-a.seconds(times)?, -b.seconds(times)?),
            DurationKind::Paren(inner) => inner.seconds(times)?,
            DurationKind::Minus(inner) => -inner.seconds(times)?,
            DurationKind::Binary(op, a, b) => match (op, a.seconds(times)?, b.seconds(times)?) {
                (BinaryOp::Add, a, b) => a + b,
                (BinaryOp::Sub, a, b) => a - b,
                (BinaryOp::Mul, a, b) => a * b,
                (BinaryOp::Div, _, 0.0) => return self.wrong("division by zero"),
                (BinaryOp::Div, a, b) => a / b,
                (BinaryOp::Mod, _, 0.0) => return self.wrong("modulo by zero"),
                (BinaryOp::Mod, a, b) => a % b,
                (BinaryOp::Pow, a, b) => a.powf(b),
                (op, ..) => return self.wrong(format!("unexpected duration expression operator \"{}\"", op.as_str())),
            },
        })
    }
}

/// The smaller one as Go has it: what is no number wins.
fn smaller(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) }
}

impl Display for Length {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        match self {
            Length::Fixed(ms) => f.write_str(&format_duration(*ms)),
            Length::Computed(expr) => expr.fmt(f),
        }
    }
}

impl Display for DurationExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        match &self.kind {
            DurationKind::Literal(number) => number.fmt(f),
            DurationKind::Step => f.write_str("step()"),
            DurationKind::Range => f.write_str("range()"),
            DurationKind::MinOf(a, b) => write!(f, "min_of({a}, {b})"),
            DurationKind::MaxOf(a, b) => write!(f, "max_of({a}, {b})"),
            DurationKind::Paren(inner) => write!(f, "({inner})"),
            DurationKind::Minus(inner) => write!(f, "-{inner}"),
            DurationKind::Binary(op, a, b) => write!(f, "{a} {} {b}", op.as_str()),
        }
    }
}
