//! Sums and means of the histograms of a group.

use model::{CounterReset, FloatHistogram, HistogramMean, HistogramSum, IncompatibleHistograms};

use crate::eval::column::weight;
use crate::eval::native::covered::Covered;
use crate::eval::native::remarks::{Doing, Remarks};

/// What is made of the histograms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Total {
    Sum,
    Mean,
}

#[derive(Debug, Clone)]
enum State {
    Sum(HistogramSum),
    Mean(HistogramMean),
}

/// The histograms that were added up so far.
#[derive(Debug, Clone)]
pub(crate) struct Aggregated {
    state: State,
    seen_reset: bool,
    seen_no_reset: bool,
    reconciled: bool,
}

impl Aggregated {
    /// Begins with this histogram.
    pub(crate) fn of(total: Total, first: &FloatHistogram) -> Self {
        let state = match total {
            Total::Sum => State::Sum(HistogramSum::of(first)),
            Total::Mean => State::Mean(HistogramMean::of(first)),
        };
        let mut aggregated = Aggregated { state, seen_reset: false, seen_no_reset: false, reconciled: false };
        aggregated.see(first);
        aggregated
    }

    fn see(&mut self, histogram: &FloatHistogram) {
        self.seen_reset |= histogram.counter_reset == CounterReset::Reset;
        self.seen_no_reset |= histogram.counter_reset == CounterReset::NotReset;
    }

    /// Adds one more.
    pub(crate) fn add(&mut self, histogram: &FloatHistogram) -> Result<(), IncompatibleHistograms> {
        self.see(histogram);
        let added = match &mut self.state {
            State::Sum(sum) => sum.add(histogram),
            State::Mean(mean) => mean.add(histogram),
        }?;
        self.reconciled |= added.bounds_reconciled;
        Ok(())
    }

    /// The sum or the mean; what is to be said of it is said.
    pub(crate) fn finish(self, remarks: Remarks<'_>) -> FloatHistogram {
        if self.seen_reset && self.seen_no_reset {
            remarks.collision(Doing::Aggregation);
        }
        if self.reconciled {
            remarks.reconciled(Doing::Aggregation);
        }
        match self.state {
            State::Sum(sum) => sum.finish(),
            State::Mean(mean) => mean.finish(),
        }
    }
}

/// The histograms of one group at one step.
#[derive(Debug, Clone, Default)]
pub(crate) enum Cell {
    #[default]
    Empty,
    Some(Box<Growing>),
    /// Exponential buckets and listed bounds came together.
    Incompatible,
}

/// Histograms that were added up so far, and the buckets of all of them.
#[derive(Debug, Clone)]
pub(crate) struct Growing {
    aggregated: Aggregated,
    covered: Covered,
}

/// For how many samples of 16 bytes so many buckets of a sum count: each has an index, a count and what rounding lost of it.
fn bucket_weight(buckets: usize) -> usize {
    (24 * buckets).div_ceil(16)
}

impl Cell {
    /// Adds one more histogram, of this metric. Returns for how many more samples the cell counts against the limit.
    pub(crate) fn add(
        &mut self,
        total: Total,
        histogram: &FloatHistogram,
        metric: &str,
        remarks: Remarks<'_>,
    ) -> usize {
        match self {
            Cell::Empty => {
                let aggregated = Aggregated::of(total, histogram);
                let mut covered = Covered::new(histogram.buckets.schema);
                let grown = weight(histogram) + bucket_weight(covered.add(histogram));
                *self = Cell::Some(Box::new(Growing { aggregated, covered }));
                grown
            }
            Cell::Some(growing) => {
                let Growing { aggregated, covered } = &mut **growing;
                if aggregated.add(histogram).is_ok() {
                    return bucket_weight(covered.add(histogram));
                }
                if aggregated.reconciled {
                    remarks.reconciled(Doing::Aggregation);
                }
                remarks.mixed_bounds(metric);
                *self = Cell::Incompatible;
                0
            }
            Cell::Incompatible => 0,
        }
    }

    /// Whether a histogram was added.
    pub(crate) fn is_taken(&self) -> bool {
        !matches!(self, Cell::Empty)
    }

    /// The result, if there is one.
    pub(crate) fn finish(self, remarks: Remarks<'_>) -> Option<FloatHistogram> {
        match self {
            Cell::Some(growing) => Some(growing.aggregated.finish(remarks)),
            Cell::Empty | Cell::Incompatible => None,
        }
    }
}
