//! The tree of an expression.

use model::{Matcher, Timestamp};

use crate::syntax::functions::Function;
use crate::syntax::length::Length;
use crate::syntax::literal::{Number, StringLiteral};
use crate::syntax::operator::{BinaryOp, UnaryOp};
use crate::syntax::span::Span;
use crate::syntax::value_type::ValueType;

/// An expression and where it stands. Two expressions are equal if they say the same, wherever they stand.
#[derive(Debug, Clone)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands in the text.
    pub span: Span,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// The kinds of expressions.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// `1.5`, `0x1f`, `5m`.
    Number(Number),
    /// `"text"`.
    String(StringLiteral),
    /// `metric{label="value"} offset 5m`.
    Selector(Box<Selector>),
    /// `metric{label="value"}[5m]`.
    Matrix(Box<Selector>, Length),
    /// `expr[1h:5m]`.
    Subquery(Box<Subquery>),
    /// `(expr)`.
    Paren(Box<Expr>),
    /// `-expr`.
    Unary(UnaryOp, Box<Expr>),
    /// `a + b`.
    Binary(Box<Binary>),
    /// `sum by (job) (expr)`.
    Aggregate(Box<Aggregate>),
    /// `rate(expr)`.
    Call(Call),
}

impl ExprKind {
    /// As Prometheus's API calls it.
    pub fn name(&self) -> &'static str {
        match self {
            ExprKind::Number(_) => "numberLiteral",
            ExprKind::String(_) => "stringLiteral",
            ExprKind::Selector(_) => "vectorSelector",
            ExprKind::Matrix(..) => "matrixSelector",
            ExprKind::Subquery(_) => "subquery",
            ExprKind::Paren(_) => "parenExpr",
            ExprKind::Unary(..) => "unaryExpr",
            ExprKind::Binary(_) => "binaryExpr",
            ExprKind::Aggregate(_) => "aggregation",
            ExprKind::Call(_) => "call",
        }
    }

    /// Whether it is a number or a text that is written down.
    pub fn is_literal(&self) -> bool {
        matches!(self, ExprKind::Number(_) | ExprKind::String(_))
    }
}

/// The time that `@` fixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// `@ 1700000000`.
    Time(Timestamp),
    /// `@ start()`: the first step of the query.
    Start,
    /// `@ end()`: the last step of the query.
    End,
}

/// Which samples beside those of its range a selector looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Boundary {
    /// None.
    #[default]
    Range,
    /// `anchored`: the last one before the range, as the value at its start.
    Anchored,
    /// `smoothed`: the last one before the range and the first one behind it, between which values are interpolated.
    Smoothed,
}

impl Boundary {
    /// As it is written; nothing for the range alone.
    pub fn as_str(self) -> &'static str {
        match self {
            Boundary::Range => "",
            Boundary::Anchored => "anchored",
            Boundary::Smoothed => "smoothed",
        }
    }
}

/// An instant selector, or the selector inside a range selector. Neither the order of the matchers nor the place counts in
/// comparisons.
#[derive(Debug, Clone)]
pub struct Selector {
    /// The name in front of the braces, if there is one; it is also the last of `matchers`.
    pub name: Option<String>,
    /// All conditions.
    pub matchers: Vec<Matcher>,
    /// How far to look back; negative looks ahead.
    pub offset: Length,
    /// The fixed time, if there is one.
    pub at: Option<At>,
    /// What of the neighbourhood counts.
    pub boundary: Boundary,
    /// Where the selector stands, without its range.
    pub span: Span,
}

impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        let sorted = |selector: &Selector| {
            let mut matchers: Vec<String> = selector.matchers.iter().map(ToString::to_string).collect();
            matchers.sort();
            matchers
        };
        (&self.name, &self.offset, self.at, self.boundary) == (&other.name, &other.offset, other.at, other.boundary)
            && sorted(self) == sorted(other)
    }
}

/// An expression evaluated at many times.
#[derive(Debug, Clone, PartialEq)]
pub struct Subquery {
    /// What is evaluated.
    pub expr: Expr,
    /// How far back.
    pub range: Length,
    /// The distance between evaluations; `None` is the default evaluation interval.
    pub step: Option<Length>,
    /// How far to look back; negative looks ahead.
    pub offset: Length,
    /// The fixed time, if there is one.
    pub at: Option<At>,
}

/// How many series of one side belong to how many of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cardinality {
    /// One to one.
    OneToOne,
    /// `group_left`.
    ManyToOne,
    /// `group_right`.
    OneToMany,
    /// What the set operators do.
    ManyToMany,
}

/// Which series of the two sides of an operator belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Matching {
    /// One or many.
    pub cardinality: Cardinality,
    /// `on` instead of `ignoring`.
    pub on: bool,
    /// The labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// The labels of `group_left` or `group_right`.
    pub include: Vec<String>,
    /// What stands for a series of the left side that is missing; of the many side with `group_left` and `group_right`.
    pub fill_left: Option<Number>,
    /// What stands for a series of the right side that is missing; of the one side with `group_left` and `group_right`.
    pub fill_right: Option<Number>,
}

impl Matching {
    /// Whether something stands for series that are missing.
    pub fn fills(&self) -> bool {
        self.fill_left.is_some() || self.fill_right.is_some()
    }
}

/// An operator between two expressions.
#[derive(Debug, Clone, PartialEq)]
pub struct Binary {
    /// Which operator.
    pub op: BinaryOp,
    /// On its left.
    pub lhs: Expr,
    /// On its right.
    pub rhs: Expr,
    /// A comparison gives 0 or 1 instead of filtering.
    pub return_bool: bool,
    /// How series are matched; `None` unless both sides are instant vectors.
    pub matching: Option<Matching>,
}

/// The aggregations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the operator of that name")]
pub enum AggregateOp {
    Sum,
    Avg,
    Count,
    Min,
    Max,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    CountValues,
    Quantile,
    Limitk,
    LimitRatio,
}

impl AggregateOp {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            AggregateOp::Sum => "sum",
            AggregateOp::Avg => "avg",
            AggregateOp::Count => "count",
            AggregateOp::Min => "min",
            AggregateOp::Max => "max",
            AggregateOp::Group => "group",
            AggregateOp::Stddev => "stddev",
            AggregateOp::Stdvar => "stdvar",
            AggregateOp::Topk => "topk",
            AggregateOp::Bottomk => "bottomk",
            AggregateOp::CountValues => "count_values",
            AggregateOp::Quantile => "quantile",
            AggregateOp::Limitk => "limitk",
            AggregateOp::LimitRatio => "limit_ratio",
        }
    }

    /// Whether it takes a parameter in front of the expression.
    pub fn has_param(self) -> bool {
        use AggregateOp::{Bottomk, CountValues, LimitRatio, Limitk, Quantile, Topk};
        matches!(self, Topk | Bottomk | CountValues | Quantile | Limitk | LimitRatio)
    }

    /// Whether Prometheus keeps it behind a feature flag.
    pub fn is_experimental(self) -> bool {
        matches!(self, AggregateOp::Limitk | AggregateOp::LimitRatio)
    }
}

/// An aggregation over series.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// Which one.
    pub op: AggregateOp,
    /// Over what.
    pub expr: Expr,
    /// `k` of topk, the quantile, the label of count_values.
    pub param: Option<Expr>,
    /// The labels of `by` or `without`.
    pub grouping: Vec<String>,
    /// `without` instead of `by`.
    pub without: bool,
}

/// A function with its arguments.
#[derive(Debug, Clone)]
pub struct Call {
    /// Which one.
    pub function: &'static Function,
    /// What it is given.
    pub args: Vec<Expr>,
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name && self.args == other.args
    }
}

impl Expr {
    /// What the expression gives.
    pub fn value_type(&self) -> ValueType {
        match &self.kind {
            ExprKind::Number(_) => ValueType::Scalar,
            ExprKind::String(_) => ValueType::String,
            ExprKind::Selector(_) | ExprKind::Aggregate(_) => ValueType::Vector,
            ExprKind::Matrix(..) | ExprKind::Subquery(_) => ValueType::Matrix,
            ExprKind::Paren(inner) | ExprKind::Unary(_, inner) => inner.value_type(),
            ExprKind::Binary(binary) => match (binary.lhs.value_type(), binary.rhs.value_type()) {
                (ValueType::Scalar, ValueType::Scalar) => ValueType::Scalar,
                _ => ValueType::Vector,
            },
            ExprKind::Call(call) => call.function.returns,
        }
    }

    /// The expression without the parentheses around it.
    pub fn unparen(&self) -> &Expr {
        let mut expr = self;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }

    /// The expressions directly below, in the order in which they are written.
    pub fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Number(_) | ExprKind::String(_) | ExprKind::Selector(_) | ExprKind::Matrix(..) => Vec::new(),
            ExprKind::Subquery(subquery) => vec![&subquery.expr],
            ExprKind::Paren(inner) | ExprKind::Unary(_, inner) => vec![inner],
            ExprKind::Binary(binary) => vec![&binary.lhs, &binary.rhs],
            ExprKind::Aggregate(aggregate) => aggregate.param.iter().chain([&aggregate.expr]).collect(),
            ExprKind::Call(call) => call.args.iter().collect(),
        }
    }
}
