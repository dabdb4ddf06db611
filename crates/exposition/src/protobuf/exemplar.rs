//! Exemplars, and what they share with metrics: labels and times.

use model::LabelsScratch;

use super::wire::{DecodeError, Message};

/// An exemplar whose labels have not been looked into.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar<'a> {
    /// The observed value.
    pub value: f64,
    /// Milliseconds since the epoch, where the exemplar has a timestamp.
    pub timestamp: Option<i64>,
    message: Message<'a>,
}

impl<'a> Exemplar<'a> {
    pub(super) fn read(message: Message<'a>) -> Result<Self, DecodeError> {
        let mut exemplar = Exemplar { value: 0.0, timestamp: None, message };
        for field in message.fields() {
            let field = field?;
            match field.number {
                2 => exemplar.value = field.double()?,
                3 => exemplar.timestamp = Some(read_timestamp(field.message()?)?),
                _ => {}
            }
        }
        Ok(exemplar)
    }

    /// Its labels, in `scratch`, which is cleared first.
    ///
    /// # Errors
    /// A name is empty, or a text is no UTF-8.
    pub fn labels(&self, scratch: &mut LabelsScratch) -> Result<(), DecodeError> {
        scratch.clear();
        self.message.repeated(1).try_for_each(|label| read_label(label?, scratch))
    }
}

/// A message `LabelPair`.
pub(super) fn read_label(message: Message<'_>, scratch: &mut LabelsScratch) -> Result<(), DecodeError> {
    let (mut name, mut value) = ("", "");
    for field in message.fields() {
        let field = field?;
        match field.number {
            1 => name = field.text()?,
            2 => value = field.text()?,
            _ => {}
        }
    }
    if name.is_empty() {
        return Err(message.error("the label has no name"));
    }
    scratch.push(name, value);
    Ok(())
}

/// A message `Timestamp` in milliseconds; what is left below one is cut off, and what doesn't fit is the nearest that does.
pub(super) fn read_timestamp(message: Message<'_>) -> Result<i64, DecodeError> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    for field in message.fields() {
        let field = field?;
        match field.number {
            1 => seconds = field.integer()? as i64,
            2 => nanos = i64::from(field.integer()? as i32),
            _ => {}
        }
    }
    Ok(seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000))
}
