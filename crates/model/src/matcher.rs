//! Label matchers: `name="value"`, `!=`, `=~`, `!~`.

use std::fmt;

use crate::go_regex::{GoRegex, RegexError};
use crate::labels::{Labels, is_valid_label_name};
use crate::quote::quote;

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

impl fmt::Display for MatchOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        })
    }
}

/// One condition on one label. A label that isn't there has the empty value.
#[derive(Clone)]
pub struct Matcher {
    name: String,
    value: String,
    op: MatchOp,
    regex: Option<GoRegex>,
}

impl Matcher {
    /// A matcher; an invalid regular expression is an error.
    pub fn new(op: MatchOp, name: impl Into<String>, value: impl Into<String>) -> Result<Self, RegexError> {
        let value = value.into();
        let regex = match op {
            MatchOp::Regex | MatchOp::NotRegex => Some(GoRegex::new(&value)?),
            MatchOp::Equal | MatchOp::NotEqual => None,
        };
        Ok(Matcher { name: name.into(), value, op, regex })
    }

    /// `name="value"`, which can't fail.
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Matcher { name: name.into(), value: value.into(), op: MatchOp::Equal, regex: None }
    }

    /// The label's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value or the regular expression, as written.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// How it compares.
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// The compiled expression of `=~` and `!~`.
    pub fn regex(&self) -> Option<&GoRegex> {
        self.regex.as_ref()
    }

    /// Whether a label with this value is meant.
    pub fn matches(&self, value: &str) -> bool {
        match (self.op, &self.regex) {
            (MatchOp::Equal, _) => self.value == value,
            (MatchOp::NotEqual, _) => self.value != value,
            (MatchOp::Regex, regex) => regex.as_ref().is_some_and(|r| r.is_match(value)),
            (MatchOp::NotRegex, regex) => !regex.as_ref().is_some_and(|r| r.is_match(value)),
        }
    }

    /// Whether a label set is meant.
    pub fn matches_labels(&self, labels: &Labels) -> bool {
        self.matches(labels.value(&self.name))
    }

    /// Whether a series without the label is meant.
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (self.op, &self.name, &self.value) == (other.op, &other.name, &other.value)
    }
}

impl Eq for Matcher {}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_valid_label_name(&self.name) {
            write!(f, "{}{}{}", self.name, self.op, quote(&self.value))
        } else {
            write!(f, "{}{}{}", quote(&self.name), self.op, quote(&self.value))
        }
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
