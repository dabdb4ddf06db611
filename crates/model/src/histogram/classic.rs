//! Classic histograms, bucket by bucket, and the native ones with listed bounds that they become.

use super::float::FloatHistogram;
use super::integer::{Histogram, bucket_deltas};
use super::native::NativeHistogram;
use super::shape::{Buckets, CUSTOM_BUCKETS_SCHEMA, Span};
use super::validate::HistogramError;

/// A classic histogram at one time, as its series tell it: in any order, and perhaps not all of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClassicHistogram {
    /// Bounds, ascending, and how many observations were at most as large.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

/// What one series tells of a classic histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ClassicPart {
    /// How many observations were at most as large as this, which is a number.
    Bucket(f64),
    /// How many there were.
    Count,
    /// Their sum.
    Sum,
}

impl ClassicHistogram {
    /// Whether nothing was told yet.
    pub fn is_empty(&self) -> bool {
        *self == ClassicHistogram::default()
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.buckets.clear();
        (self.count, self.sum) = (None, 0.0);
    }

    /// Takes note of one series' value. Of a bucket that is told twice the first counts.
    pub fn set(&mut self, part: ClassicPart, value: f64) {
        match part {
            ClassicPart::Bucket(bound) if self.buckets.last().is_none_or(|(last, _)| *last < bound) => {
                self.buckets.push((bound, value));
            }
            ClassicPart::Bucket(bound) => {
                let at = self.buckets.partition_point(|(known, _)| *known < bound);
                if self.buckets[at].0 != bound {
                    self.buckets.insert(at, (bound, value));
                }
            }
            ClassicPart::Count => self.count = Some(value),
            ClassicPart::Sum => self.sum = value,
        }
    }

    /// The native histogram: of whole counts where all of them are whole. Without a count that of the largest bucket counts, and
    /// without an infinite bucket there is one with the count of all.
    ///
    /// # Errors
    /// Counts of the buckets fall, or that of the largest is not the count.
    pub fn native(&self) -> Result<NativeHistogram, HistogramError> {
        let last = self.buckets.last();
        let count = self.count.or(last.map(|(_, count)| *count)).unwrap_or(0.0);
        let infinite = last.is_none_or(|(bound, _)| *bound != f64::INFINITY).then_some((f64::INFINITY, count));
        let buckets = || self.buckets.iter().copied().chain(infinite);
        let largest = infinite.or(last.copied()).map_or(0.0, |(_, count)| count);
        if largest != count {
            return Err(HistogramError::new(format!(
                "its largest bucket has {largest} observations, but its count is {count}"
            )));
        }
        let shape = Buckets {
            schema: CUSTOM_BUCKETS_SCHEMA,
            positive_spans: vec![Span { offset: 0, length: buckets().count() as u32 }],
            custom_values: buckets().map(|(bound, _)| bound).filter(|bound| *bound != f64::INFINITY).collect(),
            ..Buckets::default()
        };
        let native: NativeHistogram = if buckets().all(|(_, count)| whole(count).is_some()) {
            let mut before = 0;
            let of_bucket = |count: i64| count.wrapping_sub(std::mem::replace(&mut before, count));
            let positive = bucket_deltas(buckets().filter_map(|(_, count)| whole(count)).map(of_bucket));
            let count = whole(count).unwrap_or_default() as u64;
            Histogram { buckets: shape, count, sum: self.sum, positive, ..Histogram::default() }.compacted().into()
        } else {
            let mut before = 0.0;
            let positive = buckets().map(|(_, count)| count - std::mem::replace(&mut before, count)).collect();
            let histogram =
                FloatHistogram { buckets: shape, count, sum: self.sum, positive, ..FloatHistogram::default() };
            histogram.compacted().into()
        };
        native.validate()?;
        Ok(native)
    }
}

/// The count as an integer, if it is one.
fn whole(count: f64) -> Option<i64> {
    let whole = count as i64;
    (whole as f64 == count && whole != i64::MAX).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::integer::bucket_counts;

    fn classic(parts: &[(ClassicPart, f64)]) -> ClassicHistogram {
        let mut classic = ClassicHistogram::default();
        for (part, value) in parts {
            classic.set(*part, *value);
        }
        classic
    }

    use ClassicPart::{Bucket, Count, Sum};

    #[test]
    fn whole_counts_stay_whole() {
        let check = |parts: &[(ClassicPart, f64)], bounds: &[f64], counts: &[i64], count: u64, sum: f64| {
            let NativeHistogram::Int(native) = classic(parts).native().expect("consistent") else {
                panic!("{parts:?} has fractions")
            };
            assert_eq!(native.buckets.custom_values, bounds, "{parts:?}");
            assert_eq!(bucket_counts(&native.positive).collect::<Vec<_>>(), counts, "{parts:?}");
            assert_eq!((native.count, native.sum), (count, sum), "{parts:?}");
        };
        let infinite = Bucket(f64::INFINITY);
        check(&[(Bucket(1.0), 2.0), (infinite, 5.0), (Count, 5.0), (Sum, 9.5)], &[1.0], &[2, 3], 5, 9.5);
        check(&[(Count, 5.0), (infinite, 5.0), (Bucket(1.0), 2.0)], &[1.0], &[2, 3], 5, 0.0);
        check(&[(Bucket(1.0), 2.0), (Bucket(0.5), 1.0), (Bucket(1.0), 9.0)], &[0.5, 1.0], &[1, 1], 2, 0.0);
        check(&[(Bucket(1.0), 2.0), (Count, 4.0)], &[1.0], &[2, 2], 4, 0.0);
        check(&[(Count, 3.0)], &[], &[3], 3, 0.0);
        check(&[(Bucket(1.0), 0.0), (Bucket(2.0), 0.0), (infinite, 7.0)], &[1.0, 2.0], &[7], 7, 0.0);
        check(&[], &[], &[], 0, 0.0);
    }

    #[test]
    fn fractions_make_all_of_it_floats() {
        let native = classic(&[(Bucket(1.0), 1.5), (Count, 4.0)]).native();
        let Ok(NativeHistogram::Float(native)) = native else { panic!("{native:?}") };
        assert_eq!((native.positive.as_slice(), native.count), (&[1.5, 2.5][..], 4.0));
    }

    #[test]
    fn contradictions_are_told() {
        let check = |parts: &[(ClassicPart, f64)], want: &str| {
            let error = classic(parts).native().expect_err(want).to_string();
            assert!(error.contains(want), "{error}");
        };
        check(&[(Bucket(1.0), 5.0), (Bucket(2.0), 4.0)], "bucket number 2 has observation count of -1");
        check(&[(Bucket(1.0), 5.5), (Bucket(2.0), 4.5)], "bucket number 2 has observation count of -1");
        check(
            &[(Bucket(f64::INFINITY), 5.0), (Count, 4.0)],
            "its largest bucket has 5 observations, but its count is 4",
        );
        check(&[(Count, -1.0)], "observation count of -1");
        check(&[(Bucket(f64::NAN), 1.0), (Count, 1.0)], "must not be NaN");
    }

    #[test]
    fn it_can_be_used_again() {
        let mut used = classic(&[(Bucket(1.0), 2.0), (Count, 4.0), (Sum, 1.0)]);
        assert!(!used.is_empty());
        used.clear();
        assert!(used.is_empty());
    }
}
