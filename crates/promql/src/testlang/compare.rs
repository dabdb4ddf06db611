//! What came beside what was expected.

use model::{Labels, Timestamp, format_float, is_stale};

use crate::engine::{MatrixSeries, QueryResult, Value, VectorSample};
use crate::syntax::ParseError;
use crate::testlang::notation::SequenceValue;
use crate::testlang::script::{Evaluation, Expectation, TextMatch, When};

/// How far a value may be from the expected one, as a share of both.
const TOLERANCE: f64 = 1e-6;

/// Whether two values are the same as far as floats can be.
pub(crate) fn almost_equal(a: f64, b: f64) -> bool {
    if is_stale(a) || is_stale(b) {
        return is_stale(a) && is_stale(b);
    }
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

impl TextMatch {
    fn accepts(&self, text: &str) -> bool {
        match self {
            TextMatch::Any => true,
            TextMatch::Exact(message) => text == message,
            // The language's expressions are found anywhere; ours match the whole text.
            TextMatch::Regex(pattern) => {
                model::GoRegex::new(&format!(".*(?:{pattern}).*")).is_ok_and(|regex| regex.is_match(text))
            }
        }
    }
}

/// What is wrong with an error that came; `None` if an error was expected.
pub(crate) fn failure(evaluation: &Evaluation, message: &str) -> Option<String> {
    let mut expected = false;
    for expectation in &evaluation.expectations {
        if let Expectation::Fail(text) = expectation {
            expected = true;
            if !text.accepts(message) {
                return Some(format!("expected the error {text:?}, got the error {message:?}"));
            }
        }
    }
    (!expected).then(|| format!("error: {message}"))
}

/// What is wrong with a query that can't be read; `None` if an error was expected.
pub(crate) fn parse_failure(evaluation: &Evaluation, error: &ParseError) -> Option<String> {
    failure(evaluation, &error.to_string())
}

/// What is wrong with an answer; `None` if it is as expected.
pub(crate) fn answer(evaluation: &Evaluation, result: &QueryResult) -> Option<String> {
    for expectation in &evaluation.expectations {
        let wrong = match expectation {
            Expectation::Fail(_) => Some(format!("expected an error, got {}", written(&result.value))),
            Expectation::Warn(text) => missing(text, &result.warnings, "warning"),
            Expectation::NoWarn => unwanted(&result.warnings, "warning"),
            Expectation::Info(text) => missing(text, &result.infos, "info"),
            Expectation::NoInfo => unwanted(&result.infos, "info"),
            Expectation::Ordered | Expectation::Text(_) | Expectation::RangeVector(..) => None,
        };
        if wrong.is_some() {
            return wrong;
        }
    }
    value(evaluation, &result.value)
}

fn missing(wanted: &TextMatch, came: &[String], kind: &str) -> Option<String> {
    let found = came.iter().any(|message| wanted.accepts(message));
    (!found).then(|| format!("expected the {kind} {wanted:?}, got {came:?}"))
}

fn unwanted(came: &[String], kind: &str) -> Option<String> {
    (!came.is_empty()).then(|| format!("expected no {kind}, got {came:?}"))
}

/// What is wrong with a value.
pub(crate) fn value(evaluation: &Evaluation, value: &Value) -> Option<String> {
    let wrong = match (value, evaluation.when) {
        (Value::Scalar(sample), _) => {
            let fits = evaluation.scalar.is_some_and(|expected| almost_equal(expected, sample.value));
            (!fits).then(|| format!("expected {:?}", evaluation.scalar))
        }
        (Value::String(_, text), _) => {
            let fits = evaluation.expectations.iter().any(|e| matches!(e, Expectation::Text(want) if want == text));
            (!fits).then(|| "expected another text".to_owned())
        }
        (Value::Vector(vector), _) => vector_value(evaluation, vector),
        (Value::Matrix(matrix), When::Range(start, _, step_ms)) => matrix_value(evaluation, matrix, start, step_ms),
        (Value::Matrix(matrix), When::Instant(_)) => {
            let times = evaluation.expectations.iter().find_map(|expectation| match expectation {
                Expectation::RangeVector(from, _, step_ms) => Some((*from, *step_ms)),
                _ => None,
            });
            match times {
                Some((from, step_ms)) => matrix_value(evaluation, matrix, from, step_ms),
                None => Some("a range vector needs expect range vector".to_owned()),
            }
        }
    };
    wrong.map(|wrong| format!("{wrong}, got {}", written(value)))
}

fn vector_value(evaluation: &Evaluation, vector: &[VectorSample]) -> Option<String> {
    if let Some(scalar) = evaluation.scalar {
        return Some(format!("expected the number {scalar}"));
    }
    let ordered = evaluation.expectations.contains(&Expectation::Ordered);
    if vector.len() != evaluation.series.len() {
        return Some(format!("expected {} series, got {}", evaluation.series.len(), vector.len()));
    }
    for (at, (labels, values)) in evaluation.series.iter().enumerate() {
        let place = vector.iter().position(|sample| sample.labels == *labels);
        let Some(place) = place else { return Some(format!("expected {labels}")) };
        if ordered && place != at {
            return Some(format!("expected {labels} in place {}", at + 1));
        }
        let fits = matches!(values[..], [SequenceValue::Float(want)] if almost_equal(want, vector[place].value));
        if !fits {
            return Some(format!("expected {labels} {values:?}"));
        }
    }
    None
}

/// The samples that a line of values stands for.
fn expected_samples(values: &[SequenceValue], start: Timestamp, step_ms: i64) -> Vec<(i64, f64)> {
    let times = (0..).map(|at| start.as_ms() + at * step_ms);
    let floats = values.iter().zip(times).filter_map(|(value, time)| match value {
        SequenceValue::Float(value) => Some((time, *value)),
        SequenceValue::Omitted | SequenceValue::Histogram => None,
    });
    floats.collect()
}

fn matrix_value(evaluation: &Evaluation, matrix: &[MatrixSeries], start: Timestamp, step_ms: i64) -> Option<String> {
    let scalar = evaluation.scalar.map(|scalar| (Labels::empty(), vec![SequenceValue::Float(scalar)]));
    let expected: Vec<_> = evaluation.series.iter().chain(&scalar).collect();
    for (labels, values) in &expected {
        let want = expected_samples(values, start, step_ms);
        let Some(series) = matrix.iter().find(|series| series.labels == *labels) else {
            if want.is_empty() {
                continue;
            }
            return Some(format!("expected {labels}"));
        };
        let same = series.samples.len() == want.len()
            && series
                .samples
                .times
                .iter()
                .zip(&series.samples.values)
                .zip(&want)
                .all(|((time, value), want)| *time == want.0 && almost_equal(want.1, *value));
        if !same {
            return Some(format!("expected {labels} {want:?}"));
        }
    }
    let surplus = matrix.iter().find(|series| !expected.iter().any(|(labels, _)| *labels == series.labels));
    surplus.map(|series| format!("did not expect {}", series.labels))
}

/// A value for people to read.
fn written(value: &Value) -> String {
    match value {
        Value::Scalar(sample) => format_float(sample.value),
        Value::String(_, text) => model::quote(text),
        Value::Vector(vector) => {
            let lines = vector.iter().map(|sample| format!("{} {}", sample.labels, format_float(sample.value)));
            format!("[{}]", lines.collect::<Vec<_>>().join("; "))
        }
        Value::Matrix(matrix) => {
            let lines = matrix.iter().map(|series| {
                let samples = series.samples.iter().map(|s| format!("{}@{}", format_float(s.value), s.time));
                format!("{} {}", series.labels, samples.collect::<Vec<_>>().join(" "))
            });
            format!("[{}]", lines.collect::<Vec<_>>().join("; "))
        }
    }
}
