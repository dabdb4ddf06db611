//! A series as it stands in a line: `name{label="value",…}` or `{"quoted name","quoted label"="value",…}`.

use std::borrow::Cow;

use memchr::{memchr, memchr2};
use model::{LabelsScratch, METRIC_NAME};

use crate::text::error::{ParseError, found};

/// Parses the bytes of a series, as [`SampleLine`](crate::text::SampleLine) has them, and pushes `__name__` and the
/// labels with their escapes resolved. The position in an error counts from the beginning of `raw`.
pub fn parse_series(raw: &[u8], scratch: &mut LabelsScratch) -> Result<(), ParseError> {
    let fail = |offset: usize, message: String| ParseError::at(raw, offset, 1, message);
    let text = std::str::from_utf8(raw).map_err(|error| fail(error.valid_up_to(), "invalid UTF-8".to_owned()))?;
    let mut reader = Reader { text, pos: 0 };
    reader.series(scratch).map_err(|message| fail(reader.pos, message))?;
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
        if !name.is_empty() {
            scratch.push(METRIC_NAME, name);
            self.blanks();
            if self.pos == self.text.len() {
                return Ok(());
            }
        }
        if !self.take(b'{') {
            return Err(self.expected(if name.is_empty() { "a metric name" } else { "`{` or a value" }));
        }
        let mut named = !name.is_empty();
        self.blanks();
        while !self.take(b'}') {
            self.label(&mut named, scratch)?;
        }
        match (named, self.pos == self.text.len()) {
            (false, _) => Err("the series has no metric name".to_owned()),
            (true, false) => Err(self.expected("a value after the series")),
            (true, true) => Ok(()),
        }
    }

    /// One label, or the metric's name in quotes, with the comma behind it. A missing comma is forgiven, as in Prometheus.
    fn label(&mut self, named: &mut bool, scratch: &mut LabelsScratch) -> Result<(), String> {
        let is_quoted = self.peek() == Some(b'"');
        let name = if is_quoted { self.quoted()? } else { Cow::Borrowed(self.name(b'_')) };
        if name.is_empty() {
            return Err(self.expected("a label name"));
        }
        self.blanks();
        if self.take(b'=') {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.expected("a label value in double quotes"));
            }
            let value = self.quoted()?;
            scratch.push(&name, &value);
            self.blanks();
            self.take(b',');
        } else if is_quoted && matches!(self.peek(), Some(b',' | b'}')) {
            if std::mem::replace(named, true) {
                return Err("the metric name is given twice".to_owned());
            }
            scratch.push(METRIC_NAME, &name);
            self.take(b',');
        } else {
            return Err(self.expected("`=`"));
        }
        self.blanks();
        Ok(())
    }

    /// A name without quotes; empty where there is none. `extra` is allowed besides letters, digits and underscores.
    fn name(&mut self, extra: u8) -> &'a str {
        let start = self.pos;
        self.pos += name_len(&self.text.as_bytes()[start..], extra);
        &self.text[start..self.pos]
    }

    fn quoted(&mut self) -> Result<Cow<'a, str>, String> {
        let len = quoted_len(&self.text.as_bytes()[self.pos..]).ok_or("the quoted text is not closed")?;
        let inside = &self.text[self.pos + 1..self.pos + len - 1];
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

    fn blanks(&mut self) {
        self.pos = skip_blanks(self.text.as_bytes(), self.pos);
    }

    fn expected(&self, what: &str) -> String {
        format!("expected {what}, found {}", found(self.text.as_bytes(), self.pos))
    }
}

/// The first position from `pos` on that is no space and no tab.
#[inline]
pub(crate) fn skip_blanks(text: &[u8], mut pos: usize) -> usize {
    while matches!(text.get(pos), Some(b' ' | b'\t')) {
        pos += 1;
    }
    pos
}

/// How many bytes at the beginning are a name of letters, digits, underscores and `extra`; 0 where it would begin with a digit.
#[inline]
pub(crate) fn name_len(text: &[u8], extra: u8) -> usize {
    if text.first().is_none_or(u8::is_ascii_digit) {
        return 0;
    }
    text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_' || **byte == extra).count()
}

/// The length of the text in double quotes at the beginning, quotes included; `None` where there is none or it isn't
/// closed. It may span lines; a backslash takes the next byte with it, which must not be a newline.
pub(crate) fn quoted_len(text: &[u8]) -> Option<usize> {
    let mut pos = usize::from(*text.first()? == b'"');
    if pos == 0 {
        return None;
    }
    loop {
        pos += memchr2(b'"', b'\\', &text[pos..])?;
        if text[pos] == b'"' {
            return Some(pos + 1);
        }
        if *text.get(pos + 1)? == b'\n' {
            return None;
        }
        pos += 2;
    }
}

/// Resolves `\"`, `\\` and `\n`; any other backslash stays as it is.
pub(crate) fn unescape_label(text: &str) -> Cow<'_, str> {
    unescape(text, true)
}

/// Resolves `\\` and `\n`; any other backslash stays as it is.
pub(crate) fn unescape_help(text: &str) -> Cow<'_, str> {
    unescape(text, false)
}

fn unescape(text: &str, quotes: bool) -> Cow<'_, str> {
    let Some(first) = memchr(b'\\', text.as_bytes()) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..first]);
    let mut chars = text[first..].chars();
    while let Some(c) = chars.next() {
        let next = if c == '\\' { chars.as_str().bytes().next() } else { None };
        match next {
            Some(b'\\') => out.push('\\'),
            Some(b'n') => out.push('\n'),
            Some(b'"') if quotes => out.push('"'),
            _ => {
                out.push(c);
                continue;
            }
        }
        chars.next();
    }
    Cow::Owned(out)
}
