//! A histogram that others are added to.

use std::cmp::Ordering;

use super::amount::Amount;
use super::bounds::exponential_bound;
use super::cells::{self, Cells};
use super::float::FloatHistogram;
use super::resolution::coarser_index;
use super::shape::{Buckets, CUSTOM_BUCKETS_SCHEMA, CounterReset, bucket_indexes};
use crate::kahan::Kahan;

/// One histogram has exponential buckets, the other has listed bounds: there is nothing in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("histograms with exponential buckets and with custom ones can't be combined")]
pub struct IncompatibleHistograms;

/// What is to be said of an addition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Added {
    /// The one histogram says that there was a counter reset before it, the other that there was none.
    pub counter_reset_collision: bool,
    /// The listed bounds were different ones; those that both have are left.
    pub bounds_reconciled: bool,
}

/// A histogram in a form that takes others: buckets by index. It becomes as coarse as the coarsest that was added, with the widest
/// zero bucket.
#[derive(Debug, Clone)]
pub struct Accumulator<A: Amount> {
    counter_reset: CounterReset,
    schema: i32,
    zero_threshold: f64,
    custom_values: Vec<f64>,
    zero: A,
    count: A,
    sum: A,
    positive: Cells<A>,
    negative: Cells<A>,
}

/// A sum of histograms that keeps what rounding loses.
pub type HistogramSum = Accumulator<Kahan>;

impl<A: Amount> Accumulator<A> {
    /// Begins with this histogram.
    pub fn of(histogram: &FloatHistogram) -> Self {
        let shape = &histogram.buckets;
        Accumulator {
            counter_reset: histogram.counter_reset,
            schema: shape.schema,
            zero_threshold: shape.zero_threshold,
            custom_values: shape.custom_values.clone(),
            zero: A::from(histogram.zero_count),
            count: A::from(histogram.count),
            sum: A::from(histogram.sum),
            positive: cells::of(&shape.positive_spans, &histogram.positive),
            negative: cells::of(&shape.negative_spans, &histogram.negative),
        }
    }

    /// The histogram that it has become, without empty buckets.
    pub fn finish(&self) -> FloatHistogram {
        let (positive_spans, positive) = cells::to_spans(&self.positive);
        let (negative_spans, negative) = cells::to_spans(&self.negative);
        let buckets = Buckets {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            positive_spans,
            negative_spans,
            custom_values: self.custom_values.clone(),
        };
        let (zero_count, count, sum) = (self.zero.total(), self.count.total(), self.sum.total());
        FloatHistogram { counter_reset: self.counter_reset, buckets, zero_count, count, sum, positive, negative }
    }

    /// Adds a histogram.
    ///
    /// # Errors
    /// Exponential buckets and listed bounds don't go together; nothing has been added then.
    pub fn add(&mut self, other: &FloatHistogram) -> Result<Added, IncompatibleHistograms> {
        self.combine(other, 1.0)
    }

    /// Subtracts a histogram.
    ///
    /// # Errors
    /// Exponential buckets and listed bounds don't go together; nothing has been subtracted then.
    pub fn subtract(&mut self, other: &FloatHistogram) -> Result<Added, IncompatibleHistograms> {
        self.combine(other, -1.0)
    }

    /// Merges buckets so that the schema becomes `schema`, if it is a finer exponential one.
    pub fn reduce_resolution(&mut self, schema: i32) {
        if !is_custom(self.schema) && self.schema > schema {
            cells::reduce(&mut self.positive, self.schema, schema);
            cells::reduce(&mut self.negative, self.schema, schema);
            self.schema = schema;
        }
    }

    /// Multiplies all counts and the sum.
    pub fn multiply(&mut self, factor: f64) {
        self.each(|amount| amount.multiply(factor));
    }

    /// Divides all counts and the sum.
    pub fn divide(&mut self, divisor: f64) {
        self.each(|amount| amount.divide(divisor));
    }

    /// Whether anything in it has become infinite.
    pub fn is_infinite(&self) -> bool {
        self.amounts().any(|amount| amount.total().is_infinite())
    }

    /// The sum of the sizes of everything in it: where that is finite together with another's, their sum overflows nowhere.
    pub fn magnitude(&self) -> f64 {
        self.amounts().map(|amount| amount.total().abs()).sum()
    }

    fn amounts(&self) -> impl Iterator<Item = A> {
        let buckets = self.positive.iter().chain(&self.negative).map(|(_, amount)| *amount);
        [self.zero, self.count, self.sum].into_iter().chain(buckets)
    }

    fn each(&mut self, change: impl Fn(&mut A)) {
        [&mut self.zero, &mut self.count, &mut self.sum].into_iter().for_each(&change);
        self.positive.iter_mut().chain(&mut self.negative).for_each(|(_, amount)| change(amount));
    }

    fn combine(&mut self, other: &FloatHistogram, sign: f64) -> Result<Added, IncompatibleHistograms> {
        let shape = &other.buckets;
        if is_custom(self.schema) != shape.are_custom() {
            return Err(IncompatibleHistograms);
        }
        let counter_reset_collision;
        (self.counter_reset, counter_reset_collision) = joined(self.counter_reset, other.counter_reset);
        self.count.add(sign * other.count);
        self.sum.add(sign * other.sum);
        let positive = bucket_indexes(&shape.positive_spans).zip(&other.positive).map(|(i, count)| (i, sign * count));
        if shape.are_custom() {
            let bounds_reconciled = self.custom_values != shape.custom_values;
            if bounds_reconciled {
                let common = common_bounds(&self.custom_values, &shape.custom_values);
                cells::reindex(&mut self.positive, |index| place(&self.custom_values, &common, index));
                let moved = positive.map(|(index, count)| (place(&shape.custom_values, &common, index), count));
                cells::add(&mut self.positive, moved);
                self.custom_values = common;
            } else {
                cells::add(&mut self.positive, positive);
            }
            return Ok(Added { counter_reset_collision, bounds_reconciled });
        }
        let zero = self.reconcile_zero(other);
        self.zero.add(sign * zero);
        self.reduce_resolution(shape.schema);
        let negative = bucket_indexes(&shape.negative_spans).zip(&other.negative).map(|(i, count)| (i, sign * count));
        let (from, to, threshold) = (shape.schema, self.schema, self.zero_threshold);
        // What lies within the zero bucket is counted there; it is seen before the buckets become coarser and reach out of it.
        let inside = |(index, _): &(i64, f64)| exponential_bound(*index, from) <= threshold;
        let coarser = |(index, count)| (if from > to { coarser_index(index, from, to) } else { index }, count);
        cells::add(&mut self.positive, positive.skip_while(inside).map(coarser));
        cells::add(&mut self.negative, negative.skip_while(inside).map(coarser));
        Ok(Added { counter_reset_collision, bounds_reconciled: false })
    }

    /// Widens the zero bucket until it is one that `other` can have too; tells the other's observations in it.
    fn reconcile_zero(&mut self, other: &FloatHistogram) -> f64 {
        let (mut zero, mut threshold) = (other.zero_count, other.buckets.zero_threshold);
        // Each round makes one of them wider, and there are as many widths as buckets. A NaN is neither more nor less.
        while let Some(Ordering::Less | Ordering::Greater) = threshold.partial_cmp(&self.zero_threshold) {
            if threshold < self.zero_threshold {
                (zero, threshold) = Accumulator::<f64>::of(other).zero_widened(self.zero_threshold);
            }
            if threshold > self.zero_threshold {
                (self.zero, self.zero_threshold) = self.zero_widened(threshold);
                self.drop_inside_zero();
            }
        }
        zero
    }

    /// The observations in a zero bucket at least as wide as `threshold`, and how wide it has to be in order not to end within a
    /// bucket that has observations.
    pub(super) fn zero_widened(&self, mut threshold: f64) -> (A, f64) {
        let bound = |index: i64| exponential_bound(index, self.schema);
        loop {
            let (before, mut zero) = (threshold, self.zero);
            for side in [&self.positive, &self.negative] {
                for (index, amount) in side {
                    let (lower, upper) = (bound(index - 1), bound(*index));
                    if lower >= threshold {
                        break;
                    }
                    zero.absorb(*amount);
                    if upper > threshold && amount.total() != 0.0 {
                        threshold = upper;
                    }
                }
            }
            // What was counted of the one side doesn't hold where the other has made it wider.
            if threshold == before || threshold.is_nan() {
                return (zero, threshold);
            }
        }
    }

    /// Takes the buckets out that lie within the zero bucket, which ends at a bound.
    fn drop_inside_zero(&mut self) {
        let (schema, threshold) = (self.schema, self.zero_threshold);
        for side in [&mut self.positive, &mut self.negative] {
            let inside = side.iter().take_while(|(index, _)| exponential_bound(index - 1, schema) < threshold).count();
            side.drain(..inside);
        }
    }
}

fn is_custom(schema: i32) -> bool {
    schema == CUSTOM_BUCKETS_SCHEMA
}

/// What is known of a counter reset before the sum of two histograms, and whether they contradict each other.
fn joined(one: CounterReset, other: CounterReset) -> (CounterReset, bool) {
    use CounterReset::{Gauge, Unknown};
    match (one, other) {
        (one, other) if one == other => (one, false),
        (Gauge, _) | (_, Gauge) => (Gauge, false),
        (Unknown, _) | (_, Unknown) => (Unknown, false),
        _ => (Unknown, true),
    }
}

/// The bounds that both lists have.
pub(super) fn common_bounds(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut rest = b.iter().peekable();
    let mut common = Vec::with_capacity(a.len().min(b.len()));
    for bound in a {
        while rest.next_if(|other| *other < bound).is_some() {}
        if rest.next_if(|other| *other == bound).is_some() {
            common.push(*bound);
        }
    }
    common
}

/// The bucket among `common` bounds in which bucket `index` lies.
fn place(bounds: &[f64], common: &[f64], index: i64) -> i64 {
    let bound = usize::try_from(index).ok().and_then(|index| bounds.get(index));
    bound.map_or(common.len(), |bound| common.partition_point(|other| other < bound)) as i64
}
