//! Which function computes what from which arguments.

use model::{Labels, METRIC_NAME};

use crate::eval::column::{Column, Point};
use crate::eval::constant::differ_without_name;
use crate::eval::evaluator::Evaluator;
use crate::eval::failure::QueryFailure;
use crate::eval::functions::{absent, date, extended, histogram, label, math, range, rate, sort};
use crate::eval::instant::Part;
use crate::eval::native::{self, moments};
use crate::eval::selections::SelectorKey;
use crate::eval::series::{Sink, StepSeries, Unnamed};
use crate::eval::steps::Steps;
use crate::eval::window::RangeInput;
use crate::syntax::{Boundary, Call, Expr, ExprKind, Selector, Span, ValueType};

type Done = Result<(), QueryFailure>;
/// Gives a series other labels; `None` where it keeps those that it has.
type Relabel<'a> = dyn Fn(&Labels) -> Option<Labels> + 'a;

impl Evaluator<'_> {
    /// The series that a function gives.
    pub(crate) fn call(&self, call: &Call, span: Span, steps: Steps, sink: &mut Sink<'_>) -> Done {
        let name = call.function.name;
        if let Some(function) = range::find(name) {
            return self.range_call(call, function, steps, sink);
        }
        if let Some(function) = math::find(name) {
            let scalars = self.scalars(&call.args[1..], steps)?;
            let mut args = vec![0.0; scalars.len()];
            let mut change = |column: &mut Column| {
                column.drop_natives();
                column.filter_map(|at, value| {
                    args.iter_mut().zip(&scalars).for_each(|(arg, scalar)| *arg = scalar[at]);
                    function(value, &args)
                });
            };
            return self.changed(&call.args[0], steps, true, &mut change, sink);
        }
        if let Some(part) = date::find(name) {
            return self.date_call(call, part, steps, sink);
        }
        if let Some(moment) = moments::find(name) {
            let mut change = |column: &mut Column| {
                column.filter_map(|_, _| None);
                column.replace_natives(|_, histogram| Some(Point::Float(moment(&histogram))));
            };
            return self.changed(&call.args[0], steps, true, &mut change, sink);
        }
        match name {
            "vector" => sink(Labels::empty(), &mut Column::full(self.scalar(&call.args[0], steps)?)),
            "timestamp" => self.timestamp(&call.args[0], steps, sink),
            "start_timestamp" => self.start_timestamp(&call.args[0], steps, sink),
            "absent" => self.absent(&call.args[0], steps, sink),
            "absent_over_time" => self.absent_over_time(call, steps, sink),
            "info" => self.info(call, steps, sink),
            "label_replace" | "label_join" => self.relabel(call, steps, sink),
            "sort" | "sort_desc" | "sort_by_label" | "sort_by_label_desc" => self.sort(call, span, steps, sink),
            "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => self.histogram(call, steps, sink),
            _ => Err(QueryFailure::Execution(format!("function {name:?} gives no vector"))),
        }
    }

    /// The numbers that a function gives.
    pub(crate) fn scalar_call(&self, call: &Call, steps: Steps) -> Result<Vec<f64>, QueryFailure> {
        let constant = |value: f64| Ok(vec![value; steps.count]);
        let query = self.context.query;
        let seconds = |ms: i64| ms as f64 / 1000.0;
        match call.function.name {
            "time" => Ok(steps.iter().map(seconds).collect()),
            "pi" => constant(std::f64::consts::PI),
            "start" => constant(seconds(query.first)),
            "end" => constant(seconds(self.context.end)),
            "range" => constant(seconds(self.context.end.saturating_sub(query.first))),
            "step" => constant(if self.context.end > query.first { seconds(query.step) } else { 0.0 }),
            "scalar" => self.only_value(&call.args[0], steps),
            "min_of" | "max_of" => {
                let choose = if call.function.name == "min_of" { math::go_min } else { math::go_max };
                let (mut a, b) = (self.scalar(&call.args[0], steps)?, self.scalar(&call.args[1], steps)?);
                a.iter_mut().zip(b).for_each(|(a, b)| *a = choose(*a, b));
                Ok(a)
            }
            name => Err(QueryFailure::Execution(format!("function {name:?} gives no scalar"))),
        }
    }

    fn scalars(&self, args: &[Expr], steps: Steps) -> Result<Vec<Vec<f64>>, QueryFailure> {
        let scalars = args.iter().filter(|arg| arg.value_type() == ValueType::Scalar);
        scalars.map(|arg| self.scalar(arg, steps)).collect()
    }

    /// The value of the only series at each step, NaN where there is none or more than one.
    fn only_value(&self, arg: &Expr, steps: Steps) -> Result<Vec<f64>, QueryFailure> {
        let (mut values, mut counts) = (vec![f64::NAN; steps.count], vec![0_usize; steps.count]);
        self.vector(arg, steps, &mut |_, column| {
            for (at, value) in column.iter() {
                counts[at] += 1;
                values[at] = if counts[at] == 1 { value } else { f64::NAN };
            }
            Ok(())
        })?;
        Ok(values)
    }

    fn range_call(&self, call: &Call, function: range::RangeFunction, steps: Steps, sink: &mut Sink<'_>) -> Done {
        let scalars = self.scalars(&call.args, steps)?;
        let Some(source) = call.args.iter().find(|arg| arg.value_type() == ValueType::Matrix) else {
            return Err(QueryFailure::Execution(format!("{} needs a range vector", call.function.name)));
        };
        let ranges = self.ranges(source, steps)?;
        let (name, boundary) = (call.function.name, ranges.boundary);
        let function = match boundary {
            Boundary::Range => function,
            boundary => extended::find(name, boundary)?,
        };
        let keeps_name = range::keeps_name(name);
        let expects_counter = range::expects_counter(name);
        let delays_names = self.context.delays_names;
        let uses_starts = self.context.uses_starts && range::knows_starts(name, boundary);
        let mut feed = |sink: &mut Sink<'_>| {
            let (mut column, mut counter, mut unnamed) = (Column::default(), String::new(), Unnamed::default());
            self.samples(source, steps, &mut |labels, samples, drops_name| {
                if let Some(tally) = &self.tally {
                    tally.ranges(SelectorKey::of_call(call), samples, self.reach(source, ranges))?;
                }
                let input = RangeInput {
                    samples,
                    steps,
                    ends: ranges.ends,
                    range_ms: ranges.range_ms,
                    lookback_ms: self.context.lookback_ms,
                    scalars: &scalars,
                    limits: &self.context.limits,
                    notes: &self.context.notes,
                    span: call.args[0].span,
                    metric: labels.metric_name(),
                    uses_starts,
                };
                function(&input, &mut column)?;
                let held = if samples.histograms.is_empty() {
                    0
                } else {
                    native::range::complete(name, boundary, &input, &mut column)?
                };
                if column.is_blank() {
                    self.context.limits.release(held);
                    return Ok(());
                }
                let has_floats = || !column.has_natives() || column.iter().next().is_some();
                if expects_counter && has_floats() && labels.metric_name() != counter {
                    counter = labels.metric_name().to_owned();
                    if let Some(doubt) = rate::doubt_counter(&counter) {
                        self.context.notes.info(&doubt, source.span);
                    }
                }
                column.drops_name = drops_name;
                column.drops_name |= !keeps_name && delays_names;
                let labels = if keeps_name || delays_names { labels.clone() } else { unnamed.of(labels) };
                sink(labels, &mut column)?;
                self.context.limits.release(held);
                Ok(())
            })
        };
        if keeps_name || self.context.delays_names || differ_without_name(source) {
            feed(sink)
        } else {
            self.merged(sink, &mut feed)
        }
    }

    fn date_call(&self, call: &Call, part: date::DatePart, steps: Steps, sink: &mut Sink<'_>) -> Done {
        let Some(arg) = call.args.first() else {
            let parts = steps.iter().map(|ms| date::part(part, ms.div_euclid(1000) as f64)).collect();
            return sink(Labels::empty(), &mut Column::full(parts));
        };
        let mut change = |column: &mut Column| {
            column.drop_natives();
            column.map(|_, seconds| date::part(part, seconds));
        };
        self.changed(arg, steps, true, &mut change, sink)
    }

    fn timestamp(&self, arg: &Expr, steps: Steps, sink: &mut Sink<'_>) -> Done {
        let ExprKind::Selector(selector) = &arg.unparen().kind else {
            let time = |at: usize| steps.time(at) as f64 / 1000.0;
            let mut change = |column: &mut Column| {
                column.map(|at, _| time(at));
                column.replace_natives(|at, _| Some(Point::Float(time(at))));
            };
            return self.changed(arg, steps, true, &mut change, sink);
        };
        self.part(arg, selector, Part::Time, steps, sink)
    }

    /// Only a selector's samples have start timestamps; of everything else nothing is left.
    fn start_timestamp(&self, arg: &Expr, steps: Steps, sink: &mut Sink<'_>) -> Done {
        match &arg.unparen().kind {
            ExprKind::Selector(selector) if self.context.uses_starts => {
                self.part(arg, selector, Part::Start, steps, sink)
            }
            _ => self.vector(arg, steps, &mut |_, _| Ok(())),
        }
    }

    /// A part of the samples that the selector `arg` gives.
    fn part(&self, arg: &Expr, selector: &Selector, part: Part, steps: Steps, sink: &mut Sink<'_>) -> Done {
        let mut feed = |sink: &mut Sink<'_>| {
            let mut unnamed = |labels: Labels, column: &mut Column| {
                let labels = self.unnamed(&labels, column);
                sink(labels, column)
            };
            self.noted(arg, &mut unnamed, |sink| self.instant_selector(selector, steps, part, sink))
        };
        if self.context.delays_names || differ_without_name(arg) { feed(sink) } else { self.merged(sink, &mut feed) }
    }

    fn absent(&self, arg: &Expr, steps: Steps, sink: &mut Sink<'_>) -> Done {
        let mut seen = vec![false; steps.count];
        self.vector(arg, steps, &mut |_, column| {
            column.taken().for_each(|at| seen[at] = true);
            Ok(())
        })?;
        self.tell_absence(arg, &seen, sink)
    }

    fn absent_over_time(&self, call: &Call, steps: Steps, sink: &mut Sink<'_>) -> Done {
        let arg = &call.args[0];
        let mut seen = vec![false; steps.count];
        let ranges = self.ranges(arg, steps)?;
        if ranges.boundary != Boundary::Range {
            extended::find("absent_over_time", ranges.boundary)?;
        }
        self.samples(arg, steps, &mut |_, samples, _| {
            if let Some(tally) = &self.tally {
                tally.ranges(SelectorKey::of_call(call), samples, self.reach(arg, ranges))?;
            }
            for (at, seen) in seen.iter_mut().enumerate() {
                let end = ranges.ends.time(at);
                let start = end.saturating_sub(ranges.range_ms);
                let newest = samples.times.partition_point(|time| *time <= end);
                *seen |= newest.checked_sub(1).is_some_and(|newest| samples.times[newest] > start);
                let newest = samples.histograms.partition_point(|sample| sample.time <= end);
                *seen |= newest.checked_sub(1).is_some_and(|newest| samples.histograms[newest].time > start);
            }
            Ok(())
        })?;
        self.tell_absence(arg, &seen, sink)
    }

    fn tell_absence(&self, arg: &Expr, seen: &[bool], sink: &mut Sink<'_>) -> Done {
        let labels = match &arg.unparen().kind {
            ExprKind::Selector(selector) | ExprKind::Matrix(selector, _) => absent::labels(&selector.matchers),
            _ => Labels::empty(),
        };
        let mut column = absent::column(seen);
        if column.is_blank() { Ok(()) } else { sink(labels, &mut column) }
    }

    fn relabel(&self, call: &Call, steps: Steps, sink: &mut Sink<'_>) -> Done {
        let texts = call.args[1..].iter().map(|arg| self.text(arg)).collect::<Result<Vec<_>, _>>()?;
        let change: Box<Relabel<'_>> = if call.function.name == "label_replace" {
            let replace = label::Replace::new(&texts)?;
            Box::new(move |labels| replace.apply(labels))
        } else {
            let join = label::Join::new(&texts)?;
            Box::new(move |labels| Some(join.apply(labels)))
        };
        // A name that is given anew stays.
        let names_anew = texts.first() == Some(&METRIC_NAME);
        self.merged(sink, &mut |merge| {
            self.vector(&call.args[0], steps, &mut |labels, column| {
                let changed = change(&labels);
                column.drops_name &= !(names_anew && changed.is_some());
                merge(changed.unwrap_or(labels), column)
            })
        })
    }

    fn sort(&self, call: &Call, span: Span, steps: Steps, sink: &mut Sink<'_>) -> Done {
        let name = call.function.name;
        if self.context.query.count > 1 {
            let why = "sort is ineffective for range queries since results are always ordered by labels";
            self.context.notes.warn(why, span);
        }
        if steps.count != 1 {
            return self.vector(&call.args[0], steps, &mut |labels, column| {
                // These sort by value, and a histogram is none.
                if matches!(name, "sort" | "sort_desc") {
                    column.drop_natives();
                }
                if column.is_blank() { Ok(()) } else { sink(labels, column) }
            });
        }
        let texts = call.args[1..].iter().map(|arg| self.text(arg)).collect::<Result<Vec<_>, _>>()?;
        let (mut series, held) = self.collect(&call.args[0], steps)?;
        let descending = name.ends_with("_desc");
        if name.starts_with("sort_by_label") {
            sort::by_label(&mut series, &texts, descending);
        } else {
            series.retain(|one| one.column.get(0).is_some());
            sort::by_value(&mut series, descending);
        }
        series.into_iter().try_for_each(|StepSeries { labels, mut column }| sink(labels, &mut column))?;
        self.context.limits.release(held);
        Ok(())
    }

    fn histogram(&self, call: &Call, steps: Steps, sink: &mut Sink<'_>) -> Done {
        let scalars = self.scalars(&call.args, steps)?;
        let Some(arg) = call.args.iter().find(|arg| arg.value_type() == ValueType::Vector) else { return Ok(()) };
        let (series, held) = self.collect(arg, steps)?;
        let mut histograms =
            histogram::Histograms::group(series, steps, (&self.context.notes, arg.span), self.context.delays_names);
        match (call.function.name, &scalars[..]) {
            ("histogram_fraction", [lower, upper, ..]) => histograms.fractions(lower, upper)?,
            ("histogram_quantiles", quantiles) => {
                let label = self.text(&call.args[1])?;
                for (values, arg) in quantiles.iter().zip(&call.args[2..]) {
                    histograms.quantiles(values, arg.span, Some(label))?;
                }
            }
            (_, quantiles) => {
                let spans = call.args.iter().map(|arg| arg.span);
                quantiles.iter().zip(spans).try_for_each(|(values, span)| histograms.quantiles(values, span, None))?;
            }
        }
        histograms.finish(sink)?;
        self.context.limits.release(held);
        Ok(())
    }
}
