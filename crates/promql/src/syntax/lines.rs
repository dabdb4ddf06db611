//! Where lines begin.

use crate::syntax::span::Span;

/// The beginnings of the lines of a text.
pub(crate) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    /// Finds the lines of `text`.
    pub(crate) fn new(text: &str) -> Self {
        let behind_newlines = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        Lines { starts: std::iter::once(0).chain(behind_newlines).collect() }
    }

    /// The span of the bytes from `start` up to `end`.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        let line = self.starts.partition_point(|line_start| *line_start <= start);
        let column = start - self.starts[line - 1] + 1;
        let bounded = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Span { start, end, line: bounded(line), column: bounded(column) }
    }
}
