//! Count, sum, mean and spread of a histogram.

use model::{FloatHistogram, Kahan};

/// A number that a histogram has.
pub(crate) type Moment = fn(&FloatHistogram) -> f64;

/// The function of this name.
pub(crate) fn find(name: &str) -> Option<Moment> {
    TABLE.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
}

const TABLE: &[(&str, Moment)] = &[
    ("histogram_avg", |h| h.sum / h.count),
    ("histogram_count", |h| h.count),
    ("histogram_stddev", |h| variance(h).sqrt()),
    ("histogram_stdvar", variance),
    ("histogram_sum", |h| h.sum),
];

/// The variance, if all observations lay in the middle of their buckets: for exponential ones the geometric middle.
fn variance(histogram: &FloatHistogram) -> f64 {
    let mean = histogram.sum / histogram.count;
    let linear = histogram.buckets.are_custom();
    let mut squares = Kahan::default();
    for bucket in histogram.ascending_buckets().into_iter().filter(|bucket| bucket.count != 0.0) {
        let middle = if linear {
            // Half of the sum, not the midpoint, which says something else of infinite bounds.
            (bucket.upper + bucket.lower) / 2.0
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            let middle = (bucket.upper * bucket.lower).sqrt();
            if bucket.upper < 0.0 { -middle } else { middle }
        };
        let delta = middle - mean;
        squares.add(bucket.count * delta * delta);
    }
    squares.total() / histogram.count
}
