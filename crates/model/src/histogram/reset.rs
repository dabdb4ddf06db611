//! Whether a counter began anew between two histograms.

use std::iter::Peekable;

use super::accumulator::{Accumulator, common_bounds};
use super::bounds::exponential_bound;
use super::float::FloatHistogram;
use super::resolution::coarser_index;
use super::shape::{CounterReset, bucket_indexes};

impl FloatHistogram {
    /// Whether the counter began anew between `previous` and this: it says so itself, or something went down, or the buckets have
    /// become finer. Gauges are looked at as if they were counters.
    pub fn is_reset_after(&self, previous: &FloatHistogram) -> bool {
        match self.counter_reset {
            CounterReset::Reset => return true,
            CounterReset::NotReset => return false,
            CounterReset::Unknown | CounterReset::Gauge => {}
        }
        let (shape, before) = (&self.buckets, &previous.buckets);
        if self.count < previous.count || shape.are_custom() != before.are_custom() {
            return true;
        }
        if shape.are_custom() {
            if shape.custom_values == before.custom_values {
                return has_lost(positive(self), positive(previous));
            }
            return fell_between_bounds(self, previous);
        }
        if shape.schema > before.schema || shape.zero_threshold < before.zero_threshold {
            return true;
        }
        let (zero, threshold) = if shape.zero_threshold == before.zero_threshold {
            (previous.zero_count, before.zero_threshold)
        } else {
            Accumulator::<f64>::of(previous).zero_widened(shape.zero_threshold)
        };
        if threshold != shape.zero_threshold || self.zero_count < zero {
            return true;
        }
        let sides = [
            (&shape.positive_spans, &self.positive, &before.positive_spans, &previous.positive),
            (&shape.negative_spans, &self.negative, &before.negative_spans, &previous.negative),
        ];
        sides.into_iter().any(|(spans, counts, spans_before, counts_before)| {
            let inside = |schema: i32| move |(index, _): &(i64, f64)| exponential_bound(*index, schema) <= threshold;
            let now = bucket_indexes(spans).zip(counts.iter().copied()).skip_while(inside(shape.schema));
            let finer =
                bucket_indexes(spans_before).zip(counts_before.iter().copied()).skip_while(inside(before.schema));
            has_lost(now, Coarser { finer: finer.peekable(), from: before.schema, to: shape.schema })
        })
    }
}

fn positive(of: &FloatHistogram) -> impl Iterator<Item = (i64, f64)> {
    bucket_indexes(&of.buckets.positive_spans).zip(of.positive.iter().copied())
}

/// Buckets of a finer schema as those of a coarser one.
struct Coarser<I: Iterator> {
    finer: Peekable<I>,
    from: i32,
    to: i32,
}

impl<I: Iterator<Item = (i64, f64)>> Iterator for Coarser<I> {
    type Item = (i64, f64);

    fn next(&mut self) -> Option<(i64, f64)> {
        if self.from == self.to {
            return self.finer.next();
        }
        let coarser = |index| coarser_index(index, self.from, self.to);
        let (index, mut sum) = self.finer.next()?;
        let index = coarser(index);
        while let Some((_, count)) = self.finer.next_if(|(next, _)| coarser(*next) == index) {
            sum += count;
        }
        Some((index, sum))
    }
}

/// Whether a bucket has fewer observations than before, or has gone with observations.
fn has_lost(now: impl Iterator<Item = (i64, f64)>, before: impl Iterator<Item = (i64, f64)>) -> bool {
    let mut now = now.peekable();
    for (index, count) in before {
        while now.next_if(|(at, _)| *at < index).is_some() {}
        let lost = match now.peek() {
            Some((at, have)) if *at == index => *have < count,
            _ => count != 0.0,
        };
        if lost {
            return true;
        }
    }
    false
}

/// Whether there are fewer observations between any two of the listed bounds that both have.
fn fell_between_bounds(now: &FloatHistogram, before: &FloatHistogram) -> bool {
    let mut common = common_bounds(&now.buckets.custom_values, &before.buckets.custom_values);
    common.push(f64::INFINITY);
    let (mut now, mut before) = (UpTo::new(now), UpTo::new(before));
    common.into_iter().any(|bound| now.sum(bound) < before.sum(bound))
}

/// Sums observations from bound to bound.
struct UpTo<'a, I: Iterator> {
    of: &'a FloatHistogram,
    rest: Peekable<I>,
}

impl<'a> UpTo<'a, std::iter::Empty<(i64, f64)>> {
    fn new(of: &'a FloatHistogram) -> UpTo<'a, impl Iterator<Item = (i64, f64)>> {
        UpTo { of, rest: positive(of).peekable() }
    }
}

impl<I: Iterator<Item = (i64, f64)>> UpTo<'_, I> {
    /// The observations up to `bound` that were in no sum yet.
    fn sum(&mut self, bound: f64) -> f64 {
        let mut sum = 0.0;
        while let Some((_, count)) = self.rest.next_if(|(index, _)| self.of.buckets.upper_bound(*index) <= bound) {
            sum += count;
        }
        sum
    }
}
