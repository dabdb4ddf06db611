//! Where series come from: instant selectors, range selectors, subqueries.

use model::{Labels, TimeRange, Timestamp};
use storage::Samples;

use crate::eval::column::Column;
use crate::eval::evaluator::Evaluator;
use crate::eval::failure::QueryFailure;
use crate::eval::instant;
use crate::eval::series::Sink;
use crate::eval::steps::Steps;
use crate::eval::subquery::inner_steps;
use crate::eval::window::drop_stale;
use crate::syntax::{Expr, ExprKind, Selector};

/// The ranges that a function over ranges looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ranges {
    /// Where they end, one per step.
    pub(crate) ends: Steps,
    /// How long they are, milliseconds.
    pub(crate) range_ms: i64,
}

/// Takes series with all their samples, one by one.
pub(crate) type SampleSink<'a> = dyn FnMut(&Labels, &Samples) -> Result<(), QueryFailure> + 'a;

impl Evaluator<'_> {
    /// The series of an instant selector; with `times` the times of its samples instead of their values.
    pub(crate) fn instant_selector(
        &self,
        selector: &Selector,
        steps: Steps,
        times: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryFailure> {
        let lookback_ms = self.context.lookback_ms;
        let looks = steps.moved(self.context.fixed(selector.at), selector.offset_ms);
        let mut column = Column::default();
        self.decoded(selector, looks, lookback_ms, &mut |labels, samples| {
            instant::fill(samples, looks, lookback_ms, times, &mut column);
            if column.is_blank() { Ok(()) } else { sink(labels.clone(), &mut column) }
        })
    }

    /// Walks a selector's series, each decoded once; `reach_ms` is how far before the first look samples matter.
    fn decoded(
        &self,
        selector: &Selector,
        looks: Steps,
        reach_ms: i64,
        each: &mut dyn FnMut(&Labels, &mut Samples) -> Result<(), QueryFailure>,
    ) -> Result<(), QueryFailure> {
        let limits = &self.context.limits;
        let from = looks.first.saturating_sub(reach_ms).saturating_add(1);
        let range = TimeRange::new(Timestamp::from_ms(from), Timestamp::from_ms(looks.last()));
        let answer = self.answers.take(selector);
        self.context.notes.pass_on(answer.warnings);
        let mut samples = Samples::default();
        for series in answer.series {
            limits.check()?;
            let series = series?;
            series.decode(range, &mut samples).map_err(|error| {
                QueryFailure::Storage(storage::QueryError::data(format!("series {}: {error}", series.labels)))
            })?;
            if !samples.histograms.is_empty() {
                self.leave_out_histograms(&series.labels, &mut samples);
            }
            let count = samples.len();
            limits.count_series(count);
            limits.hold(count)?;
            each(&series.labels, &mut samples)?;
            limits.release(count);
        }
        Ok(())
    }

    /// Floats are all that is evaluated; what is left out is said, once for each metric.
    fn leave_out_histograms(&self, labels: &Labels, samples: &mut Samples) {
        samples.histograms.clear();
        let name = model::quote(labels.metric_name());
        self.context.notes.pass_on(vec![format!(
            "metric {name}: native histograms are not evaluated by this version yet, its histogram samples are left out"
        )]);
    }

    /// The ranges that an expression of type range vector stands for.
    pub(crate) fn ranges(&self, expr: &Expr, steps: Steps) -> Result<Ranges, QueryFailure> {
        match &expr.unparen().kind {
            ExprKind::Matrix(selector, range_ms) => {
                let ends = steps.moved(self.context.fixed(selector.at), selector.offset_ms);
                Ok(Ranges { ends, range_ms: *range_ms })
            }
            ExprKind::Subquery(subquery) => {
                let ends = steps.moved(self.context.fixed(subquery.at), subquery.offset_ms);
                Ok(Ranges { ends, range_ms: subquery.range_ms })
            }
            _ => Err(QueryFailure::Execution(format!("expected a range vector, got a {}", expr.value_type()))),
        }
    }

    /// The series of a range vector with their samples over all ranges, stale markers taken out.
    pub(crate) fn samples(&self, expr: &Expr, steps: Steps, each: &mut SampleSink<'_>) -> Result<(), QueryFailure> {
        match &expr.unparen().kind {
            ExprKind::Matrix(selector, range_ms) => {
                let ranges = self.ranges(expr, steps)?;
                self.decoded(selector, ranges.ends, *range_ms, &mut |labels, samples| {
                    drop_stale(samples);
                    if samples.is_empty() { Ok(()) } else { each(labels, samples) }
                })
            }
            ExprKind::Subquery(subquery) => {
                let inner = inner_steps(subquery, steps, self.context);
                self.context.limits.hold(inner.count)?;
                let mut samples = Samples::default();
                self.vector(&subquery.expr, inner, &mut |labels, column| {
                    samples.clear();
                    for (at, value) in column.iter() {
                        samples.push(inner.time(at), value);
                    }
                    each(&labels, &samples)
                })?;
                self.context.limits.release(inner.count);
                Ok(())
            }
            _ => self.ranges(expr, steps).map(|_| ()),
        }
    }
}
