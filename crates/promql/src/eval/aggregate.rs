//! Aggregations that need one cell per group and step, and never see two series at one time.

use model::Kahan;

use crate::eval::column::{Column, Native, Point};
use crate::eval::context::Limits;
use crate::eval::failure::QueryFailure;
use crate::eval::grouping::{Grouping, Groups};
use crate::eval::mean::Mean;
use crate::eval::native::aggregate as natives;
use crate::eval::native::remarks::Remarks;
use crate::eval::series::Sink;
use crate::eval::steps::Steps;
use crate::syntax::AggregateOp;

/// Gives all series of the operand to a sink.
pub(crate) type Feed<'a> = dyn FnMut(&mut Sink<'_>) -> Result<(), QueryFailure> + 'a;

/// Aggregates what `feed` gives, group by group, and gives the groups to `sink` in the order of their first series.
/// `None` where the operator is none of those that work this way.
pub(crate) fn run(
    op: AggregateOp,
    grouping: Grouping<'_>,
    steps: Steps,
    context: (&Limits, Remarks<'_>),
    feed: &mut Feed<'_>,
    sink: &mut Sink<'_>,
) -> Option<Result<(), QueryFailure>> {
    let run = match op {
        AggregateOp::Sum => accumulate::<Sum>,
        AggregateOp::Avg => accumulate::<Average>,
        AggregateOp::Count => accumulate::<Count>,
        AggregateOp::Min => accumulate::<Min>,
        AggregateOp::Max => accumulate::<Max>,
        AggregateOp::Group => accumulate::<Present>,
        AggregateOp::Stddev => accumulate::<Deviation>,
        AggregateOp::Stdvar => accumulate::<Variance>,
        _ => return None,
    };
    Some(run(grouping, steps, context, feed, sink))
}

/// What becomes of histograms.
enum Histograms {
    /// They are passed over, which is told under this name.
    Ignored(&'static str),
    /// They count like floats.
    Counted,
    /// They are added up.
    Added(natives::Total),
}

/// What is kept of the floats of one group at one step.
trait Cell: Default + Clone {
    const HISTOGRAMS: Histograms;
    /// Takes one more value.
    fn add(&mut self, value: f64);
    /// The result; `None` if there was no value.
    fn value(&self) -> Option<f64>;
}

fn accumulate<C: Cell>(
    grouping: Grouping<'_>,
    steps: Steps,
    (limits, remarks): (&Limits, Remarks<'_>),
    feed: &mut Feed<'_>,
    sink: &mut Sink<'_>,
) -> Result<(), QueryFailure> {
    let mut groups = Groups::new(grouping);
    let mut cells: Vec<Group<C>> = Vec::new();
    let mut held = 0;
    feed(&mut |labels, column| {
        let group = groups.find_or_add(&labels);
        if group == cells.len() {
            limits.hold(steps.count)?;
            held += steps.count;
            cells.push(Group { floats: vec![C::default(); steps.count], natives: Vec::new(), drops_name: false });
        }
        let group = &mut cells[group];
        group.drops_name |= column.drops_name;
        for (at, value) in column.iter() {
            group.floats[at].add(value);
        }
        if column.has_natives() {
            if group.natives.is_empty() && matches!(C::HISTOGRAMS, Histograms::Added(_)) {
                limits.hold(steps.count)?;
                held += steps.count;
                group.natives.resize(steps.count, natives::Cell::default());
            }
            held += group.add_natives(column, labels.metric_name(), (limits, remarks))?;
        }
        Ok(())
    })?;
    let mut column = Column::default();
    for (at, group) in cells.into_iter().enumerate() {
        column.reset(steps.count);
        column.drops_name = group.drops_name;
        group.finish(&mut column, remarks);
        if !column.is_blank() {
            sink(groups.labels(at).clone(), &mut column)?;
        }
    }
    limits.release(held);
    Ok(())
}

/// One group.
struct Group<C> {
    /// Per step.
    floats: Vec<C>,
    /// Per step where histograms are added up and there are any, else empty.
    natives: Vec<natives::Cell>,
    /// Whether one of its series' names is to go at the end of the query.
    drops_name: bool,
}

impl<C: Cell> Group<C> {
    /// Adds the histograms of a column, and returns how many more samples are held for it.
    fn add_natives(
        &mut self,
        column: &Column,
        metric: &str,
        (limits, remarks): (&Limits, Remarks<'_>),
    ) -> Result<usize, QueryFailure> {
        let mut held = 0;
        let mut natives = column.natives();
        match C::HISTOGRAMS {
            Histograms::Ignored(name) => natives.next().into_iter().for_each(|_| remarks.ignored(name)),
            Histograms::Counted => natives.for_each(|(at, _)| self.floats[at].add(0.0)),
            Histograms::Added(total) => {
                for (at, histogram) in natives {
                    let grown = self.natives[at].add(total, histogram, metric, remarks);
                    limits.hold(grown)?;
                    held += grown;
                }
            }
        }
        Ok(held)
    }

    /// Puts the results into a column of empty places.
    fn finish(self, out: &mut Column, remarks: Remarks<'_>) {
        for (at, value) in self.floats.iter().enumerate().filter_map(|(at, cell)| Some((at, cell.value()?))) {
            out.set(at, value);
        }
        for (at, cell) in self.natives.into_iter().enumerate().filter(|(_, cell)| cell.is_taken()) {
            if out.get(at).is_some() {
                remarks.mixed_aggregation();
                out.put(at, None);
            } else {
                out.put(at, cell.finish(remarks).map(|histogram| Point::Native(Native::new(histogram))));
            }
        }
    }
}

#[derive(Default, Clone)]
struct Sum {
    kahan: Kahan,
    seen: bool,
}

impl Cell for Sum {
    const HISTOGRAMS: Histograms = Histograms::Added(natives::Total::Sum);

    #[inline]
    fn add(&mut self, value: f64) {
        if self.seen {
            self.kahan.add(value);
        } else {
            *self = Sum { kahan: Kahan { sum: value, lost: 0.0 }, seen: true };
        }
    }

    fn value(&self) -> Option<f64> {
        self.seen.then(|| self.kahan.total())
    }
}

#[derive(Default, Clone)]
struct Average {
    mean: Mean,
    seen: bool,
}

impl Cell for Average {
    const HISTOGRAMS: Histograms = Histograms::Added(natives::Total::Mean);

    #[inline]
    fn add(&mut self, value: f64) {
        self.mean.add(value);
        self.seen = true;
    }

    fn value(&self) -> Option<f64> {
        self.seen.then(|| self.mean.value())
    }
}

#[derive(Default, Clone)]
struct Count(f64);

impl Cell for Count {
    const HISTOGRAMS: Histograms = Histograms::Counted;

    #[inline]
    fn add(&mut self, _: f64) {
        self.0 += 1.0;
    }

    fn value(&self) -> Option<f64> {
        (self.0 > 0.0).then_some(self.0)
    }
}

#[derive(Default, Clone)]
struct Present(bool);

impl Cell for Present {
    const HISTOGRAMS: Histograms = Histograms::Counted;

    #[inline]
    fn add(&mut self, _: f64) {
        self.0 = true;
    }

    fn value(&self) -> Option<f64> {
        self.0.then_some(1.0)
    }
}

#[derive(Default, Clone)]
struct Min(Option<f64>);

impl Cell for Min {
    const HISTOGRAMS: Histograms = Histograms::Ignored("min");

    #[inline]
    fn add(&mut self, value: f64) {
        if self.0.is_none_or(|least| value < least || least.is_nan()) {
            self.0 = Some(value);
        }
    }

    fn value(&self) -> Option<f64> {
        self.0
    }
}

#[derive(Default, Clone)]
struct Max(Option<f64>);

impl Cell for Max {
    const HISTOGRAMS: Histograms = Histograms::Ignored("max");

    #[inline]
    fn add(&mut self, value: f64) {
        if self.0.is_none_or(|most| value > most || most.is_nan()) {
            self.0 = Some(value);
        }
    }

    fn value(&self) -> Option<f64> {
        self.0
    }
}

/// Welford's method.
#[derive(Default, Clone)]
struct Variance {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Cell for Variance {
    const HISTOGRAMS: Histograms = Histograms::Ignored("stdvar");

    #[inline]
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.mean = value;
            self.squares = if value.is_finite() { 0.0 } else { f64::NAN };
            return;
        }
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.squares / self.count)
    }
}

#[derive(Default, Clone)]
struct Deviation(Variance);

impl Cell for Deviation {
    const HISTOGRAMS: Histograms = Histograms::Ignored("stddev");

    #[inline]
    fn add(&mut self, value: f64) {
        self.0.add(value);
    }

    fn value(&self) -> Option<f64> {
        self.0.value().map(f64::sqrt)
    }
}
