//! Histograms of whole observations.

use super::float::FloatHistogram;
use super::shape::{Buckets, CounterReset};
use crate::sample::{STALE_NAN, is_stale};

/// A histogram of whole observations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// What is known of a counter reset before this sample.
    pub counter_reset: CounterReset,
    /// The shape.
    pub buckets: Buckets,
    /// Observations in the zero bucket.
    pub zero_count: u64,
    /// All observations.
    pub count: u64,
    /// The sum of all observations; the stale marker here makes the sample a stale marker.
    pub sum: f64,
    /// Counts of the positive buckets, each as the difference to the one before it.
    pub positive: Vec<i64>,
    /// Counts of the negative buckets, each as the difference to the one before it.
    pub negative: Vec<i64>,
}

/// The counts behind a list of buckets. Sums that don't fit wrap, as in Prometheus; only invalid histograms have any.
pub fn bucket_counts(deltas: &[i64]) -> impl Iterator<Item = i64> {
    deltas.iter().scan(0_i64, |count, delta| {
        *count = count.wrapping_add(*delta);
        Some(*count)
    })
}

/// The list of buckets with these counts.
pub fn bucket_deltas(counts: impl IntoIterator<Item = i64>) -> Vec<i64> {
    let mut last = 0_i64;
    counts.into_iter().map(|count| count.wrapping_sub(std::mem::replace(&mut last, count))).collect()
}

impl Histogram {
    /// The sample that ends a series.
    pub fn stale() -> Self {
        Histogram { sum: STALE_NAN, ..Histogram::default() }
    }

    /// Whether this is a stale marker.
    pub fn is_stale(&self) -> bool {
        is_stale(self.sum)
    }

    /// The same with counts that may be fractions.
    pub fn to_float(&self) -> FloatHistogram {
        FloatHistogram {
            counter_reset: self.counter_reset,
            buckets: self.buckets.clone(),
            zero_count: self.zero_count as f64,
            count: self.count as f64,
            sum: self.sum,
            positive: bucket_counts(&self.positive).map(|count| count as f64).collect(),
            negative: bucket_counts(&self.negative).map(|count| count as f64).collect(),
        }
    }

    /// Whether both are the same data: everything but what is known of a counter reset, and the sum to the bit. Spans may be
    /// told differently as long as they hold the same buckets, empty ones included.
    pub fn same_as(&self, other: &Histogram) -> bool {
        self.sum.to_bits() == other.sum.to_bits()
            && (self.count, self.zero_count) == (other.count, other.zero_count)
            && self.buckets.same_as(&other.buckets)
            && (&self.positive, &self.negative) == (&other.positive, &other.negative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::shape::Span;

    fn sample() -> Histogram {
        Histogram {
            buckets: Buckets { positive_spans: vec![Span { offset: 1, length: 3 }], ..Buckets::default() },
            zero_count: 1,
            count: 7,
            sum: 12.5,
            positive: vec![2, 1, -2],
            ..Histogram::default()
        }
    }

    #[test]
    fn floats_have_absolute_counts() {
        let float = sample().to_float();
        assert_eq!(float.positive, [2.0, 3.0, 1.0]);
        assert_eq!((float.count, float.zero_count, float.sum), (7.0, 1.0, 12.5));
        assert!(Histogram::stale().to_float().is_stale());
    }

    #[test]
    fn sameness_is_about_data() {
        let check = |want: bool, change: fn(&mut Histogram)| {
            let mut other = sample();
            change(&mut other);
            assert_eq!(sample().same_as(&other), want, "{other:?}");
            assert_eq!(sample().to_float().same_as(&other.to_float()), want, "{other:?}");
        };
        check(true, |_| {});
        check(true, |h| h.counter_reset = CounterReset::Reset);
        check(true, |h| h.buckets.positive_spans = vec![Span { offset: 1, length: 1 }, Span { offset: 0, length: 2 }]);
        check(true, |h| h.buckets.custom_values = vec![1.0]);
        check(false, |h| h.buckets.positive_spans[0].offset = 2);
        check(false, |h| h.buckets.zero_threshold = 0.5);
        check(false, |h| h.buckets.schema = 1);
        check(false, |h| h.sum = 12.0);
        check(false, |h| h.count = 8);
        check(false, |h| h.positive[2] = -1);
        assert!(Histogram::stale().same_as(&Histogram::stale()));
    }
}
