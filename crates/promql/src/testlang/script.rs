//! Scripts as commands.

use model::{Labels, Timestamp};

use crate::syntax::unquote;
use crate::testlang::notation::{NotationError, SequenceValue, number, parse_series};

/// Why a text is no script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ScriptError {
    /// Which line, from 1.
    pub line: usize,
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
    /// Classic histograms are loaded a second time as native ones.
    pub with_native: bool,
    /// The series.
    pub series: Vec<(Labels, Vec<SequenceValue>)>,
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
}

/// Reads a script.
pub fn parse_script(text: &str) -> Result<Vec<Command>, ScriptError> {
    // A comment is as good as an empty line.
    let lines: Vec<&str> =
        text.lines().map(str::trim).map(|line| if line.starts_with('#') { "" } else { line }).collect();
    let mut reader = Lines { lines, at: 0 };
    let mut commands = Vec::new();
    while let Some(line) = reader.next() {
        let word = line.split_whitespace().next().unwrap_or("");
        match word {
            "" => {}
            "clear" => commands.push(Command::Clear),
            "load" | "load_with_nhcb" => commands.push(Command::Load(reader.load(line)?)),
            _ if word == "eval" || word.starts_with("eval_") => commands.push(Command::Eval(reader.eval(line)?)),
            _ => return Err(reader.error(format!("invalid command {line:?}"))),
        }
    }
    Ok(commands)
}

struct Lines<'a> {
    lines: Vec<&'a str>,
    at: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let line = self.lines.get(self.at).copied();
        self.at += 1;
        line
    }

    /// The next line of the command; the first empty one ends it.
    fn next_of_command(&mut self) -> Option<&'a str> {
        let line = self.lines.get(self.at).copied().filter(|line| !line.is_empty())?;
        self.at += 1;
        Some(line)
    }

    fn error(&self, message: impl Into<String>) -> ScriptError {
        ScriptError { line: self.at, message: message.into() }
    }

    fn duration(&self, text: &str) -> Result<i64, ScriptError> {
        let negative = text.strip_prefix('-');
        let ms = model::parse_duration(negative.unwrap_or(text)).map_err(|e| self.error(e.to_string()))?;
        Ok(if negative.is_some() { -ms } else { ms })
    }

    fn time(&self, text: &str) -> Result<Timestamp, ScriptError> {
        self.duration(text).map(Timestamp::from_ms)
    }

    fn series(&self, line: &str) -> Result<(Labels, Vec<SequenceValue>), ScriptError> {
        parse_series(line).map_err(|e: NotationError| self.error(e.to_string()))
    }

    fn load(&mut self, line: &str) -> Result<Load, ScriptError> {
        let (command, step) = line.split_once(char::is_whitespace).ok_or_else(|| self.error("load needs a step"))?;
        let mut load =
            Load { step_ms: self.duration(step.trim())?, with_native: command != "load", series: Vec::new() };
        while let Some(line) = self.next_of_command() {
            load.series.push(self.series(line)?);
        }
        Ok(load)
    }

    fn eval(&mut self, line: &str) -> Result<Evaluation, ScriptError> {
        let invalid = |lines: &Self| {
            lines.error("invalid eval command: want eval instant at TIME QUERY or eval range from TIME to TIME step DURATION QUERY")
        };
        let mut rest = line;
        let mut word = || {
            rest = rest.trim_start();
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            rest = behind;
            word
        };
        let command = word();
        let when = match (word(), word()) {
            ("instant", "at") => When::Instant(self.time(word())?),
            ("range", "from") => {
                let (from, to_word, to, step_word, step) = (word(), word(), word(), word(), word());
                if (to_word, step_word) != ("to", "step") {
                    return Err(invalid(self));
                }
                When::Range(self.time(from)?, self.time(to)?, self.duration(step)?)
            }
            _ => return Err(invalid(self)),
        };
        let expectations = match command {
            "eval_fail" => vec![Expectation::Fail(TextMatch::Any)],
            "eval_warn" => vec![Expectation::Warn(TextMatch::Any)],
            "eval_info" => vec![Expectation::Info(TextMatch::Any)],
            "eval_ordered" => vec![Expectation::Ordered],
            "eval" => Vec::new(),
            _ => return Err(self.error(format!("unknown command {command:?}"))),
        };
        let query = rest.trim().to_owned();
        let mut evaluation = Evaluation { line: self.at, query, when, expectations, series: Vec::new(), scalar: None };
        while let Some(line) = self.next_of_command() {
            if let Some(expectation) = self.expectation(line)? {
                evaluation.expectations.push(expectation);
            } else if let Some(scalar) = number(line) {
                evaluation.scalar = Some(scalar);
            } else {
                evaluation.series.push(self.series(line)?);
            }
        }
        Ok(evaluation)
    }

    /// What an `expect` line says; `None` for any other line.
    fn expectation(&self, line: &str) -> Result<Option<Expectation>, ScriptError> {
        if let Some(message) = line.strip_prefix("expected_fail_message ") {
            return Ok(Some(Expectation::Fail(TextMatch::Exact(message.trim().to_owned()))));
        }
        if let Some(pattern) = line.strip_prefix("expected_fail_regexp ") {
            return Ok(Some(Expectation::Fail(TextMatch::Regex(pattern.trim().to_owned()))));
        }
        let Some(rest) = line.strip_prefix("expect ") else { return Ok(None) };
        let (word, argument) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
        let argument = argument.trim();
        Ok(Some(match word {
            "fail" => Expectation::Fail(self.text_match(argument)?),
            "warn" => Expectation::Warn(self.text_match(argument)?),
            "info" => Expectation::Info(self.text_match(argument)?),
            "no_warn" => Expectation::NoWarn,
            "no_info" => Expectation::NoInfo,
            "ordered" => Expectation::Ordered,
            "string" => {
                let text = unquote(argument).and_then(|bytes| String::from_utf8(bytes).ok());
                Expectation::Text(text.ok_or_else(|| self.error("expect string needs a string in quotes"))?)
            }
            "range" => match argument.split_whitespace().collect::<Vec<_>>()[..] {
                ["vector", "from", from, "to", to, "step", step] => {
                    Expectation::RangeVector(self.time(from)?, self.time(to)?, self.duration(step)?)
                }
                _ => return Err(self.error("want expect range vector from TIME to TIME step DURATION")),
            },
            _ => return Err(self.error(format!("unknown expectation {word:?}"))),
        }))
    }

    fn text_match(&self, argument: &str) -> Result<TextMatch, ScriptError> {
        match argument.split_once(':') {
            None if argument.is_empty() => Ok(TextMatch::Any),
            Some(("msg", message)) => Ok(TextMatch::Exact(message.trim().to_owned())),
            Some(("regex", pattern)) => Ok(TextMatch::Regex(pattern.trim().to_owned())),
            _ => Err(self.error(format!("want msg: or regex: instead of {argument:?}"))),
        }
    }
}
