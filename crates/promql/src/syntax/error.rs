//! Why a text is no expression.

use crate::syntax::ast::Span;

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
    /// An error about `span` of `text`.
    pub(crate) fn new(text: &str, span: Span, message: impl Into<String>) -> Self {
        let (line, column) = position(text, span.start);
        ParseError { message: message.into(), span, line, column }
    }
}

/// Line and column, both from 1, of a byte of `text`.
pub(crate) fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |newline| newline + 1);
    (before.iter().filter(|b| **b == b'\n').count() + 1, before.len() - line_start + 1)
}
