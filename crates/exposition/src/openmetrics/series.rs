//! A series as it stands in a line: `name{label="value",…}` or `{"quoted name","quoted label"="value",…}`. The same grammar
//! without a metric's name holds for an exemplar's labels.

use std::borrow::Cow;

use model::{LabelsScratch, METRIC_NAME};

use crate::text::ParseError;
use crate::text::error::found;
use crate::text::series::{name_len, quoted_len, unescape_label};

/// Parses the bytes of a series, as [`SampleLine`](crate::openmetrics::SampleLine) has them, and pushes `__name__` and the
/// labels with their escapes resolved. The position in an error counts from the beginning of `raw`.
pub fn parse_series(raw: &[u8], scratch: &mut LabelsScratch) -> Result<(), ParseError> {
    parse(raw, scratch, |reader, scratch| reader.series(scratch))
}

/// Parses an exemplar's labels with their braces, as [`parse_series`] does those of a series.
pub(super) fn parse_exemplar_labels(raw: &[u8], scratch: &mut LabelsScratch) -> Result<(), ParseError> {
    parse(raw, scratch, |reader, scratch| reader.labels(None, scratch))
}

fn parse(
    raw: &[u8],
    scratch: &mut LabelsScratch,
    read: impl FnOnce(&mut Reader<'_>, &mut LabelsScratch) -> Result<(), String>,
) -> Result<(), ParseError> {
    let fail = |offset: usize, message: String| ParseError::at(raw, offset, 1, message);
    let text = std::str::from_utf8(raw).map_err(|error| fail(error.valid_up_to(), "invalid UTF-8".to_owned()))?;
    let mut reader = Reader { text, pos: 0 };
    read(&mut reader, scratch).map_err(|message| fail(reader.pos, message))?;
    match scratch.duplicate_name() {
        Some(METRIC_NAME) => Err(fail(0, "the metric name is given twice".to_owned())),
        Some(name) => Err(fail(0, format!("the label {name:?} is given twice"))),
        None => Ok(()),
    }
}

struct Reader<'a> {
    text: &'a str,
    pos: usize,
}

impl<'a> Reader<'a> {
    fn series(&mut self, scratch: &mut LabelsScratch) -> Result<(), String> {
        let name = self.name(b':');
        let mut named = !name.is_empty();
        if named {
            scratch.push(METRIC_NAME, name);
            if self.pos == self.text.len() {
                return Ok(());
            }
        }
        self.labels(Some(&mut named), scratch)?;
        if named { Ok(()) } else { Err("the series has no metric name".to_owned()) }
    }

    /// Labels in braces, to the end of the text. `named` tells whether the metric has its name yet; `None` where there is no
    /// metric.
    fn labels(&mut self, mut named: Option<&mut bool>, scratch: &mut LabelsScratch) -> Result<(), String> {
        if !self.take(b'{') {
            return Err(self.expected("`{`"));
        }
        while !self.take(b'}') {
            self.label(named.as_deref_mut(), scratch)?;
            if !self.take(b',') && self.peek() != Some(b'}') {
                return Err(self.expected("`,` or `}`"));
            }
        }
        if self.pos == self.text.len() { Ok(()) } else { Err(self.expected("a space and a value")) }
    }

    fn label(&mut self, named: Option<&mut bool>, scratch: &mut LabelsScratch) -> Result<(), String> {
        let is_quoted = self.peek() == Some(b'"');
        let name = if is_quoted { self.quoted(true)? } else { Cow::Borrowed(self.name(b'_')) };
        if name.is_empty() {
            return Err(self.expected("a label name"));
        }
        if self.take(b'=') {
            if self.peek() != Some(b'"') {
                return Err(self.expected("a label value in double quotes"));
            }
            let value = self.quoted(false)?;
            scratch.push(&name, &value);
            return Ok(());
        }
        match named {
            Some(named) if is_quoted && matches!(self.peek(), Some(b',' | b'}')) => {
                if std::mem::replace(named, true) {
                    return Err("the metric name is given twice".to_owned());
                }
                scratch.push(METRIC_NAME, &name);
                Ok(())
            }
            _ => Err(self.expected("`=`")),
        }
    }

    /// A name without quotes; empty where there is none. `extra` is allowed besides letters, digits and underscores.
    fn name(&mut self, extra: u8) -> &'a str {
        let start = self.pos;
        self.pos += name_len(&self.text.as_bytes()[start..], extra);
        &self.text[start..self.pos]
    }

    /// A text in quotes. A name may hold a line end, a value may not.
    fn quoted(&mut self, is_name: bool) -> Result<Cow<'a, str>, String> {
        let len = quoted_len(&self.text.as_bytes()[self.pos..]).ok_or("the quoted text is not closed")?;
        let inside = &self.text[self.pos + 1..self.pos + len - 1];
        if !is_name && inside.contains('\n') {
            return Err("the quoted text is not closed".to_owned());
        }
        self.pos += len;
        Ok(unescape_label(inside))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.pos += usize::from(there);
        there
    }

    fn expected(&self, what: &str) -> String {
        format!("expected {what}, found {}", found(self.text.as_bytes(), self.pos))
    }
}
