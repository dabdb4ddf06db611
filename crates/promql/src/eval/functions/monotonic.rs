//! Classic buckets whose counts fall, which they can't.

use model::{Timestamp, format_float};

/// One bucket of a histogram: how many observations were at most `bound`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    pub(crate) bound: f64,
    pub(crate) count: f64,
}

/// Counts that differ by less than this share of their sum are equal; floats that were summed in another order do.
const SMALL_DIFFERENCE: f64 = 1e-12;

/// What was made right, in all histograms and at all steps.
#[derive(Debug, Default)]
pub(crate) struct Fix {
    /// How many histograms; without any the rest says nothing.
    count: usize,
    /// When, milliseconds.
    times: (i64, i64),
    /// Between which buckets.
    bounds: (f64, f64),
    /// By how much the counts fell at most.
    fall: f64,
}

impl Fix {
    /// Counts must not fall from bucket to bucket. Small falls come from rounding and are taken away silently, others are noted.
    pub(crate) fn make_monotonic(&mut self, buckets: &mut [Bucket], time: i64) {
        let Some((first, rest)) = buckets.split_first_mut() else { return };
        let mut before = first.count;
        let (mut lowest, mut highest, mut fall) = (f64::INFINITY, f64::NEG_INFINITY, 0.0_f64);
        for bucket in rest {
            let count = bucket.count;
            if count == before {
                continue;
            }
            if almost_equal(before, count) {
                bucket.count = before;
            } else if count < before {
                bucket.count = before;
                lowest = lowest.min(bucket.bound);
                highest = highest.max(bucket.bound);
                fall = fall.max(before - count);
            } else {
                before = count;
            }
        }
        if fall == 0.0 {
            return;
        }
        if self.count == 0 {
            (self.times, self.bounds) = ((time, time), (lowest, highest));
        }
        self.count += 1;
        self.times = (self.times.0.min(time), self.times.1.max(time));
        self.bounds = (self.bounds.0.min(lowest), self.bounds.1.max(highest));
        self.fall = self.fall.max(fall);
    }

    /// What is to be said of it, in Prometheus's words.
    pub(crate) fn message(&self) -> Option<String> {
        let what = "input to histogram_quantile needed to be fixed for monotonicity (see \
                    https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
        let time = |ms: i64| Timestamp::from_ms(ms.div_euclid(1000).saturating_mul(1000)).to_rfc3339();
        (self.count > 0).then(|| {
            format!(
                "{what}, from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
                format_float(self.bounds.0),
                format_float(self.bounds.1),
                two_digits(self.fall),
                self.count,
                time(self.times.0),
                time(self.times.1),
            )
        })
    }
}

/// A number with two significant digits, as Go's `%.2g` writes it.
fn two_digits(value: f64) -> String {
    let exact = format!("{value:.1e}");
    let Some((digits, exponent)) = exact.split_once('e') else { return format_float(value) };
    let (digits, exponent) = (digits.trim_end_matches('0').trim_end_matches('.'), exponent.parse::<i32>().unwrap_or(0));
    if (-4..2).contains(&exponent) {
        return exact.parse::<f64>().map_or(exact.clone(), format_float);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

fn almost_equal(a: f64, b: f64) -> bool {
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < SMALL_DIFFERENCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < SMALL_DIFFERENCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_as_go_writes_them() {
        let check = |value: f64, want: &str| assert_eq!(two_digits(value), want);
        check(0.5, "0.5");
        check(3.0, "3");
        check(12.345, "12");
        check(99.6, "1e+02");
        check(123.0, "1.2e+02");
        check(0.000_123, "0.00012");
        check(0.000_012_3, "1.2e-05");
        check(f64::INFINITY, "+Inf");
    }

    #[test]
    fn falls_are_told_in_one_message() {
        let mut fix = Fix::default();
        let mut fixed = |counts: [f64; 3], time: i64| {
            let mut buckets = [1.0, 2.0, f64::INFINITY].map(|bound| Bucket { bound, count: 0.0 });
            buckets.iter_mut().zip(counts).for_each(|(bucket, count)| bucket.count = count);
            fix.make_monotonic(&mut buckets, time);
            buckets.map(|bucket| bucket.count)
        };
        assert_eq!(fixed([1.0, 2.0, 3.0], 0), [1.0, 2.0, 3.0]);
        assert_eq!(fixed([3.0, 2.0, 3.0], 1000), [3.0, 3.0, 3.0]);
        assert_eq!(fixed([3.0, 5.0, 1.0], 61_500), [3.0, 5.0, 5.0]);
        assert_eq!(fixed([3.0, 3.0 - 1e-13, 4.0], 90_000), [3.0, 3.0, 4.0]);
        let message = fix.message().unwrap_or_default();
        let want = "from buckets 2 to +Inf, with a max diff of 4, over 2 samples from 1970-01-01T00:00:01Z to 1970-01-01T00:01:01Z";
        assert!(message.ends_with(want), "{message}");
        assert_eq!(Fix::default().message(), None);
    }
}
