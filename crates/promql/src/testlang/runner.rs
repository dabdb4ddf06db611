//! Running scripts.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Labels, Timestamp};
use storage::Samples;

use crate::engine::{Engine, QueryResult, Value, VectorSample};
use crate::eval::QueryFailure;
use crate::syntax::{Expr, QueryTimes};
use crate::testlang::compare;
use crate::testlang::literal::HistogramLiteral;
use crate::testlang::memory::MemoryStorage;
use crate::testlang::notation::SequenceValue;
use crate::testlang::script::{Command, Evaluation, Expectation, Load, ScriptError, When, parse_script};
use crate::testlang::written;

/// A case that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFailure {
    /// In which line it stands, from 1.
    pub line: usize,
    /// The query.
    pub query: String,
    /// When it is evaluated.
    pub when: When,
    /// What is wrong, in a sentence.
    pub difference: String,
    /// What was expected: the lines of the script.
    pub expected: Vec<String>,
    /// What came, as a script would expect it.
    pub got: Vec<String>,
}

/// How a script went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Cases that gave what they should.
    pub passed: usize,
    /// Cases that didn't.
    pub failed: Vec<CaseFailure>,
}

/// Runs a script from an empty storage. What its queries may use of the language is the engine's.
///
/// # Errors
/// The text is no script; none of its cases has been run.
pub async fn run(text: &str, engine: &Engine) -> Result<Report, ScriptError> {
    let mut state = State::default();
    let mut report = Report::default();
    for command in parse_script(text)? {
        match command {
            Command::Clear => state = State::default(),
            Command::Load(load) => state.load(&load),
            Command::Eval(evaluation) => match case(&evaluation, &mut state, engine).await {
                None => report.passed += 1,
                Some(Wrong { difference, got }) => {
                    let Evaluation { line, query, when, written, .. } = evaluation;
                    report.failed.push(CaseFailure { line, query, when, difference, expected: written, got });
                }
            },
        }
    }
    Ok(report)
}

/// What came instead of what was expected.
struct Wrong {
    difference: String,
    got: Vec<String>,
}

impl Wrong {
    fn error(difference: String, error: &impl std::fmt::Display) -> Self {
        Wrong { difference, got: vec![format!("expect fail msg: {error}")] }
    }
}

/// What has been loaded.
#[derive(Default)]
struct State {
    series: BTreeMap<Labels, BTreeMap<i64, Loaded>>,
    storage: Option<Arc<MemoryStorage>>,
}

/// A value and its start timestamp, 0 where it has none.
struct Loaded {
    value: SequenceValue,
    start: i64,
}

impl State {
    fn load(&mut self, load: &Load) {
        self.storage = None;
        let time = |at: usize| load.step_ms * at as i64;
        let mut put = |labels: &Labels, at: usize, value: SequenceValue, start: i64| {
            self.series.entry(labels.clone()).or_default().insert(time(at), Loaded { value, start });
        };
        let mut starts = load.starts.iter().peekable();
        for (number, (labels, values)) in load.series.iter().enumerate() {
            let starts = starts.next_if(|(of, _)| *of == number).map(|(_, starts)| &starts[..]);
            let start = |at: usize| starts?.get(at).copied()?.map(|distance| time(at).saturating_add(distance));
            let values = values.iter().enumerate().filter(|(_, value)| **value != SequenceValue::Omitted);
            values.for_each(|(at, value)| put(labels, at, value.clone(), start(at).unwrap_or(0)));
        }
        for (labels, histograms) in &load.natives {
            for (at, histogram) in histograms {
                let literal = HistogramLiteral { histogram: histogram.clone(), says_counter_reset: false };
                put(labels, *at, SequenceValue::Histogram(Box::new(literal)), 0);
            }
        }
    }

    fn storage(&mut self) -> Arc<MemoryStorage> {
        let build = || {
            let series = self.series.iter().map(|(labels, values)| {
                let mut samples = Samples::default();
                for (time, Loaded { value, start }) in values {
                    match value {
                        SequenceValue::Float(value) => samples.push_started(*time, *start, *value),
                        SequenceValue::Histogram(literal) => {
                            samples.push_started_histogram(*time, *start, literal.histogram.clone());
                        }
                        SequenceValue::Omitted => {}
                    }
                }
                (labels.clone(), samples)
            });
            Arc::new(MemoryStorage::new(series))
        };
        Arc::clone(self.storage.get_or_insert_with(build))
    }
}

/// What is wrong with a case, if anything is.
async fn case(evaluation: &Evaluation, state: &mut State, engine: &Engine) -> Option<Wrong> {
    let expr = match engine.parse(&evaluation.query) {
        Ok(expr) => expr,
        Err(error) => {
            return compare::parse_failure(evaluation, &error).map(|difference| Wrong::error(difference, &error));
        }
    };
    let storage = state.storage();
    match evaluate(&expr, evaluation.when, &storage, engine).await {
        Err(error) => {
            compare::failure(evaluation, &error.to_string()).map(|difference| Wrong::error(difference, &error))
        }
        Ok(result) => match compare::answer(evaluation, &result) {
            None => in_a_range(&expr, evaluation, &result, &storage, engine).await,
            Some(difference) => Some(Wrong { difference, got: written::lines(&result, evaluation.when) }),
        },
    }
}

async fn evaluate(
    expr: &Expr,
    when: When,
    storage: &Arc<MemoryStorage>,
    engine: &Engine,
) -> Result<QueryResult, QueryFailure> {
    let source = Arc::clone(storage) as Arc<dyn storage::Queryable>;
    match when {
        When::Instant(time) => engine.instant(source, expr, time).await,
        When::Range(start, end, step_ms) => engine.range(source, expr, start, end, step_ms).await,
    }
}

/// An instant query must give the same as the middle step of a range query around its time.
async fn in_a_range(
    expr: &Expr,
    evaluation: &Evaluation,
    result: &QueryResult,
    storage: &Arc<MemoryStorage>,
    engine: &Engine,
) -> Option<Wrong> {
    const MINUTE_MS: i64 = 60_000;
    let (When::Instant(time), Value::Vector(_)) = (evaluation.when, &result.value) else { return None };
    let (start, end) = (time - MINUTE_MS, time + MINUTE_MS);
    let resolved = |step_ms: i64, range_ms: i64| {
        let mut expr = expr.clone();
        expr.resolve(QueryTimes { step_ms, range_ms }).map(|()| expr)
    };
    let means_another = resolved(0, 0) != resolved(MINUTE_MS, 2 * MINUTE_MS);
    if means_another || evaluation.expectations.contains(&Expectation::Ordered) {
        return None;
    }
    let when = When::Range(start, end, MINUTE_MS);
    let result = match evaluate(expr, when, storage, engine).await {
        Ok(result) => result,
        Err(error) => return Some(Wrong::error("as a range query it fails".to_owned(), &error)),
    };
    let difference = compare::value(evaluation, &at_time(&result.value, time))?;
    let difference = format!("as the middle of a range query that begins a minute before: {difference}");
    Some(Wrong { difference, got: written::lines(&result, when) })
}

/// The samples of a matrix at one time.
fn at_time(value: &Value, time: Timestamp) -> Value {
    let Value::Matrix(matrix) = value else { return Value::Vector(Vec::new()) };
    let samples = matrix.iter().filter_map(|series| {
        let labels = series.labels.clone();
        let sample = series.samples.iter().find(|sample| sample.time == time);
        let native = series.samples.histograms.iter().find(|sample| sample.time == time.as_ms());
        match (sample, native) {
            (Some(sample), _) => Some(VectorSample { labels, time, value: sample.value, histogram: None }),
            (None, Some(native)) => {
                let histogram = Some(Box::new(native.histogram.clone()));
                Some(VectorSample { labels, time, value: 0.0, histogram })
            }
            (None, None) => None,
        }
    });
    Value::Vector(samples.collect())
}
