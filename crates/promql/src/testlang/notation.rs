//! Series in short: `metric{label="value"} 0+10x5 _ stale`.

use model::{Labels, METRIC_NAME, STALE_NAN};

use crate::syntax::unquote;
use crate::testlang::literal::{self, HistogramLiteral};

/// Why a line is no series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct NotationError {
    /// Where, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// One place of a series.
#[derive(Debug, Clone, PartialEq)]
pub enum SequenceValue {
    /// Nothing there: `_`.
    Omitted,
    /// A number, or the stale marker for `stale`.
    Float(f64),
    /// A native histogram: `{{…}}`.
    Histogram(Box<HistogramLiteral>),
}

/// How many values one line may stand for.
pub(crate) const VALUES_MAX: usize = 1_000_000;

/// Reads a line: labels, then values.
pub fn parse_series(line: &str) -> Result<(Labels, Vec<SequenceValue>), NotationError> {
    let mut reader = Reader::new(line);
    let labels = reader.labels()?;
    let mut values = Vec::new();
    loop {
        reader.skip_space();
        if reader.rest().is_empty() {
            return Ok((labels, values));
        }
        reader.value(&mut values)?;
        if values.len() > VALUES_MAX {
            return Err(reader.error(format!("more than {VALUES_MAX} values")));
        }
    }
}

/// A place in a line.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the beginning.
    pub(crate) fn new(line: &'a str) -> Self {
        Reader { line, at: 0 }
    }

    /// What is to come.
    pub(crate) fn rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    /// An error here.
    pub(crate) fn error(&self, message: impl Into<String>) -> NotationError {
        NotationError { column: self.at + 1, message: message.into() }
    }

    /// Goes on to what is no space.
    pub(crate) fn skip_space(&mut self) {
        self.at = self.line.len() - self.rest().trim_start().len();
    }

    /// Goes on behind `wanted`, if that is next.
    pub(crate) fn eat(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len() } else { 0 };
        found
    }

    /// Goes on as long as it is accepted.
    pub(crate) fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !accept(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Goes on behind the labels of a series.
    pub(crate) fn labels(&mut self) -> Result<Labels, NotationError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(NotationError { column: 1, message: "a name can't begin with a digit".to_owned() });
        }
        if !name.is_empty() {
            pairs.push((METRIC_NAME.to_owned(), name.to_owned()));
        }
        self.skip_space();
        if !self.eat("{") || self.rest().starts_with('{') {
            self.at = name.len();
            return if name.is_empty() { Err(self.error("expected a series")) } else { Ok(Labels::from_pairs(pairs)) };
        }
        loop {
            self.skip_space();
            if self.eat("}") {
                return Ok(Labels::from_pairs(pairs));
            }
            let quoted = self.rest().starts_with(['"', '\'', '`']);
            let label = if quoted {
                self.string()?
            } else {
                self.take_while(|c| c.is_ascii_alphanumeric() || c == '_').to_owned()
            };
            self.skip_space();
            if self.eat("=") {
                self.skip_space();
                pairs.push((label, self.string()?));
            } else if quoted {
                pairs.push((METRIC_NAME.to_owned(), label));
            } else {
                return Err(self.error("expected \"=\""));
            }
            self.skip_space();
            if !self.eat(",") && !self.rest().starts_with('}') {
                return Err(self.error("expected \",\" or \"}\""));
            }
        }
    }

    fn string(&mut self) -> Result<String, NotationError> {
        let rest = self.rest();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
        let quote = quote.ok_or_else(|| self.error("expected a string"))?;
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(1) {
            if c == quote && !escaped {
                let bytes = unquote(&rest[..=at]).ok_or_else(|| self.error("unknown escape sequence"))?;
                self.at += at + 1;
                return String::from_utf8(bytes).map_err(|_| self.error("the string is no UTF-8"));
            }
            escaped = c == '\\' && !escaped && quote != '`';
        }
        Err(self.error("unterminated string"))
    }

    /// One item: a value, a repetition, a progression.
    fn value(&mut self, values: &mut Vec<SequenceValue>) -> Result<(), NotationError> {
        if self.rest().starts_with("{{") {
            return self.histogram(values);
        }
        let start = self.at;
        let item = self.take_while(|c| !c.is_whitespace());
        let wrong = || NotationError { column: start + 1, message: format!("{item:?} is no value") };
        let (item, times) = match item.rsplit_once('x') {
            Some((item, times)) => (item, Some(times.parse::<usize>().map_err(|_| wrong())?)),
            None => (item, None),
        };
        if times.is_some_and(|times| times > VALUES_MAX) {
            return Err(wrong());
        }
        if item == "_" {
            values.extend(std::iter::repeat_n(SequenceValue::Omitted, times.unwrap_or(1)));
            return Ok(());
        }
        // `a+bxn` is a and n more values, each b larger; without a progression b is 0.
        let progression = item
            .char_indices()
            .skip(1)
            .find(|(at, c)| matches!(c, '+' | '-') && !item[..*at].ends_with(['e', 'E']) && times.is_some());
        let (first, step) = match progression {
            Some((at, sign)) => {
                let step = number(item[at..].trim_start_matches(['+', '-'])).ok_or_else(wrong)?;
                (number(&item[..at]).ok_or_else(wrong)?, if sign == '-' { -step } else { step })
            }
            None => (number(item).ok_or_else(wrong)?, 0.0),
        };
        let mut value = first;
        for _ in 0..=times.unwrap_or(0) {
            values.push(SequenceValue::Float(value));
            value += step;
        }
        Ok(())
    }

    /// A histogram, a repetition, or a progression by another histogram.
    fn histogram(&mut self, values: &mut Vec<SequenceValue>) -> Result<(), NotationError> {
        let first = self.histogram_literal()?;
        let sign = if self.rest().starts_with("+{{") {
            Some(1.0)
        } else if self.rest().starts_with("-{{") {
            Some(-1.0)
        } else {
            None
        };
        let mut step = None;
        if let Some(sign) = sign {
            self.at += 1;
            step = Some((sign, self.histogram_literal()?));
        }
        let times = if self.eat("x") {
            let times = self.take_while(|c| c.is_ascii_digit()).parse();
            times.map_err(|_| self.error("expected a number of repetitions"))?
        } else if step.is_some() {
            return Err(self.error("expected \"x\" and a number of repetitions"));
        } else {
            0_usize
        };
        if times > VALUES_MAX {
            return Err(self.error(format!("more than {VALUES_MAX} values")));
        }
        let says_counter_reset = step.as_ref().map_or(first.says_counter_reset, |(_, step)| step.says_counter_reset);
        let mut literal = HistogramLiteral { says_counter_reset, ..first };
        for _ in 0..times {
            let next = match &step {
                Some((sign, step)) => {
                    let combined = if *sign > 0.0 {
                        literal.histogram.plus(&step.histogram)
                    } else {
                        literal.histogram.minus(&step.histogram)
                    };
                    combined.map_err(|e| self.error(e.to_string()))?.0
                }
                None => literal.histogram.clone(),
            };
            values.push(SequenceValue::Histogram(Box::new(literal)));
            literal = HistogramLiteral { histogram: next, says_counter_reset };
        }
        values.push(SequenceValue::Histogram(Box::new(literal)));
        Ok(())
    }

    fn histogram_literal(&mut self) -> Result<HistogramLiteral, NotationError> {
        self.eat("{{");
        let end = self.rest().find("}}").ok_or_else(|| self.error("unterminated histogram"))?;
        let literal = literal::read(&self.rest()[..end]).map_err(|message| self.error(message))?;
        self.at += end + 2;
        Ok(literal)
    }
}

/// A number as the language writes it, or `stale`.
pub(crate) fn number(text: &str) -> Option<f64> {
    if text == "stale" { Some(STALE_NAN) } else { model::parse_float(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(line: &str) -> Vec<Option<f64>> {
        let (_, values) = parse_series(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        values
            .into_iter()
            .map(|value| match value {
                SequenceValue::Float(value) => Some(value),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn reads_values() {
        let check = |line: &str, want: &[Option<f64>]| assert_eq!(floats(line), want, "{line}");
        check("a 1 2 -3", &[Some(1.0), Some(2.0), Some(-3.0)]);
        check("a 0+10x2", &[Some(0.0), Some(10.0), Some(20.0)]);
        check("a 3-2x2", &[Some(3.0), Some(1.0), Some(-1.0)]);
        check("a -1+1x1", &[Some(-1.0), Some(0.0)]);
        check("a 5x2", &[Some(5.0); 3]);
        check("a _ 1 _x2", &[None, Some(1.0), None, None]);
        check(
            "a Inf -Inf 1e3 1e-3x1",
            &[Some(f64::INFINITY), Some(f64::NEG_INFINITY), Some(1000.0), Some(0.001), Some(0.001)],
        );
        assert!(model::is_stale(floats("a stale")[0].expect("a value")));
    }

    #[test]
    fn reads_labels() {
        let check = |line: &str, want: &str| {
            assert_eq!(parse_series(line).expect("valid").0.to_string(), want, "{line}");
        };
        check("a{} 1", "a");
        check("{} 1", "{}");
        check("a{b=\"c\", d='e'} 1", "a{b=\"c\", d=\"e\"}");
        check("{\"a.b\", \"c.d\"=\"e\"} 1", "{\"a.b\", \"c.d\"=\"e\"}");
        check("a {b=\"c\"} 1", "a{b=\"c\"}");
    }

    #[test]
    fn reads_histograms() {
        let check = |line: &str, want: &[&str]| {
            let (_, values) = parse_series(line).unwrap_or_else(|e| panic!("{line}: {e}"));
            let written = values.into_iter().map(|value| match value {
                SequenceValue::Histogram(literal) => literal::written(&literal.histogram),
                other => format!("{other:?}"),
            });
            assert_eq!(written.collect::<Vec<_>>(), want, "{line}");
        };
        check("a {{}} 1", &["{{}}", "Float(1.0)"]);
        check("a {{count:1}}x2", &["{{count:1}}"; 3]);
        check("a {{ sum:1 count:2 }}+{{sum:1}}x2", &["{{count:2 sum:1}}", "{{count:2 sum:2}}", "{{count:2 sum:3}}"]);
        check("a {{buckets:[2 1]}}-{{buckets:[1]}}x1 _", &["{{buckets:[2 1]}}", "{{buckets:[1 1]}}", "Omitted"]);
    }

    #[test]
    fn refuses_what_is_no_series() {
        for bad in
            ["", "1 2", "a{b} 1", "a{b=\"c} 1", "a 1y", "a 1x", "a {{sum:1", "a {{sum:1}}+{{sum:1}}", "a {{sum:x}}"]
        {
            assert!(parse_series(bad).is_err(), "{bad}");
        }
    }
}
