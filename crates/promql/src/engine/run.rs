//! The evaluation of a whole query: CPU only, on one thread.

use std::time::Instant;

use model::{FloatHistogram, Labels, Sample, Timestamp};
use storage::Samples;

use crate::engine::detail::Detail;
use crate::engine::explanation::{Explanation, SelectTimes};
use crate::engine::result::{MatrixSeries, QueryDurations, QueryResult, QueryStats, StepSamples, Value, VectorSample};
use crate::eval::{
    Answers, Context, Counts, Evaluator, Point, Profile, QueryFailure, Steps, Tally, counted, extended_samples, owned,
    weight, without_metadata,
};
use crate::syntax::{Boundary, Expr, ExprKind, ValueType};

/// What kind of query it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueryKind {
    /// At one time; the value keeps the expression's type.
    Instant,
    /// At several times; the value is always a matrix.
    Range,
}

/// Evaluates `expr` over the storage's answers, which came after these times.
pub(crate) fn run(
    expr: &Expr,
    kind: QueryKind,
    context: &Context,
    (answers, selects): (&Answers, &SelectTimes),
    detail: Detail,
) -> Result<QueryResult, QueryFailure> {
    let evaluator = Evaluator {
        context,
        answers,
        counted: counted(expr),
        profile: detail.explanation.then(|| Profile::new(Instant::now)),
        tally: detail.step_samples.then(|| Tally::new(&context.limits)),
    };
    let value = match kind {
        QueryKind::Instant => instant(&evaluator, expr)?,
        QueryKind::Range => range(&evaluator, expr)?,
    };
    context.limits.check()?;
    let (warnings, infos) = context.notes.take();
    let (series, samples, peak_samples) = context.limits.used();
    let stats = QueryStats { series, samples, peak_samples };
    let step_samples = match &evaluator.tally {
        Some(tally) => {
            let Counts { queryable, read } = tally.of_query(expr, context, given(&value))?;
            let Steps { first, step, .. } = context.query;
            Some(StepSamples { start: Timestamp::from_ms(first), step_ms: step, queryable, read })
        }
        None => None,
    };
    let explanation = evaluator.profile.as_ref().map(|profile| Explanation::new(expr, profile, selects));
    let times = QueryDurations::default();
    Ok(QueryResult { value, warnings, infos, stats, times, step_samples, explanation })
}

/// How many samples a matrix has; a histogram counts by its size.
fn given(value: &Value) -> u64 {
    let Value::Matrix(matrix) = value else { return 0 };
    let natives = matrix.iter().flat_map(|series| &series.samples.histograms);
    let floats: usize = matrix.iter().map(|series| series.samples.times.len()).sum();
    (floats + natives.map(|sample| weight(&sample.histogram)).sum::<usize>()) as u64
}

fn instant(evaluator: &Evaluator<'_>, expr: &Expr) -> Result<Value, QueryFailure> {
    let steps = evaluator.context.query;
    let time = Timestamp::from_ms(steps.first);
    match expr.value_type() {
        ValueType::Scalar => {
            let value = evaluator.scalar(expr, steps)?.first().copied().unwrap_or(f64::NAN);
            Ok(Value::Scalar(Sample::new(time, value)))
        }
        ValueType::String => match &expr.unparen().kind {
            ExprKind::String(text) => Ok(Value::String(time, text.value.clone())),
            _ => Err(QueryFailure::Execution("only a literal is a string".to_owned())),
        },
        ValueType::Vector => {
            let mut vector = Vec::new();
            evaluator.result(expr, steps, &mut |labels, column| {
                evaluator.context.limits.hold(1)?;
                evaluator.context.limits.hold_labels(&labels)?;
                vector.extend(column.point(0).map(|point| match point {
                    Point::Float(value) => VectorSample { labels, time, value, histogram: None },
                    Point::Native(native) => {
                        let histogram = Some(Box::new(owned(native)));
                        VectorSample { labels, time, value: 0.0, histogram }
                    }
                }));
                Ok(())
            })?;
            Ok(Value::Vector(vector))
        }
        ValueType::Matrix => raw(evaluator, expr),
    }
}

/// The samples of a range vector as they are.
fn raw(evaluator: &Evaluator<'_>, expr: &Expr) -> Result<Value, QueryFailure> {
    let steps = evaluator.context.query;
    let ranges = evaluator.ranges(expr, steps)?;
    let end = ranges.ends.first;
    let start = end.saturating_sub(ranges.range_ms);
    let mut matrix = Vec::new();
    evaluator.samples(expr, steps, &mut |labels, samples, drops_name| {
        let labels = if drops_name { &without_metadata(labels) } else { labels };
        if ranges.boundary != Boundary::Range {
            let smoothed = ranges.boundary == Boundary::Smoothed;
            if !samples.histograms.is_empty() {
                let modifier = if smoothed { "smoothed" } else { "anchored" };
                return Err(QueryFailure::Execution(format!("{modifier} modifier is not supported with histograms")));
            }
            let samples = extended_samples(samples, (start, end), smoothed, evaluator.context.lookback_ms);
            evaluator.context.limits.hold(samples.len())?;
            if !samples.is_empty() {
                matrix.push(MatrixSeries { labels: labels.clone(), samples });
            }
            return Ok(());
        }
        let (from, to) =
            (samples.times.partition_point(|time| *time <= start), samples.times.partition_point(|time| *time <= end));
        let natives = samples.histograms.iter().filter(|sample| sample.time > start && sample.time <= end);
        let mut inside = Samples::of_floats(samples.times[from..to].to_vec(), samples.values[from..to].to_vec());
        inside.histograms = natives.cloned().collect();
        if !inside.is_empty() {
            let weight: usize = inside.histograms.iter().map(|sample| weight(&sample.histogram)).sum();
            evaluator.context.limits.hold(to - from + weight)?;
            matrix.push(MatrixSeries { labels: labels.clone(), samples: inside });
        }
        Ok(())
    })?;
    matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(Value::Matrix(merged(matrix)?))
}

/// Series that have become the same without their metrics' names as one, as long as no two samples are of the same time.
fn merged(matrix: Vec<MatrixSeries>) -> Result<Vec<MatrixSeries>, QueryFailure> {
    let mut out: Vec<MatrixSeries> = Vec::with_capacity(matrix.len());
    for series in matrix {
        let Some(last) = out.last_mut().filter(|last| last.labels == series.labels) else {
            out.push(series);
            continue;
        };
        let of =
            |samples: &Samples| samples.iter().map(|sample| (sample.time.as_ms(), sample.value)).collect::<Vec<_>>();
        let mut floats = [of(&last.samples), of(&series.samples)].concat();
        floats.sort_by_key(|(time, _)| *time);
        let (times, values) = floats.into_iter().unzip();
        let mut samples = Samples::of_floats(times, values);
        samples.histograms = std::mem::take(&mut last.samples.histograms);
        samples.histograms.extend(series.samples.histograms);
        samples.histograms.sort_by_key(|sample| sample.time);
        let mut all: Vec<i64> =
            samples.histograms.iter().map(|sample| sample.time).chain(samples.times.clone()).collect();
        all.sort_unstable();
        if all.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(QueryFailure::same_labelset());
        }
        last.samples = samples;
    }
    Ok(out)
}

fn range(evaluator: &Evaluator<'_>, expr: &Expr) -> Result<Value, QueryFailure> {
    let steps = evaluator.context.query;
    match expr.value_type() {
        ValueType::Scalar | ValueType::Vector if steps.count == 0 => Ok(Value::Matrix(Vec::new())),
        ValueType::Scalar => {
            let values = evaluator.scalar(expr, steps)?;
            let samples = Samples::of_floats(steps.iter().collect(), values);
            Ok(Value::Matrix(vec![MatrixSeries { labels: Labels::empty(), samples }]))
        }
        ValueType::Vector => {
            let mut matrix = Vec::new();
            evaluator.result(expr, steps, &mut |labels, column| {
                let count = column.iter().count();
                evaluator.context.limits.hold(count)?;
                evaluator.context.limits.hold_labels(&labels)?;
                let mut samples = Samples::of_floats(Vec::with_capacity(count), Vec::with_capacity(count));
                column.iter().for_each(|(at, value)| samples.push(steps.time(at), value));
                for (at, native) in column.natives() {
                    evaluator.context.limits.hold(weight(native))?;
                    samples.push_histogram(steps.time(at), FloatHistogram::clone(native));
                }
                matrix.push(MatrixSeries { labels, samples });
                Ok(())
            })?;
            matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
            Ok(Value::Matrix(matrix))
        }
        other => Err(QueryFailure::Execution(format!(
            "invalid expression type \"{other}\" for range query, must be scalar or instant vector"
        ))),
    }
}
