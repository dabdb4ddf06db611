//! Entry by entry through an exposition.

use std::borrow::Cow;

use model::{LabelsScratch, MetricType};

use super::exemplar::ExemplarText;
use super::locate::{Located, braces_end, line_end, locate_fast, locate_slow};
use super::series::{parse_exemplar_labels, parse_series};
use super::timestamp::parse_seconds;
use crate::text::ParseError;
use crate::text::error::found;
use crate::text::number::parse_value;
use crate::text::series::{name_len, quoted_len, unescape_label};

/// One entry of an exposition.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry<'a> {
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
    /// `# UNIT metric unit`
    Unit {
        /// The family's name, which ends in `_` and the unit.
        metric: Cow<'a, str>,
        /// In what it is measured; may be empty.
        unit: &'a str,
    },
    /// A sample.
    Sample(SampleLine<'a>),
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
    /// The exemplar, where the line has one.
    pub exemplar: Option<ExemplarText<'a>>,
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

/// Walks through an exposition. After `# EOF` and after an error there is nothing more.
#[derive(Debug, Clone)]
pub struct Parser<'a> {
    input: &'a [u8],
    pos: usize,
    line: usize,
    /// No entry begins from here on: the end of the input, or of its last whole line where more follows.
    end: usize,
    /// The end of `input` is not the end of the exposition.
    more_follows: bool,
    at_eof: bool,
    failed: bool,
}

impl<'a> Parser<'a> {
    /// A parser at the beginning of a whole exposition.
    pub fn new(input: &'a [u8]) -> Self {
        Self::piece(input, 1, false)
    }

    /// A parser of a piece that begins with line number `first_line`. Where more follows, the walk ends before a last line
    /// that is cut off, and the next piece has to begin at [`Parser::position`]. A name in quotes may hold line ends: an error
    /// in a piece of which more follows may come from the cut, and counts only where a longer piece gives it too.
    pub fn piece(input: &'a [u8], first_line: usize, more_follows: bool) -> Self {
        let whole_lines = || memchr::memrchr(b'\n', input).map_or(0, |newline| newline + 1);
        let end = if more_follows { whole_lines() } else { input.len() };
        Parser { input, pos: 0, line: first_line, end, more_follows, at_eof: false, failed: false }
    }

    /// How many bytes have been read: where the next entry begins, or the one that is wrong.
    pub fn position(&self) -> usize {
        self.pos
    }

    /// The number of the line at [`Parser::position`].
    pub fn line(&self) -> usize {
        self.line
    }

    /// Whether `# EOF` has been read.
    pub fn is_at_eof(&self) -> bool {
        self.at_eof
    }

    fn fail(&self, offset: usize, message: impl Into<String>) -> ParseError {
        ParseError::at(&self.input[self.pos..], offset - self.pos, self.line, message)
    }

    fn expected(&self, what: &str, offset: usize) -> ParseError {
        self.fail(offset, format!("expected {what}, found {}", found(self.input, offset)))
    }

    /// `# EOF` is missing.
    fn cut_off(&self) -> ParseError {
        self.fail(self.input.len(), "the exposition does not end with `# EOF`")
    }

    /// `#` at the position: metadata or the end. `None` at the end.
    fn metadata(&mut self) -> Result<Option<Entry<'a>>, ParseError> {
        let start = self.pos;
        let rest = &self.input[start..];
        if let Some(after) = rest.strip_prefix(b"# EOF") {
            let after = after.strip_prefix(b"\n").unwrap_or(after);
            let end = self.input.len() - after.len();
            if !after.is_empty() {
                return Err(self.fail(end, "unexpected data after `# EOF`"));
            }
            (self.pos, self.at_eof) = (end, true);
            return Ok(None);
        }
        let keyword = rest.get(..7).unwrap_or_default();
        if !matches!(keyword, b"# HELP " | b"# TYPE " | b"# UNIT ") {
            return Err(self.fail(start, "expected `# HELP`, `# TYPE`, `# UNIT` or `# EOF`"));
        }
        let (metric, metric_end) = self.family_name(start + 7)?;
        let end = line_end(self.input, metric_end);
        if self.input.get(metric_end) != Some(&b' ') {
            return Err(self.expected("a space behind the metric name", metric_end));
        }
        if end == self.input.len() {
            return Err(self.cut_off());
        }
        let not_utf8 = |_| self.fail(metric_end + 1, "the text is not valid UTF-8");
        let text = std::str::from_utf8(&self.input[metric_end + 1..end]).map_err(not_utf8)?;
        let entry = match keyword {
            b"# HELP " => Entry::Help { metric, text: unescape_label(text) },
            b"# TYPE " => {
                let kind = MetricType::from_word(text)
                    .ok_or_else(|| self.fail(metric_end + 1, format!("invalid metric type {text:?}")))?;
                Entry::Type { metric, kind }
            }
            _ => {
                let stem = metric.strip_suffix(text);
                if !text.is_empty() && !stem.is_some_and(|stem| stem.ends_with('_')) {
                    let message = format!("the unit {text:?} is not the end of the metric's name {metric:?}");
                    return Err(self.fail(metric_end + 1, message));
                }
                Entry::Unit { metric, unit: text }
            }
        };
        self.line += 1 + crate::text::error::count_newlines(&self.input[start..end]);
        self.pos = end + 1;
        Ok(Some(entry))
    }

    /// The metric's name at `at`, and where it ends.
    fn family_name(&self, at: usize) -> Result<(Cow<'a, str>, usize), ParseError> {
        let input = self.input;
        let quoted = if input.get(at) == Some(&b'"') { Some(quoted_len(&input[at..]).unwrap_or(0)) } else { None };
        let len = quoted.unwrap_or_else(|| name_len(&input[at..], b':'));
        if len == 0 || quoted == Some(2) {
            return Err(self.expected("a metric name", at));
        }
        let raw = if quoted.is_some() { &input[at + 1..at + len - 1] } else { &input[at..at + len] };
        let name = std::str::from_utf8(raw).map_err(|_| self.fail(at, "the metric name is not valid UTF-8"))?;
        Ok((unescape_label(name), at + len))
    }

    #[inline]
    fn sample(&mut self) -> Result<Entry<'a>, ParseError> {
        if let Some(located) = locate_fast(self.input, self.pos)
            && let Ok(entry) = self.numbers(&located)
        {
            return Ok(entry);
        }
        self.sample_slow()
    }

    /// The twin of the fast way above for lines with an exemplar, an escape or an error.
    #[cold]
    fn sample_slow(&mut self) -> Result<Entry<'a>, ParseError> {
        let located = locate_slow(self.input, self.pos).map_err(|(offset, message)| self.fail(offset, message))?;
        self.numbers(&located)
    }

    /// What follows the series.
    #[inline]
    fn numbers(&mut self, located: &Located) -> Result<Entry<'a>, ParseError> {
        let Located { series_end, line_end, newlines } = *located;
        let line = &self.input[..line_end];
        let (value, mut at) = self.value(line, series_end, "the series")?;
        let mut timestamp = None;
        if at < line_end && !line[at..].starts_with(b" # {") {
            let (time, end) = self.time(line, at)?;
            (timestamp, at) = (Some(time), end);
        }
        let mut exemplar = None;
        if line[at..].starts_with(b" # {") {
            let (text, end) = self.exemplar(line, at + 3)?;
            (exemplar, at) = (Some(text), end);
        }
        if at < line_end {
            return Err(self.expected("the end of the line or an exemplar", at));
        }
        if line_end == self.input.len() {
            return Err(self.cut_off());
        }
        let series = &line[self.pos..series_end];
        let entry = Entry::Sample(SampleLine { series, value, timestamp, exemplar, line: self.line });
        self.line += 1 + newlines;
        self.pos = line_end + 1;
        Ok(entry)
    }

    /// A space and a number at `at`, and where it ends.
    #[inline]
    fn value(&self, line: &[u8], at: usize, after: &str) -> Result<(f64, usize), ParseError> {
        let end = token_end(line, at);
        if line.get(at) != Some(&b' ') || end == at + 1 {
            return Err(self.expected(&format!("a space and a value after {after}"), at));
        }
        let value = parse_value(&line[at + 1..end]).map_err(|message| self.fail(at + 1, message))?;
        Ok((value, end))
    }

    /// A space and a timestamp at `at`, and where it ends.
    #[inline]
    fn time(&self, line: &[u8], at: usize) -> Result<(i64, usize), ParseError> {
        let end = token_end(line, at);
        if line.get(at) != Some(&b' ') || end == at + 1 {
            return Err(self.expected("a space and a timestamp", at));
        }
        let time = parse_seconds(&line[at + 1..end]).map_err(|message| self.fail(at + 1, message))?;
        Ok((time, end))
    }

    /// An exemplar whose `{` is at `open`, and where it ends.
    fn exemplar(&self, line: &'a [u8], open: usize) -> Result<(ExemplarText<'a>, usize), ParseError> {
        let end = braces_end(line, open).map_err(|(offset, message)| self.fail(offset, message))?;
        let labels = &line[open..end];
        parse_exemplar_labels(labels, &mut LabelsScratch::default())
            .map_err(|error| self.fail(open + error.column - 1, error.message))?;
        let (value, mut at) = self.value(line, end, "the exemplar's labels")?;
        let mut timestamp = None;
        if at < line.len() {
            let (time, end) = self.time(line, at)?;
            (timestamp, at) = (Some(time), end);
        }
        Ok((ExemplarText { labels, value, timestamp }, at))
    }
}

impl<'a> Iterator for Parser<'a> {
    type Item = Result<Entry<'a>, ParseError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at_eof || self.failed {
            return None;
        }
        if self.more_follows && self.pos >= self.end {
            return None;
        }
        let result = match self.input.get(self.pos) {
            None => Err(self.cut_off()),
            Some(b'#') => match self.metadata() {
                Ok(entry) => return entry.map(Ok),
                Err(error) => Err(error),
            },
            Some(_) => self.sample(),
        };
        self.failed = result.is_err();
        Some(result)
    }
}

/// The end of the token behind the space at `at`.
#[inline]
fn token_end(line: &[u8], at: usize) -> usize {
    let start = (at + 1).min(line.len());
    line[start..].iter().position(|byte| *byte == b' ').map_or(line.len(), |len| start + len)
}
