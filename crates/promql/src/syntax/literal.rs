//! Numbers and texts as they are written.

/// A number as written.
#[derive(Debug, Clone, Copy)]
pub struct Number {
    /// The value; a duration in seconds.
    pub value: f64,
    /// Whether it was written as a duration.
    pub duration: bool,
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        let same = self.value == other.value || (self.value.is_nan() && other.value.is_nan());
        same && self.duration == other.duration
    }
}

/// A text as written. Escapes such as `\xc5` can make bytes that are no UTF-8; those are kept aside for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StringLiteral {
    /// The text; U+FFFD for what is no UTF-8.
    pub value: String,
    /// The bytes, where they are no UTF-8.
    pub invalid: Option<Vec<u8>>,
}
