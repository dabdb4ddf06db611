//! Quantiles and shares of native histograms.

use model::{Bucket, FloatHistogram};

use crate::eval::native::remarks::Remarks;

/// The value below which the share `q` of all observations lies. Within a bucket they are taken to be spread exponentially; in
/// the zero bucket and in those with listed bounds evenly. A histogram without negative buckets has nothing below zero, one without
/// positive buckets nothing above.
pub(crate) fn quantile(q: f64, histogram: &FloatHistogram, metric: &str, remarks: Remarks<'_>) -> f64 {
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    if histogram.count == 0.0 || q.is_nan() {
        return f64::NAN;
    }
    // Observations of NaN are in no bucket and count as larger than all others, so that ranks are counted from below.
    let (has_nan, custom) = (histogram.sum.is_nan(), histogram.buckets.are_custom());
    let upwards = has_nan || q < 0.5;
    let mut buckets = histogram.ascending_buckets();
    if !upwards {
        buckets.reverse();
    }
    let mut rank = (if upwards { q } else { 1.0 - q }) * histogram.count;
    let mut count = 0.0;
    let mut reached = None;
    for (at, bucket) in buckets.iter().enumerate().filter(|(_, bucket)| bucket.count != 0.0) {
        count += bucket.count;
        reached = Some(at);
        if count >= rank {
            break;
        }
    }
    let nowhere = Bucket { lower: 0.0, upper: 0.0, lower_inclusive: true, upper_inclusive: true, count: 0.0 };
    let mut bucket = reached.map_or(nowhere, |at| buckets[at]);
    if !custom && bucket.lower < 0.0 && bucket.upper > 0.0 {
        clip_at_zero(&mut bucket, histogram);
    } else if custom && bucket.lower == f64::NEG_INFINITY {
        if bucket.upper <= 0.0 {
            return bucket.upper;
        }
        bucket.lower = 0.0;
    } else if custom && bucket.upper == f64::INFINITY {
        return bucket.lower;
    }
    // Rounding can make it more.
    count = count.min(histogram.count);
    if count < rank {
        if has_nan {
            remarks.nan_quantile(metric);
            return f64::NAN;
        }
        return bucket.upper;
    }
    rank = if upwards { rank - (count - bucket.count) } else { count - rank };
    if has_nan {
        let behind = reached.map_or(0, |at| at + 1);
        let all = buckets[behind..].iter().fold(count, |sum, bucket| sum + bucket.count);
        if all < histogram.count {
            remarks.skewed_quantile(metric);
        }
    }
    within(&bucket, rank / bucket.count, custom)
}

/// The value at a share of a bucket.
fn within(bucket: &Bucket, share: f64, custom: bool) -> f64 {
    let Bucket { lower, upper, .. } = *bucket;
    if custom || (lower <= 0.0 && upper >= 0.0) {
        return lower + (upper - lower) * share;
    }
    let (lower_log, upper_log) = (lower.abs().log2(), upper.abs().log2());
    if lower > 0.0 {
        (lower_log + (upper_log - lower_log) * share).exp2()
    } else {
        -(upper_log + (lower_log - upper_log) * (1.0 - share)).exp2()
    }
}

/// The zero bucket's bounds, where only one side has buckets.
fn clip_at_zero(bucket: &mut Bucket, histogram: &FloatHistogram) {
    match (histogram.negative.is_empty(), histogram.positive.is_empty()) {
        (true, false) => bucket.lower = 0.0,
        (false, true) => bucket.upper = 0.0,
        _ => {}
    }
}

/// The share of all observations that lies between two values.
pub(crate) fn fraction(
    (lower, upper): (f64, f64),
    histogram: &FloatHistogram,
    metric: &str,
    remarks: Remarks<'_>,
) -> f64 {
    if histogram.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let buckets = histogram.ascending_buckets();
    let mut count = histogram.count;
    if histogram.sum.is_nan() {
        count = buckets.iter().map(|bucket| bucket.count).sum();
        if count < histogram.count {
            remarks.nan_fraction(metric);
        }
    }
    let below = |value: f64| rank(value, &buckets, histogram).filter(|rank| *rank <= count).unwrap_or(count);
    (below(upper) - below(lower)) / histogram.count
}

/// How many observations lie below a value; `None` if it lies above all buckets.
fn rank(value: f64, buckets: &[Bucket], histogram: &FloatHistogram) -> Option<f64> {
    let mut below = 0.0;
    for bucket in buckets {
        let mut bucket = *bucket;
        let around_zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
        if around_zero {
            clip_at_zero(&mut bucket, histogram);
        }
        if bucket.lower >= value {
            return Some(below);
        }
        if bucket.upper > value {
            let linear = histogram.buckets.are_custom() || around_zero;
            if linear && bucket.lower == f64::NEG_INFINITY {
                return Some(bucket.count);
            }
            return Some(below + bucket.count * bucket.share_below(value, linear));
        }
        below += bucket.count;
    }
    None
}

#[cfg(test)]
mod tests {
    use model::{Buckets, Span};

    use super::*;
    use crate::eval::context::Notes;

    fn histogram(counts: &[f64]) -> FloatHistogram {
        let positive_spans = vec![Span { offset: 0, length: counts.len() as u32 }];
        let count = counts.iter().sum();
        let buckets = Buckets { positive_spans, ..Buckets::default() };
        FloatHistogram { buckets, count, sum: 1.0, positive: counts.to_vec(), ..FloatHistogram::default() }
    }

    #[test]
    fn quantiles_ascend_and_are_the_inverse_of_shares() {
        let notes = Notes::default();
        let remarks = Remarks { notes: &notes, span: crate::syntax::Span::default() };
        for counts in [&[1.0][..], &[0.0, 3.0, 0.0, 5.0], &[2.0, 2.0, 2.0, 2.0]] {
            let histogram = histogram(counts);
            let values: Vec<f64> = (0..=100).map(|q| quantile(f64::from(q) / 100.0, &histogram, "", remarks)).collect();
            assert!(values.is_sorted(), "{values:?}");
            for (q, value) in values.iter().enumerate() {
                let share = fraction((f64::NEG_INFINITY, *value), &histogram, "", remarks);
                assert!((share - q as f64 / 100.0).abs() < 1e-9, "{counts:?} {q} {value} {share}");
            }
        }
        assert!(quantile(0.5, &FloatHistogram::default(), "", remarks).is_nan());
        assert_eq!(quantile(2.0, &histogram(&[1.0]), "", remarks), f64::INFINITY);
        // Nothing that storage may hold makes it panic: observations of which no bucket knows.
        let lost = FloatHistogram { count: 3.0, ..FloatHistogram::default() };
        assert_eq!(quantile(0.5, &lost, "", remarks), 0.0);
    }
}
