//! Scripts as commands.

use std::fmt;

use model::{Labels, Timestamp};

use crate::syntax::unquote;
use crate::testlang::classic::{NativeSeries, natives};
use crate::testlang::notation::{NotationError, SequenceValue, number, parse_series};
use crate::testlang::starts::{Starts, parse_starts};

/// Why a text is no script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct ScriptError {
    /// Which line, from 1.
    pub line: usize,
    /// Which byte of it, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// One command.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Forget all series.
    Clear,
    /// Add series.
    Load(Load),
    /// Evaluate a query and compare.
    Eval(Evaluation),
}

/// Series to add, their values `step_ms` apart from the epoch on.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// The distance of the values, milliseconds.
    pub step_ms: i64,
    /// The series.
    pub series: Vec<(Labels, Vec<SequenceValue>)>,
    /// The start timestamps of some of them: of which, and as many as it has values.
    pub starts: Vec<(usize, Starts)>,
    /// What `load_with_nhcb` adds: their classic histograms as native ones.
    pub natives: Vec<NativeSeries>,
}

/// When a query is evaluated, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At one time.
    Instant(Timestamp),
    /// From the first to the second time, every so many milliseconds.
    Range(Timestamp, Timestamp, i64),
}

/// What a message must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextMatch {
    /// Any message.
    Any,
    /// This one.
    Exact(String),
    /// One in which this regular expression is found.
    Regex(String),
}

impl fmt::Display for TextMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TextMatch::Any => f.write_str("of any kind"),
            TextMatch::Exact(message) => write!(f, "{message:?}"),
            TextMatch::Regex(pattern) => write!(f, "in which {pattern:?} is found"),
        }
    }
}

/// What a query is to give beside values.
#[derive(Debug, Clone, PartialEq)]
pub enum Expectation {
    /// An error.
    Fail(TextMatch),
    /// A warning.
    Warn(TextMatch),
    /// No warning.
    NoWarn,
    /// An info.
    Info(TextMatch),
    /// No info.
    NoInfo,
    /// The series in the order in which they are written.
    Ordered,
    /// This text.
    Text(String),
    /// A range vector, the values of each series at these times.
    RangeVector(Timestamp, Timestamp, i64),
}

/// A query and what is to come out.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// In which line it stands, from 1.
    pub line: usize,
    /// The query.
    pub query: String,
    /// When it is evaluated.
    pub when: When,
    /// What is to come beside values.
    pub expectations: Vec<Expectation>,
    /// The series that are to come out.
    pub series: Vec<(Labels, Vec<SequenceValue>)>,
    /// The number that is to come out.
    pub scalar: Option<f64>,
    /// The lines below the query as they are written, without their indentation.
    pub written: Vec<String>,
}

/// Reads a script.
pub fn parse_script(text: &str) -> Result<Vec<Command>, ScriptError> {
    let mut reader = Lines { lines: text.lines().collect(), at: 0 };
    let mut commands = Vec::new();
    while let Some(line) = reader.next() {
        let word = line.split_whitespace().next().unwrap_or("").to_ascii_lowercase();
        match word.as_str() {
            "" => {}
            "clear" => commands.push(Command::Clear),
            "load" | "load_with_nhcb" => commands.push(Command::Load(reader.load(line)?)),
            _ if word == "eval" || word.starts_with("eval_") => commands.push(Command::Eval(reader.eval(line)?)),
            _ => return Err(reader.error(line, format!("invalid command {line:?}"))),
        }
    }
    Ok(commands)
}

struct Lines<'a> {
    lines: Vec<&'a str>,
    at: usize,
}

impl<'a> Lines<'a> {
    /// The line at a place without what is around it. A comment is as good as an empty line.
    fn line(&self, at: usize) -> Option<&'a str> {
        let line = self.lines.get(at)?.trim();
        Some(if line.starts_with('#') { "" } else { line })
    }

    fn next(&mut self) -> Option<&'a str> {
        let line = self.line(self.at);
        self.at += 1;
        line
    }

    /// The next line of the command; the first empty one ends it.
    fn next_of_command(&mut self) -> Option<&'a str> {
        let line = self.line(self.at).filter(|line| !line.is_empty())?;
        self.at += 1;
        Some(line)
    }

    /// An error at `part` of the line that was read last.
    fn error(&self, part: &str, message: impl Into<String>) -> ScriptError {
        let whole = self.lines.get(self.at.saturating_sub(1)).map_or(part, |line| line);
        let offset = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize);
        let column = offset.filter(|offset| *offset <= whole.len()).unwrap_or(0) + 1;
        ScriptError { line: self.at, column, message: message.into() }
    }

    fn duration(&self, text: &str) -> Result<i64, ScriptError> {
        let negative = text.strip_prefix('-');
        let ms = model::parse_duration(negative.unwrap_or(text)).map_err(|e| self.error(text, e.to_string()))?;
        Ok(if negative.is_some() { -ms } else { ms })
    }

    fn time(&self, text: &str) -> Result<Timestamp, ScriptError> {
        self.duration(text).map(Timestamp::from_ms)
    }

    /// `FROM`, `TO` and `STEP` of a range.
    fn range(&self, from: &str, to: &str, step: &str) -> Result<(Timestamp, Timestamp, i64), ScriptError> {
        let range = (self.time(from)?, self.time(to)?, self.duration(step)?);
        if range.1 < range.0 {
            return Err(self.error(to, format!("the end {to} is before the start {from}")));
        }
        if range.2 <= 0 {
            return Err(self.error(step, "the step must be longer than 0"));
        }
        Ok(range)
    }

    fn series(&self, line: &str) -> Result<(Labels, Vec<SequenceValue>), ScriptError> {
        parse_series(line).map_err(|e| self.notation_error(line, e))
    }

    fn notation_error(&self, line: &str, error: NotationError) -> ScriptError {
        let inside = line.get(error.column.saturating_sub(1)..).unwrap_or(line);
        self.error(inside, error.message)
    }

    fn load(&mut self, line: &str) -> Result<Load, ScriptError> {
        let (command, step) =
            line.split_once(char::is_whitespace).ok_or_else(|| self.error(line, "load needs a step"))?;
        let with_native = !command.eq_ignore_ascii_case("load");
        let step_ms = self.duration(step.trim())?;
        let mut load = Load { step_ms, series: Vec::new(), starts: Vec::new(), natives: Vec::new() };
        let at = self.at;
        while let Some(line) = self.next_of_command() {
            if let Some(read) = parse_starts(line) {
                let (labels, starts) = read.map_err(|e| self.notation_error(line, e))?;
                self.started_series(line, &labels, starts, &mut load)?;
            } else {
                load.series.push(self.series(line)?);
            }
        }
        if with_native {
            load.natives = natives(&load.series).map_err(|message| ScriptError { line: at, column: 1, message })?;
        }
        Ok(load)
    }

    /// The series that belongs to a line of starts: it follows at once.
    fn started_series(
        &mut self,
        line: &str,
        labels: &Labels,
        starts: Starts,
        load: &mut Load,
    ) -> Result<(), ScriptError> {
        let alone = self.error(line, format!("start timestamps of {labels} without its values in the next line"));
        let Some(line) = self.next_of_command().filter(|next| parse_starts(next).is_none()) else { return Err(alone) };
        let series = self.series(line)?;
        if series.0 != *labels {
            return Err(alone);
        }
        if series.1.len() != starts.len() {
            let message =
                format!("{} values, but {} start timestamps in the line before", series.1.len(), starts.len());
            return Err(self.error(line, message));
        }
        load.starts.push((load.series.len(), starts));
        load.series.push(series);
        Ok(())
    }

    fn eval(&mut self, line: &str) -> Result<Evaluation, ScriptError> {
        let mut words = Words { rest: line };
        let command = words.next();
        let when = match (words.next(), words.next()) {
            ("instant", "at") => When::Instant(self.time(words.next())?),
            ("range", "from") => {
                let [from, to_word, to, step_word, step] = std::array::from_fn(|_| words.next());
                if let Some((word, _)) = [(to_word, "to"), (step_word, "step")].iter().find(|(word, want)| word != want)
                {
                    return Err(self.error(word, WANT_EVAL));
                }
                let (from, to, step_ms) = self.range(from, to, step)?;
                When::Range(from, to, step_ms)
            }
            (kind, _) => return Err(self.error(kind, WANT_EVAL)),
        };
        let expectations = match command.to_ascii_lowercase().as_str() {
            "eval_fail" => vec![Expectation::Fail(TextMatch::Any)],
            "eval_warn" => vec![Expectation::Warn(TextMatch::Any)],
            "eval_info" => vec![Expectation::Info(TextMatch::Any)],
            "eval_ordered" if matches!(when, When::Instant(_)) => vec![Expectation::Ordered],
            "eval" => Vec::new(),
            _ => return Err(self.error(command, WANT_EVAL)),
        };
        let query = words.rest.trim().to_owned();
        if query.is_empty() {
            return Err(self.error(words.rest, "there is no query"));
        }
        let (series, scalar, written) = (Vec::new(), None, Vec::new());
        let mut evaluation = Evaluation { line: self.at, query, when, expectations, series, scalar, written };
        while let Some(line) = self.next_of_command() {
            self.expected(line, &mut evaluation)?;
            evaluation.written.push(line.to_owned());
        }
        Ok(evaluation)
    }

    /// A line below a query.
    fn expected(&self, line: &str, evaluation: &mut Evaluation) -> Result<(), ScriptError> {
        if let Some(expectation) = self.expectation(line)? {
            evaluation.expectations.push(expectation);
            return match contradiction(&evaluation.expectations) {
                Some(message) => Err(self.error(line, message)),
                None => Ok(()),
            };
        }
        if let Some(scalar) = number(line) {
            evaluation.scalar = Some(scalar);
            return Ok(());
        }
        let (labels, values) = self.series(line)?;
        let has_times = evaluation.expectations.iter().any(|e| matches!(e, Expectation::RangeVector(..)));
        if values.len() > 1 && matches!(evaluation.when, When::Instant(_)) && !has_times {
            let message = "an instant query gives one value; expect range vector takes several";
            return Err(self.error(line, message));
        }
        evaluation.series.push((labels, values));
        Ok(())
    }

    /// What an `expect` line says; `None` for any other line.
    fn expectation(&self, line: &str) -> Result<Option<Expectation>, ScriptError> {
        if let Some(message) = line.strip_prefix("expected_fail_message ") {
            return Ok(Some(Expectation::Fail(TextMatch::Exact(message.trim().to_owned()))));
        }
        if let Some(pattern) = line.strip_prefix("expected_fail_regexp ") {
            return Ok(Some(Expectation::Fail(self.regex(pattern)?)));
        }
        let mut words = Words { rest: line };
        if words.next() != "expect" {
            return Ok(None);
        }
        let word = words.next();
        let argument = words.rest.trim();
        Ok(Some(match word {
            "fail" => Expectation::Fail(self.text_match(argument)?),
            "warn" => Expectation::Warn(self.text_match(argument)?),
            "info" => Expectation::Info(self.text_match(argument)?),
            "no_warn" => Expectation::NoWarn,
            "no_info" => Expectation::NoInfo,
            "ordered" => Expectation::Ordered,
            "string" => {
                let text = unquote(argument).and_then(|bytes| String::from_utf8(bytes).ok());
                Expectation::Text(text.ok_or_else(|| self.error(argument, "expect string needs a string in quotes"))?)
            }
            "range" => match argument.split_whitespace().collect::<Vec<_>>()[..] {
                ["vector", "from", from, "to", to, "step", step] => {
                    let (from, to, step_ms) = self.range(from, to, step)?;
                    Expectation::RangeVector(from, to, step_ms)
                }
                _ => return Err(self.error(argument, "want expect range vector from TIME to TIME step DURATION")),
            },
            _ => return Err(self.error(word, format!("unknown expectation {word:?}"))),
        }))
    }

    fn text_match(&self, argument: &str) -> Result<TextMatch, ScriptError> {
        match argument.split_once(':') {
            None if argument.is_empty() => Ok(TextMatch::Any),
            Some(("msg", message)) => Ok(TextMatch::Exact(message.trim().to_owned())),
            Some(("regex", pattern)) => self.regex(pattern),
            _ => Err(self.error(argument, format!("want msg: or regex: instead of {argument:?}"))),
        }
    }

    fn regex(&self, pattern: &str) -> Result<TextMatch, ScriptError> {
        let pattern = pattern.trim();
        match model::GoRegex::new(pattern) {
            Ok(_) => Ok(TextMatch::Regex(pattern.to_owned())),
            Err(error) => Err(self.error(pattern, error.to_string())),
        }
    }
}

const WANT_EVAL: &str =
    "invalid eval command: want eval instant at TIME QUERY, or eval range from TIME to TIME step DURATION QUERY";

/// The words of a line, one after another.
struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> &'a str {
        let rest = self.rest.trim_start();
        let (word, behind) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        self.rest = behind;
        word
    }
}

/// What of these can't be expected together.
fn contradiction(expectations: &[Expectation]) -> Option<&'static str> {
    let count = |what: fn(&Expectation) -> bool| expectations.iter().filter(|e| what(e)).count();
    let both = |one: fn(&Expectation) -> bool, other: &Expectation| count(one) > 0 && expectations.contains(other);
    if both(|e| matches!(e, Expectation::Info(_)), &Expectation::NoInfo) {
        return Some("info and no_info can't be expected together");
    }
    if both(|e| matches!(e, Expectation::Warn(_)), &Expectation::NoWarn) {
        return Some("warn and no_warn can't be expected together");
    }
    // The deprecated eval_fail is made more precise by a line of its own.
    let precise = |e: &Expectation| matches!(e, Expectation::Fail(TextMatch::Exact(_) | TextMatch::Regex(_)));
    (count(precise) > 1).then_some("a query fails in one way: there is more than one expect fail")
}

#[cfg(test)]
mod tests;
