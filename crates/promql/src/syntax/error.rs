//! Why a text is no expression.

use crate::syntax::span::Span;

/// A text that is no expression: what is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: parse error: {message}")]
pub struct ParseError {
    /// What is wrong, in Prometheus's words where it has some.
    pub message: String,
    /// The bytes that are meant.
    pub span: Span,
    /// The line of the first of them, from 1.
    pub line: usize,
    /// The column of the first of them, counted in bytes from 1.
    pub column: usize,
}

impl ParseError {
    /// An error about `span`.
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        ParseError { message: message.into(), span, line: span.line as usize, column: span.column as usize }
    }
}
