//! What is wrong with an expression, in Go's words.

/// Why a text is no regular expression for Go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("error parsing regexp: {reason}: `{fragment}`")]
pub struct RegexError {
    /// The expression as written.
    pub pattern: String,
    /// The part of it that is wrong.
    pub fragment: String,
    /// What is wrong with it.
    pub reason: &'static str,
}
