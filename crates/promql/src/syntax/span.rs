//! Places in the text of an expression.

use std::fmt;

/// Where a part of an expression stands in its text: bytes from `start` up to, not including, `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// The line of the first byte, from 1.
    pub line: u32,
    /// The column of the first byte, counted in bytes from 1.
    pub column: u32,
}

impl Default for Span {
    /// Nothing, at the beginning of the text.
    fn default() -> Self {
        Span { start: 0, end: 0, line: 1, column: 1 }
    }
}

impl Span {
    /// From the beginning of this span to the end of `other`.
    pub const fn to(self, other: Span) -> Self {
        Span { end: other.end, ..self }
    }
}

impl fmt::Display for Span {
    /// `line:column` of its beginning.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}
