//! The evaluation of a whole query: CPU only, on one thread.

use model::{Labels, Sample, Timestamp};
use storage::Samples;

use crate::engine::result::{MatrixSeries, QueryResult, QueryStats, Value, VectorSample};
use crate::eval::{Answers, Context, Evaluator, QueryFailure};
use crate::syntax::{Expr, ExprKind, ValueType};

/// What kind of query it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueryKind {
    /// At one time; the value keeps the expression's type.
    Instant,
    /// At several times; the value is always a matrix.
    Range,
}

/// Evaluates `expr` over the storage's answers.
pub(crate) fn run(
    expr: &Expr,
    kind: QueryKind,
    context: &Context,
    answers: &Answers,
) -> Result<QueryResult, QueryFailure> {
    let evaluator = Evaluator { context, answers };
    let value = match kind {
        QueryKind::Instant => instant(&evaluator, expr)?,
        QueryKind::Range => range(&evaluator, expr)?,
    };
    context.limits.check()?;
    let (warnings, infos) = context.notes.take();
    let (series, samples, peak_samples) = context.limits.used();
    Ok(QueryResult { value, warnings, infos, stats: QueryStats { series, samples, peak_samples } })
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
            evaluator.vector(expr, steps, &mut |labels, column| {
                evaluator.context.limits.hold(1)?;
                vector.extend(column.get(0).map(|value| VectorSample { labels, time, value }));
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
    evaluator.samples(expr, steps, &mut |labels, samples| {
        let (from, to) =
            (samples.times.partition_point(|time| *time <= start), samples.times.partition_point(|time| *time <= end));
        if from < to {
            evaluator.context.limits.hold(to - from)?;
            let samples = Samples::of_floats(samples.times[from..to].to_vec(), samples.values[from..to].to_vec());
            matrix.push(MatrixSeries { labels: labels.clone(), samples });
        }
        Ok(())
    })?;
    matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(Value::Matrix(matrix))
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
            evaluator.vector(expr, steps, &mut |labels, column| {
                let count = column.iter().count();
                evaluator.context.limits.hold(count)?;
                let mut samples = Samples::of_floats(Vec::with_capacity(count), Vec::with_capacity(count));
                column.iter().for_each(|(at, value)| samples.push(steps.time(at), value));
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
