//! Entry by entry through an exposition.
//!
//! A sample's line is cut in two: the bytes of the series, and the numbers. [`locate_fast`] does it with three passes of
//! vector instructions over the line; where a line has an escape, or a quote that stays open, [`locate_slow`] walks
//! it quote by quote. Neither looks at what is inside a series: that is [`parse_series`]'s business, once per series.

use std::borrow::Cow;

use memchr::{memchr, memchr3, memrchr};
use model::LabelsScratch;

use crate::text::error::{ParseError, count_newlines, found};
use crate::text::number::{parse_timestamp, parse_value};
use crate::text::series::{name_len, parse_series, quoted_len, skip_blanks, unescape_help, unescape_label};
use model::MetricType;

/// One entry of an exposition.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry<'a> {
    /// A line that begins with `#`.
    Remark(Remark<'a>),
    /// A sample.
    Sample(SampleLine<'a>),
}

/// A line that begins with `#`. Not looked into yet: see [`Remark::parse`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Remark<'a> {
    /// The line, as it stands there.
    pub raw: &'a [u8],
    /// The line in the exposition, from 1.
    pub line: usize,
}

/// What a line that begins with `#` says.
#[derive(Debug, Clone, PartialEq)]
pub enum Description<'a> {
    /// `# HELP metric text`
    Help {
        /// The family's name.
        metric: Cow<'a, str>,
        /// What it means, escapes resolved.
        text: Cow<'a, str>,
    },
    /// `# TYPE metric kind`
    Type {
        /// The family's name.
        metric: Cow<'a, str>,
        /// What it is.
        kind: MetricType,
    },
    /// Anything else.
    Comment,
}

impl<'a> Remark<'a> {
    /// What the line says. Whether it is well-formed is known only after this, so a reader that hasn't seen these bytes before
    /// must call it, and an error makes the whole exposition invalid.
    pub fn parse(&self) -> Result<Description<'a>, ParseError> {
        let start = skip_blanks(self.raw, 0);
        let word = skip_blanks(self.raw, start + 1);
        let keyword_end = (word + 4).min(self.raw.len());
        let after = skip_blanks(self.raw, keyword_end);
        let keyword = &self.raw[word..keyword_end];
        let blanks = word > start + 1 && after > word + 4;
        match keyword {
            b"HELP" | b"TYPE" if blanks => self.described(after, keyword == b"TYPE"),
            _ => Ok(Description::Comment),
        }
    }

    /// The metric's name at `start` and the text behind it.
    fn described(&self, start: usize, is_type: bool) -> Result<Description<'a>, ParseError> {
        let line = self.raw;
        let quoted = quoted_len(&line[start..]);
        let len = if line.get(start) == Some(&b'"') { quoted.unwrap_or(0) } else { name_len(&line[start..], b':') };
        if len == 0 {
            return Err(self.fail(start, format!("expected a metric name, found {}", found(line, start))));
        }
        let raw = &line[start..start + len];
        let raw = if quoted.is_some() { &raw[1..len - 1] } else { raw };
        let metric = std::str::from_utf8(raw).map_err(|_| self.fail(start, "the metric name is not valid UTF-8"))?;
        // The byte behind the name separates, whatever it is; only blanks are the same as nothing.
        let rest = &line[start + len..];
        let text = if skip_blanks(rest, 0) == rest.len() { &[] } else { &rest[1..] };
        let metric = unescape_label(metric);
        if is_type {
            let kind = MetricType::from_text_format(text).ok_or_else(|| {
                self.fail(start + len, format!("invalid metric type {:?}", String::from_utf8_lossy(text)))
            })?;
            return Ok(Description::Type { metric, kind });
        }
        let text = std::str::from_utf8(text).map_err(|_| self.fail(start + len, "the help text is not valid UTF-8"))?;
        Ok(Description::Help { metric, text: unescape_help(text) })
    }

    fn fail(&self, offset: usize, message: impl Into<String>) -> ParseError {
        ParseError::at(self.raw, offset, self.line, message)
    }
}

/// A line with a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleLine<'a> {
    /// Name and labels exactly as they stand in the line. Not looked into yet: see [`SampleLine::labels`].
    pub series: &'a [u8],
    /// The value; a `NaN` is never the stale marker.
    pub value: f64,
    /// Milliseconds since the epoch, where the line has a timestamp.
    pub timestamp: Option<i64>,
    /// The line in the exposition, from 1.
    pub line: usize,
}

impl SampleLine<'_> {
    /// Parses the series into `scratch`, which is cleared first. Whether the series is well-formed is known only after
    /// this, so a reader that hasn't seen these bytes before must call it, and an error makes the whole exposition invalid.
    pub fn labels(&self, scratch: &mut LabelsScratch) -> Result<(), ParseError> {
        scratch.clear();
        parse_series(self.series, scratch).map_err(|error| ParseError { line: self.line + error.line - 1, ..error })
    }
}

/// Walks through an exposition. After an error there is nothing more.
#[derive(Debug, Clone)]
pub struct Parser<'a> {
    input: &'a [u8],
    pos: usize,
    line: usize,
}

/// Where in a line the series begins and ends, and where the line ends (at its newline or at the end of the text).
struct Located {
    series_start: usize,
    series_end: usize,
    line_end: usize,
    /// Line ends inside the quotes of the series.
    newlines: usize,
}

impl<'a> Parser<'a> {
    /// A parser at the beginning of `input`, which needs no newline at its end.
    pub fn new(input: &'a [u8]) -> Self {
        Parser { input, pos: 0, line: 1 }
    }

    fn fail(&self, offset: usize, message: impl Into<String>) -> ParseError {
        ParseError::at(&self.input[self.pos..], offset - self.pos, self.line, message)
    }

    /// `#` at `start`.
    fn remark(&mut self, start: usize) -> Entry<'a> {
        let line_end = line_end(self.input, start);
        let entry = Entry::Remark(Remark { raw: &self.input[self.pos..line_end], line: self.line });
        self.line += 1;
        self.pos = line_end + 1;
        entry
    }

    #[inline]
    fn sample(&mut self, start: usize) -> Result<Entry<'a>, ParseError> {
        let located = match locate_fast(self.input, start) {
            Some(located) => located,
            None => locate_slow(self.input, start).map_err(|(offset, message)| self.fail(offset, message))?,
        };
        let Located { series_start, series_end, line_end, newlines } = located;
        let line = &self.input[..line_end];
        let value_start = skip_blanks(line, series_end);
        let value_end = token_end(line, value_start);
        if value_start == value_end {
            let message = format!("expected a value after the series, found {}", found(line, value_start));
            return Err(self.fail(value_start, message));
        }
        let value = parse_value(&line[value_start..value_end]).map_err(|message| self.fail(value_start, message))?;
        let time_start = skip_blanks(line, value_end);
        let mut timestamp = None;
        if time_start < line_end {
            let time_end = token_end(line, time_start);
            let time =
                parse_timestamp(&line[time_start..time_end]).map_err(|message| self.fail(time_start, message))?;
            let rest = skip_blanks(line, time_end);
            if rest < line_end {
                let message = format!("expected the end of the line after the timestamp, found {}", found(line, rest));
                return Err(self.fail(rest, message));
            }
            timestamp = Some(time);
        }
        let series = &line[series_start..series_end];
        let entry = Entry::Sample(SampleLine { series, value, timestamp, line: self.line });
        self.line += 1 + newlines;
        self.pos = line_end + 1;
        Ok(entry)
    }
}

impl<'a> Iterator for Parser<'a> {
    type Item = Result<Entry<'a>, ParseError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let start = skip_blanks(self.input, self.pos);
            let result = match self.input.get(start)? {
                b'\n' => {
                    self.pos = start + 1;
                    self.line += 1;
                    continue;
                }
                b'#' => Ok(self.remark(start)),
                _ => self.sample(start),
            };
            if result.is_err() {
                self.pos = self.input.len();
            }
            return Some(result);
        }
    }
}

/// Locates the series in the line that begins at `start`, where the line has no backslash and closes its quotes: then the
/// last `}` is the one behind the labels, as a value has none. Its twin is [`locate_slow`]; benchmark: `benches/text.rs`.
#[inline]
fn locate_fast(input: &[u8], start: usize) -> Option<Located> {
    let line_end = line_end(input, start);
    let line = &input[start..line_end];
    let (mut open_quotes, mut escapes) = (0_u8, 0_u8);
    for byte in line {
        open_quotes ^= u8::from(*byte == b'"');
        escapes |= u8::from(*byte == b'\\');
    }
    if open_quotes | escapes != 0 {
        return None;
    }
    let len = match memrchr(b'}', line) {
        Some(brace) => brace + 1,
        None => {
            Some(name_len(line, b':')).filter(|len| *len > 0 && line.get(skip_blanks(line, *len)) != Some(&b'{'))?
        }
    };
    Some(Located { series_start: start, series_end: start + len, line_end, newlines: 0 })
}

/// The twin of [`locate_fast`] for every line, and the one that says what is wrong, as an offset and a message.
#[cold]
fn locate_slow(input: &[u8], start: usize) -> Result<Located, (usize, String)> {
    let name_end = start + name_len(&input[start..], b':');
    let brace = skip_blanks(input, name_end);
    if input.get(brace) != Some(&b'{') {
        if name_end == start {
            return Err((start, format!("expected a metric name, `{{` or `#`, found {}", found(input, start))));
        }
        return Ok(Located {
            series_start: start,
            series_end: name_end,
            line_end: line_end(input, name_end),
            newlines: 0,
        });
    }
    let mut pos = brace + 1;
    loop {
        let rest = &input[pos..];
        pos += memchr3(b'"', b'}', b'\n', rest).unwrap_or(rest.len());
        match input.get(pos) {
            Some(b'"') => {
                let len = quoted_len(&input[pos..]).ok_or_else(|| (pos, "the quoted text is not closed".to_owned()))?;
                pos += len;
            }
            Some(b'}') => break,
            _ => return Err((pos, "expected `}` behind the labels, found the end of the line".to_owned())),
        }
    }
    let series_end = pos + 1;
    let newlines = count_newlines(&input[start..series_end]);
    Ok(Located { series_start: start, series_end, line_end: line_end(input, series_end), newlines })
}

/// The next newline, or the end of the text.
#[inline]
fn line_end(input: &[u8], from: usize) -> usize {
    memchr(b'\n', &input[from..]).map_or(input.len(), |len| from + len)
}

/// The end of what stands at `from` without a blank in it.
#[inline]
fn token_end(line: &[u8], from: usize) -> usize {
    line[from..].iter().position(|byte| matches!(byte, b' ' | b'\t')).map_or(line.len(), |len| from + len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Where a line is an exposition, both twins cut it at the same places.
        #[test]
        fn the_fast_way_agrees_with_the_slow_way(line in "(a|b|1|[ {}\",=]|[.+]|\n|\\{a=\"|\"\\} 1|a\\{b=\"c\"\\}){1,12}") {
            let input = line.as_bytes();
            if let Some(fast) = locate_fast(input, 0)
                && parse_series(&input[..fast.series_end], &mut LabelsScratch::default()).is_ok()
            {
                match locate_slow(input, 0) {
                    Ok(slow) => prop_assert_eq!((fast.series_end, fast.line_end, 0), (slow.series_end, slow.line_end, slow.newlines)),
                    Err(error) => prop_assert!(false, "{:?}", error),
                }
            }
        }
    }
}
