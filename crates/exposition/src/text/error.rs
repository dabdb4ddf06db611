//! What is wrong, and where.

/// A line that is no exposition. It makes the whole text invalid, as it does in Prometheus.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// The byte in the line at which reading stopped, from 1.
    pub column: usize,
    /// What was expected there.
    pub message: String,
}

impl ParseError {
    /// An error at `offset` of `text`, which begins at the beginning of line `first_line`.
    pub(crate) fn at(text: &[u8], offset: usize, first_line: usize, message: impl Into<String>) -> Self {
        let before = &text[..offset.min(text.len())];
        let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1) + 1;
        ParseError { line: first_line + count_newlines(before), column, message: message.into() }
    }
}

/// How many line ends there are in `text`.
pub(crate) fn count_newlines(text: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', text).count()
}

/// What stands at `offset`, for the end of a message.
pub(crate) fn found(text: &[u8], offset: usize) -> String {
    match text.get(offset) {
        None | Some(b'\n') => "the end of the line".to_owned(),
        Some(byte) if byte.is_ascii_graphic() => format!("`{}`", char::from(*byte)),
        Some(b' ' | b'\t') => "a space".to_owned(),
        Some(byte) => format!("the byte 0x{byte:02x}"),
    }
}
