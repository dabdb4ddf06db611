//! Running scripts.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{BUCKET_LABEL, Labels, LabelsBuilder, METRIC_NAME, Matcher, Timestamp};
use storage::Samples;

use crate::engine::{Engine, QueryResult, Value};
use crate::eval::QueryFailure;
use crate::syntax::{Expr, ExprKind, ParseError, ParseOptions, parse_with};
use crate::testlang::compare;
use crate::testlang::memory::MemoryStorage;
use crate::testlang::notation::SequenceValue;
use crate::testlang::script::{Command, Evaluation, Expectation, Load, ScriptError, When, parse_script};

/// A case that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFailure {
    /// In which line it stands, from 1.
    pub line: usize,
    /// The query.
    pub query: String,
    /// What was expected and what came.
    pub difference: String,
}

/// How a script went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Cases that gave what they should.
    pub passed: usize,
    /// Cases that didn't.
    pub failed: Vec<CaseFailure>,
    /// Cases that were passed over, by the name of the feature that they need.
    pub skipped: BTreeMap<&'static str, usize>,
}

/// What this build doesn't have, with the words by which the parser refuses it.
const MISSING: &[(&str, &str)] = &[
    ("anchored modifier is experimental", "anchored"),
    ("smoothed modifier is experimental", "smoothed"),
    ("binop fill modifiers are experimental", "fill"),
    ("experimental duration expression is not enabled", "duration expressions"),
    ("trim native histograms", "native histograms"),
    ("function \"info\" is not supported yet", "info"),
    ("function \"start_timestamp\" is not supported yet", "start timestamps"),
];
const NATIVE: &str = "native histograms";

/// Runs a script from an empty storage.
pub async fn run(text: &str, engine: &Engine) -> Result<Report, ScriptError> {
    let mut state = State::default();
    let mut report = Report::default();
    for command in parse_script(text)? {
        match command {
            Command::Clear => state = State::default(),
            Command::Load(load) => state.load(&load),
            Command::Eval(evaluation) => match case(&evaluation, &mut state, engine).await {
                Outcome::Passed => report.passed += 1,
                Outcome::Failed(difference) => {
                    let (line, query) = (evaluation.line, evaluation.query);
                    report.failed.push(CaseFailure { line, query, difference });
                }
                Outcome::Skipped(feature) => *report.skipped.entry(feature).or_default() += 1,
            },
        }
    }
    Ok(report)
}

enum Outcome {
    Passed,
    Failed(String),
    Skipped(&'static str),
}

/// What has been loaded.
#[derive(Default)]
struct State {
    floats: BTreeMap<Labels, BTreeMap<i64, f64>>,
    /// Series that hold native histograms, which this build can't store.
    native: Vec<Labels>,
    storage: Option<Arc<MemoryStorage>>,
}

impl State {
    fn load(&mut self, load: &Load) {
        self.storage = None;
        for (labels, values) in &load.series {
            let series = self.floats.entry(labels.clone()).or_default();
            for (at, value) in values.iter().enumerate() {
                if let SequenceValue::Float(value) = value {
                    series.insert(load.step_ms * at as i64, *value);
                }
            }
            if values.contains(&SequenceValue::Histogram) {
                self.native.push(labels.clone());
            }
            let classic = labels.metric_name().strip_suffix("_bucket");
            if let (true, Some(name), Some(_)) = (load.with_native, classic, labels.get(BUCKET_LABEL)) {
                let mut builder = LabelsBuilder::new(labels);
                builder.set(METRIC_NAME, name).del(BUCKET_LABEL);
                self.native.push(builder.build());
            }
        }
    }

    fn storage(&mut self) -> Arc<MemoryStorage> {
        let build = || {
            let columns = self.floats.iter().map(|(labels, samples)| {
                let (times, values) = samples.iter().unzip();
                (labels.clone(), Samples::of_floats(times, values))
            });
            Arc::new(MemoryStorage::new(columns))
        };
        Arc::clone(self.storage.get_or_insert_with(build))
    }

    /// Whether a selector of the query would read native histograms.
    fn reads_native(&self, expr: &Expr) -> bool {
        let selected = |matchers: &[Matcher]| {
            self.native.iter().any(|labels| matchers.iter().all(|matcher| matcher.matches_labels(labels)))
        };
        match &expr.kind {
            ExprKind::Selector(selector) | ExprKind::Matrix(selector, _) => selected(&selector.matchers),
            _ => expr.children().into_iter().any(|child| self.reads_native(child)),
        }
    }
}

async fn case(evaluation: &Evaluation, state: &mut State, engine: &Engine) -> Outcome {
    let expr = match parse_with(&evaluation.query, ParseOptions { experimental_functions: true }) {
        Ok(expr) => expr,
        Err(error) => return unreadable(evaluation, &error),
    };
    let expects_native = evaluation.series.iter().any(|(_, values)| values.contains(&SequenceValue::Histogram));
    if expects_native || state.reads_native(&expr) {
        return Outcome::Skipped(NATIVE);
    }
    let storage = state.storage();
    let wrong = match evaluate(&expr, evaluation.when, &storage, engine).await {
        Err(error) => compare::failure(evaluation, &error.to_string()),
        Ok(result) => match compare::answer(evaluation, &result) {
            None => in_a_range(&expr, evaluation, &result, &storage, engine).await,
            wrong => wrong,
        },
    };
    wrong.map_or(Outcome::Passed, Outcome::Failed)
}

fn unreadable(evaluation: &Evaluation, error: &ParseError) -> Outcome {
    let missing = MISSING.iter().find(|(words, _)| error.message.contains(words));
    match (missing, compare::parse_failure(evaluation, error)) {
        (Some((_, feature)), _) => Outcome::Skipped(feature),
        (None, None) => Outcome::Passed,
        (None, Some(wrong)) => Outcome::Failed(wrong),
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
) -> Option<String> {
    const MINUTE_MS: i64 = 60_000;
    let (When::Instant(time), Value::Vector(_)) = (evaluation.when, &result.value) else { return None };
    if evaluation.expectations.contains(&Expectation::Ordered) {
        return None;
    }
    let (start, end) = (time - MINUTE_MS, time + MINUTE_MS);
    let matrix = match evaluate(expr, When::Range(start, end, MINUTE_MS), storage, engine).await {
        Ok(result) => result.value,
        Err(error) => return Some(format!("as a range query: error: {error}")),
    };
    compare::value(evaluation, &at_time(&matrix, time)).map(|wrong| format!("as a range query: {wrong}"))
}

/// The samples of a matrix at one time.
fn at_time(value: &Value, time: Timestamp) -> Value {
    let Value::Matrix(matrix) = value else { return Value::Vector(Vec::new()) };
    let samples = matrix.iter().filter_map(|series| {
        let sample = series.samples.iter().find(|sample| sample.time == time)?;
        Some(crate::engine::VectorSample { labels: series.labels.clone(), time, value: sample.value })
    });
    Value::Vector(samples.collect())
}
