//! Aggregations that need one cell per group and step, and never see two series at one time.

use crate::eval::column::Column;
use crate::eval::context::Limits;
use crate::eval::failure::QueryFailure;
use crate::eval::grouping::{Grouping, Groups};
use crate::eval::kahan::{Kahan, Mean};
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
    limits: &Limits,
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
    Some(run(grouping, steps, limits, feed, sink))
}

/// What is kept of the values of one group at one step.
trait Cell: Default + Clone {
    /// Takes one more value.
    fn add(&mut self, value: f64);
    /// The result; `None` if there was no value.
    fn value(&self) -> Option<f64>;
}

fn accumulate<C: Cell>(
    grouping: Grouping<'_>,
    steps: Steps,
    limits: &Limits,
    feed: &mut Feed<'_>,
    sink: &mut Sink<'_>,
) -> Result<(), QueryFailure> {
    let mut groups = Groups::new(grouping);
    let mut cells: Vec<Vec<C>> = Vec::new();
    feed(&mut |labels, column| {
        let group = groups.find_or_add(&labels);
        if group == cells.len() {
            limits.hold(steps.count)?;
            cells.push(vec![C::default(); steps.count]);
        }
        let cells = &mut cells[group];
        for (at, value) in column.iter() {
            cells[at].add(value);
        }
        Ok(())
    })?;
    limits.release(steps.count.saturating_mul(cells.len()));
    let mut column = Column::default();
    for (group, cells) in cells.iter().enumerate() {
        column.reset(steps.count);
        for (at, value) in cells.iter().enumerate().filter_map(|(at, cell)| Some((at, cell.value()?))) {
            column.set(at, value);
        }
        if !column.is_blank() {
            sink(groups.labels(group).clone(), &mut column)?;
        }
    }
    Ok(())
}

#[derive(Default, Clone)]
struct Sum {
    kahan: Kahan,
    seen: bool,
}

impl Cell for Sum {
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
    #[inline]
    fn add(&mut self, value: f64) {
        self.0.add(value);
    }

    fn value(&self) -> Option<f64> {
        self.0.value().map(f64::sqrt)
    }
}
