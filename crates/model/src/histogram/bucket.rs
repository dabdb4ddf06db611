//! Buckets with their bounds.

use std::fmt;

use super::bounds::exponential_bound;
use super::float::FloatHistogram;
use super::shape::{Buckets, bucket_indexes};
use crate::float::{format_float, format_go_float};

/// One bucket: where it lies and how many observations are in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The lower bound.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
    /// Whether observations of the lower bound itself are in it.
    pub lower_inclusive: bool,
    /// Whether observations of the upper bound itself are in it.
    pub upper_inclusive: bool,
    /// How many observations are in it.
    pub count: f64,
}

impl Bucket {
    /// How much of the bucket's width lies below `value`, from 0 to 1. The value must lie between its bounds, which must be
    /// finite. Exponential buckets are measured on a logarithmic scale, unless `linear`.
    pub fn share_below(&self, value: f64, linear: bool) -> f64 {
        if linear {
            return (value - self.lower) / (self.upper - self.lower);
        }
        let (lower, upper, value_log) = (self.lower.abs().log2(), self.upper.abs().log2(), value.abs().log2());
        if value > 0.0 { (value_log - lower) / (upper - lower) } else { 1.0 - (value_log - upper) / (lower - upper) }
    }
}

impl fmt::Display for Bucket {
    /// As an interval: `(0.5,1]:3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.lower_inclusive { '[' } else { '(' };
        let close = if self.upper_inclusive { ']' } else { ')' };
        let (lower, upper) = (format_float(self.lower), format_float(self.upper));
        write!(f, "{open}{lower},{upper}{close}:{}", format_go_float(self.count))
    }
}

impl Buckets {
    /// Where a bucket lies, as distances from zero where its schema is exponential.
    #[inline]
    pub(super) fn bounds(&self, index: i64) -> (f64, f64) {
        (self.upper_bound(index - 1), self.upper_bound(index))
    }

    /// Where a bucket ends.
    pub(super) fn upper_bound(&self, index: i64) -> f64 {
        if !self.are_custom() {
            return exponential_bound(index, self.schema);
        }
        match usize::try_from(index) {
            Ok(index) => self.custom_values.get(index).copied().unwrap_or(f64::INFINITY),
            Err(_) => f64::NEG_INFINITY,
        }
    }

    /// A bucket of positive observations, or one with listed bounds.
    pub(super) fn positive_bucket(&self, index: i64, count: f64) -> Bucket {
        let (lower, upper) = self.bounds(index);
        let (lower_inclusive, upper_inclusive) =
            if self.are_custom() { (index == 0, true) } else { (lower < 0.0, upper > 0.0) };
        Bucket { lower, upper, lower_inclusive, upper_inclusive, count }
    }

    /// A bucket of negative observations.
    pub(super) fn negative_bucket(&self, index: i64, count: f64) -> Bucket {
        let (lower, upper) = self.bounds(index);
        let (lower, upper) = (-upper, -lower);
        Bucket { lower, upper, lower_inclusive: lower < 0.0, upper_inclusive: upper > 0.0, count }
    }
}

impl FloatHistogram {
    /// The bucket around zero, which histograms with listed bounds don't have.
    pub(super) fn zero_bucket(&self) -> Bucket {
        let threshold = self.buckets.zero_threshold;
        Bucket {
            lower: -threshold,
            upper: threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
        }
    }

    /// All buckets from the lowest to the highest, empty ones too where the spans have them. The zero bucket is among them where it
    /// has observations, and those beside it don't reach into it.
    pub fn ascending_buckets(&self) -> Vec<Bucket> {
        let mut all = Vec::with_capacity(self.positive.len() + self.negative.len() + 1);
        let shape = &self.buckets;
        all.extend(
            bucket_indexes(&shape.negative_spans).zip(&self.negative).map(|(i, n)| shape.negative_bucket(i, *n)),
        );
        all.reverse();
        let negative = all.len();
        if self.zero_count > 0.0 {
            all.push(self.zero_bucket());
        }
        let positive = all.len();
        all.extend(
            bucket_indexes(&shape.positive_spans).zip(&self.positive).map(|(i, n)| shape.positive_bucket(i, *n)),
        );
        let threshold = shape.zero_threshold;
        for bucket in &mut all[..negative] {
            if bucket.upper < 0.0 && bucket.upper > -threshold {
                bucket.upper = -threshold;
            }
        }
        for bucket in &mut all[positive..] {
            if bucket.lower > 0.0 && bucket.lower < threshold {
                bucket.lower = threshold;
            }
        }
        all
    }
}

impl fmt::Display for FloatHistogram {
    /// `{count:3, sum:2.5, [-0.5,0.5]:1, (1,2]:2}`, with the buckets that have observations.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{count:{}, sum:{}", format_float(self.count), format_float(self.sum))?;
        let shape = &self.buckets;
        let indexes: Vec<i64> = bucket_indexes(&shape.negative_spans).collect();
        for (index, count) in indexes.iter().zip(&self.negative).rev().filter(|(_, count)| **count != 0.0) {
            write!(f, ", {}", shape.negative_bucket(*index, *count))?;
        }
        if self.zero_count != 0.0 {
            write!(f, ", {}", self.zero_bucket())?;
        }
        let positive = bucket_indexes(&shape.positive_spans).zip(&self.positive);
        for (index, count) in positive.filter(|(_, count)| **count != 0.0) {
            write!(f, ", {}", shape.positive_bucket(index, *count))?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::shape::{CUSTOM_BUCKETS_SCHEMA, Span};

    #[test]
    fn a_histogram_is_written_with_its_buckets() {
        let span = |offset, length| vec![Span { offset, length }];
        let mut histogram = FloatHistogram {
            buckets: Buckets {
                zero_threshold: 0.75,
                positive_spans: span(0, 3),
                negative_spans: span(1, 1),
                ..Buckets::default()
            },
            zero_count: 2.0,
            count: 1_000_000.0,
            sum: -0.5,
            positive: vec![1.0, 0.0, 2.5],
            negative: vec![4.0],
            ..FloatHistogram::default()
        };
        let want = "{count:1e+06, sum:-0.5, [-2,-1):4, [-0.75,0.75]:2, (0.5,1]:1, (2,4]:2.5}";
        assert_eq!(histogram.to_string(), want);
        let bounds: Vec<_> = histogram.ascending_buckets().iter().map(|b| (b.lower, b.upper, b.count)).collect();
        assert_eq!(bounds, [(-2.0, -1.0, 4.0), (-0.75, 0.75, 2.0), (0.75, 1.0, 1.0), (1.0, 2.0, 0.0), (2.0, 4.0, 2.5)]);
        histogram.buckets = Buckets {
            schema: CUSTOM_BUCKETS_SCHEMA,
            positive_spans: span(0, 3),
            custom_values: vec![1.0, 2.0],
            ..Buckets::default()
        };
        (histogram.zero_count, histogram.negative) = (0.0, Vec::new());
        assert_eq!(histogram.to_string(), "{count:1e+06, sum:-0.5, [-Inf,1]:1, (2,+Inf]:2.5}");
    }

    #[test]
    fn shares_of_a_bucket() {
        let check = |lower: f64, upper: f64, value: f64, linear: bool, want: f64| {
            let bucket = Bucket { lower, upper, lower_inclusive: false, upper_inclusive: true, count: 1.0 };
            let got = bucket.share_below(value, linear);
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        };
        check(1.0, 4.0, 2.5, true, 0.5);
        check(1.0, 4.0, 2.0, false, 0.5);
        check(-4.0, -1.0, -2.0, false, 0.5);
        check(-8.0, -1.0, -4.0, false, 1.0 / 3.0);
    }
}
