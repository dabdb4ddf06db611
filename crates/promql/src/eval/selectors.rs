//! Where series come from: instant selectors, range selectors, subqueries.

use model::{CounterReset, FloatHistogram, Labels, TimeRange};
use storage::{Samples, SeriesSet};

use crate::eval::ahead;
use crate::eval::column::Column;
use crate::eval::evaluator::Evaluator;
use crate::eval::failure::QueryFailure;
use crate::eval::functions::extended;
use crate::eval::instant::{self, Part};
use crate::eval::native::remarks::Remarks;
use crate::eval::native::{smoothed, stats};
use crate::eval::selections::SelectorKey;
use crate::eval::series::Sink;
use crate::eval::steps::Steps;
use crate::eval::subquery::inner_steps;
use crate::eval::tally::Reach;
use crate::eval::window::drop_stale;
use crate::syntax::{Boundary, Expr, ExprKind, Selector};

/// The ranges that a function over ranges looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ranges {
    /// Where they end, one per step.
    pub(crate) ends: Steps,
    /// How long they are, milliseconds.
    pub(crate) range_ms: i64,
    /// What of their neighbourhood counts.
    pub(crate) boundary: Boundary,
}

/// Takes series with all their samples, one by one, and whether the name of their metric is to go at the end of the query.
pub(crate) type SampleSink<'a> = dyn FnMut(&Labels, &Samples, bool) -> Result<(), QueryFailure> + 'a;

impl Evaluator<'_> {
    /// The series of an instant selector: their samples' values, or another part of these.
    pub(crate) fn instant_selector(
        &self,
        selector: &Selector,
        steps: Steps,
        part: Part,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryFailure> {
        let lookback_ms = self.context.lookback_ms;
        let looks = steps.moved(self.context.fixed(selector.at), selector.offset.ms());
        let is_smoothed = selector.boundary == Boundary::Smoothed;
        let mut column = Column::default();
        self.decoded(selector, looks, lookback_ms, &mut |labels, samples| {
            if is_smoothed && part == Part::Value {
                drop_stale(samples);
                extended::fill_smoothed(samples, looks, lookback_ms, &mut column);
                if !samples.histograms.is_empty() {
                    let remarks = Remarks { notes: &self.context.notes, span: selector.span };
                    smoothed::fill(samples, looks, lookback_ms, labels.metric_name(), remarks, &mut column);
                }
            } else {
                instant::fill(samples, looks, lookback_ms, part, &mut column);
            }
            if let Some(tally) = &self.tally {
                tally.points(SelectorKey::of(selector), &column)?;
            }
            if column.is_blank() { Ok(()) } else { sink(labels.clone(), &mut column) }
        })
    }

    /// Walks a selector's series, each decoded once; `reach_ms` is how far before the first look samples matter, those of its
    /// neighbourhood not counted.
    fn decoded(
        &self,
        selector: &Selector,
        looks: Steps,
        reach_ms: i64,
        each: &mut dyn FnMut(&Labels, &mut Samples) -> Result<(), QueryFailure>,
    ) -> Result<(), QueryFailure> {
        let range = self.context.reach(selector, looks, reach_ms);
        let key = SelectorKey::of(selector);
        let counted = self.counted.contains(&key);
        self.walk(self.answers.take(key), range, &mut |labels, samples| {
            if counted {
                stats::strip(&mut samples.histograms);
            }
            each(labels, samples)
        })
        .map_err(|failure| failure.while_reading(|| selector.bare()))
    }

    /// Walks the series of an answer, each decoded once.
    pub(crate) fn walk(
        &self,
        answer: SeriesSet,
        range: TimeRange,
        each: &mut dyn FnMut(&Labels, &mut Samples) -> Result<(), QueryFailure>,
    ) -> Result<(), QueryFailure> {
        self.context.notes.pass_on(answer.warnings);
        let Some(profile) = &self.profile else { return ahead::read(answer.series, range, &self.context.limits, each) };
        ahead::read(answer.series, range, &self.context.limits, &mut |labels, samples| {
            profile.read(samples.len());
            each(labels, samples)
        })
    }

    /// The ranges that an expression of type range vector stands for.
    pub(crate) fn ranges(&self, expr: &Expr, steps: Steps) -> Result<Ranges, QueryFailure> {
        match &expr.unparen().kind {
            ExprKind::Matrix(selector, range) => {
                let ends = steps.moved(self.context.fixed(selector.at), selector.offset.ms());
                Ok(Ranges { ends, range_ms: range.ms(), boundary: selector.boundary })
            }
            ExprKind::Subquery(subquery) => {
                let ends = steps.moved(self.context.fixed(subquery.at), subquery.offset.ms());
                Ok(Ranges { ends, range_ms: subquery.range.ms(), boundary: Boundary::Range })
            }
            _ => Err(QueryFailure::Execution(format!("expected a range vector, got a {}", expr.value_type()))),
        }
    }

    /// What a function over ranges looks at.
    pub(crate) fn reach(&self, source: &Expr, ranges: Ranges) -> Reach {
        let (before, behind_ms) = self.context.neighbourhood(ranges.boundary);
        let before_ms = ranges.range_ms.saturating_add(before);
        let is_computed = matches!(source.unparen().kind, ExprKind::Subquery(_));
        Reach { ends: ranges.ends, before_ms, behind_ms, is_computed }
    }

    /// The series of a range vector with their samples over all ranges, stale markers taken out.
    pub(crate) fn samples(&self, expr: &Expr, steps: Steps, each: &mut SampleSink<'_>) -> Result<(), QueryFailure> {
        let Some(profile) = &self.profile else { return self.all_samples(expr, steps, each) };
        let node = profile.enter(expr);
        self.all_samples(expr, steps, &mut |labels, samples, drops_name| {
            node.gives(samples.len(), || each(labels, samples, drops_name))
        })
    }

    fn all_samples(&self, expr: &Expr, steps: Steps, each: &mut SampleSink<'_>) -> Result<(), QueryFailure> {
        match &expr.unparen().kind {
            ExprKind::Matrix(selector, range) => {
                let ranges = self.ranges(expr, steps)?;
                self.decoded(selector, ranges.ends, range.ms(), &mut |labels, samples| {
                    drop_stale(samples);
                    if samples.is_empty() { Ok(()) } else { each(labels, samples, false) }
                })
            }
            ExprKind::Subquery(subquery) => {
                let inner = inner_steps(subquery, steps, self.context);
                self.context.limits.hold(inner.count)?;
                let mut samples = Samples::default();
                self.vector(&subquery.expr, inner, &mut |labels, column| {
                    self.context.limits.check()?;
                    // Each histogram is copied, also where the column has one sample in several places.
                    let copied = column.weight();
                    self.context.limits.hold(copied)?;
                    samples.clear();
                    for (at, value) in column.iter() {
                        samples.push(inner.time(at), value);
                    }
                    for (at, native) in column.natives() {
                        let mut histogram = FloatHistogram::clone(native);
                        // What is known of resets is about samples that the subquery may leave out or give twice.
                        if histogram.counter_reset != CounterReset::Gauge {
                            histogram.counter_reset = CounterReset::Unknown;
                        }
                        samples.push_histogram(inner.time(at), histogram);
                    }
                    each(&labels, &samples, column.drops_name)?;
                    self.context.limits.release(copied);
                    Ok(())
                })?;
                self.context.limits.release(inner.count);
                Ok(())
            }
            _ => self.ranges(expr, steps).map(|_| ()),
        }
    }
}
