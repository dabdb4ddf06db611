//! Histograms whose counts may be fractions.

use super::shape::{Buckets, CounterReset};
use crate::sample::{STALE_NAN, is_stale};

/// A histogram whose counts may be fractions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FloatHistogram {
    /// What is known of a counter reset before this sample.
    pub counter_reset: CounterReset,
    /// The shape.
    pub buckets: Buckets,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// The sum of all observations; the stale marker here makes the sample a stale marker.
    pub sum: f64,
    /// Counts of the positive buckets.
    pub positive: Vec<f64>,
    /// Counts of the negative buckets.
    pub negative: Vec<f64>,
}

impl FloatHistogram {
    /// The sample that ends a series.
    pub fn stale() -> Self {
        FloatHistogram { sum: STALE_NAN, ..FloatHistogram::default() }
    }

    /// Whether this is a stale marker.
    pub fn is_stale(&self) -> bool {
        is_stale(self.sum)
    }

    /// Whether both are the same data: everything but what is known of a counter reset, numbers to the bit. Spans may be
    /// told differently as long as they hold the same buckets, empty ones included.
    pub fn same_as(&self, other: &FloatHistogram) -> bool {
        let same = |a: &[f64], b: &[f64]| a.iter().map(|v| v.to_bits()).eq(b.iter().map(|v| v.to_bits()));
        same(&[self.sum, self.count, self.zero_count], &[other.sum, other.count, other.zero_count])
            && self.buckets.same_as(&other.buckets)
            && same(&self.positive, &other.positive)
            && same(&self.negative, &other.negative)
    }
}
