//! What came beside what was expected.

use model::{FloatHistogram, Labels, Timestamp, bucket_indexes, format_float, is_stale};
use storage::Samples;

use crate::engine::{MatrixSeries, QueryResult, Value, VectorSample};
use crate::syntax::ParseError;
use crate::testlang::literal::HistogramLiteral;
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
                return Some(format!("expected an error {text}"));
            }
        }
    }
    (!expected).then(|| "expected an answer, got an error".to_owned())
}

/// What is wrong with a query that can't be read; `None` if an error was expected.
pub(crate) fn parse_failure(evaluation: &Evaluation, error: &ParseError) -> Option<String> {
    failure(evaluation, &error.to_string())
}

/// What is wrong with an answer; `None` if it is as expected.
pub(crate) fn answer(evaluation: &Evaluation, result: &QueryResult) -> Option<String> {
    for expectation in &evaluation.expectations {
        let wrong = match expectation {
            Expectation::Fail(_) => Some("expected an error, got an answer".to_owned()),
            Expectation::Warn(text) => missing(text, &result.warnings, "warning").or_else(|| {
                let expected = |e: &Expectation, came: &str| matches!(e, Expectation::Warn(text) if text.accepts(came));
                surplus(evaluation, &result.warnings, expected, "warning")
            }),
            Expectation::NoWarn => unwanted(&result.warnings, "warning"),
            Expectation::Info(text) => missing(text, &result.infos, "info").or_else(|| {
                let expected = |e: &Expectation, came: &str| matches!(e, Expectation::Info(text) if text.accepts(came));
                surplus(evaluation, &result.infos, expected, "info")
            }),
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
    (!found).then(|| format!("expected {} {kind} {wanted}", if kind == "info" { "an" } else { "a" }))
}

/// Where some annotations are expected, no others may come.
fn surplus(
    evaluation: &Evaluation,
    came: &[String],
    expected: impl Fn(&Expectation, &str) -> bool,
    kind: &str,
) -> Option<String> {
    let surplus = came.iter().find(|came| !evaluation.expectations.iter().any(|e| expected(e, came)))?;
    Some(format!("did not expect the {kind} {surplus:?}"))
}

fn unwanted(came: &[String], kind: &str) -> Option<String> {
    (!came.is_empty()).then(|| format!("expected no {kind}"))
}

/// What is wrong with a value.
pub(crate) fn value(evaluation: &Evaluation, value: &Value) -> Option<String> {
    match (value, evaluation.when) {
        (Value::Scalar(sample), _) => {
            let fits = evaluation.scalar.is_some_and(|expected| almost_equal(expected, sample.value));
            let unwanted = || "did not expect a number".to_owned();
            (!fits).then(|| evaluation.scalar.map_or_else(unwanted, |want| format!("expected {}", format_float(want))))
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
    }
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
        let Some(place) = place else { return Some(format!("{labels} is missing")) };
        if ordered && place != at {
            return Some(format!("expected {labels} in place {}", at + 1));
        }
        let came = &vector[place];
        let fits = match (&values[..], &came.histogram) {
            ([SequenceValue::Float(want)], None) => almost_equal(*want, came.value),
            ([SequenceValue::Histogram(want)], Some(got)) => same_histogram(want, got),
            _ => false,
        };
        if !fits {
            return Some(format!("{labels} has another value"));
        }
    }
    None
}

/// Whether a histogram is as expected as far as floats can be. Empty buckets don't count, and what is known of counter resets only
/// where something is expected of it.
pub(crate) fn same_histogram(want: &HistogramLiteral, got: &FloatHistogram) -> bool {
    let HistogramLiteral { histogram: want, says_counter_reset } = want;
    let numbers = |of: &FloatHistogram| [of.count, of.sum, of.zero_count];
    let same = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| almost_equal(*a, *b));
    let shape = |of: &FloatHistogram| (of.buckets.schema, of.buckets.zero_threshold);
    let (a, b) = (want.clone().compacted(), got.clone().compacted());
    shape(&a) == shape(&b)
        && a.buckets.same_bounds(&b.buckets)
        && bucket_indexes(&a.buckets.positive_spans).eq(bucket_indexes(&b.buckets.positive_spans))
        && bucket_indexes(&a.buckets.negative_spans).eq(bucket_indexes(&b.buckets.negative_spans))
        && same(&numbers(&a), &numbers(&b))
        && same(&a.positive, &b.positive)
        && same(&a.negative, &b.negative)
        && (!says_counter_reset || a.counter_reset == b.counter_reset)
}

/// The values that are expected, each with its time.
fn expected_samples(values: &[SequenceValue], start: Timestamp, step_ms: i64) -> Vec<(i64, &SequenceValue)> {
    let times = (0..).map(|at| start.as_ms() + at * step_ms);
    times.zip(values).filter(|(_, value)| **value != SequenceValue::Omitted).collect()
}

/// Whether a series has the expected samples and no others.
fn same_samples(want: &[(i64, &SequenceValue)], got: &Samples) -> bool {
    let (mut floats, mut histograms) = (got.times.iter().zip(&got.values), got.histograms.iter());
    let all = want.iter().all(|(time, value)| match value {
        SequenceValue::Float(want) => floats.next().is_some_and(|(at, got)| at == time && almost_equal(*want, *got)),
        SequenceValue::Histogram(want) => {
            histograms.next().is_some_and(|got| got.time == *time && same_histogram(want, &got.histogram))
        }
        SequenceValue::Omitted => true,
    });
    all && got.len() == want.len()
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
            return Some(format!("{labels} is missing"));
        };
        if !same_samples(&want, &series.samples) {
            return Some(format!("{labels} has other samples"));
        }
    }
    let surplus = matrix.iter().find(|series| !expected.iter().any(|(labels, _)| *labels == series.labels));
    surplus.map(|series| format!("did not expect {}", series.labels))
}
