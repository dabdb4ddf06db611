//! The language: tokens, the tree, the parser, its checks, and the tree as text again.

mod ast;
mod check;
mod error;
mod functions;
mod lexer;
mod lines;
mod number;
mod parser;
mod postfix;
mod pretty;
mod print;
mod selector;
mod strings;
mod token;
mod value_type;

pub use ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Cardinality, Expr, ExprKind, Matching, Number, Selector, Span,
    StringLiteral, Subquery, UnaryOp,
};
pub use error::ParseError;
pub use functions::{Function, functions};
pub use parser::{ParseOptions, parse, parse_selectors, parse_with};
pub use pretty::Pretty;
pub(crate) use strings::{quote_bytes, unquote};
pub use value_type::ValueType;

#[cfg(test)]
mod tests;
