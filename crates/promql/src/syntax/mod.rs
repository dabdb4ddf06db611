//! The language: tokens, the tree, the parser, its checks, and the tree as text again.

mod ast;
mod check;
mod duration;
mod error;
mod functions;
mod head;
mod length;
mod lexer;
mod lines;
mod literal;
mod number;
mod operator;
mod parser;
mod postfix;
mod pretty;
mod print;
mod resolve;
mod selector;
mod span;
mod strings;
mod token;
mod value_type;

pub use ast::{
    Aggregate, AggregateOp, At, Binary, Boundary, Call, Cardinality, Expr, ExprKind, Matching, Selector, Subquery,
};
pub use error::ParseError;
pub use functions::{Function, functions};
pub use length::{DurationExpr, DurationKind, Length, LengthError, QueryTimes};
pub use literal::{Number, StringLiteral};
pub use operator::{BinaryOp, UnaryOp};
pub use parser::{ParseOptions, parse, parse_selectors, parse_with};
pub use pretty::Pretty;
pub use span::Span;
pub(crate) use strings::{quote_bytes, unquote};
pub use value_type::ValueType;

#[cfg(test)]
mod tests;
