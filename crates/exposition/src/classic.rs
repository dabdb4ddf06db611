//! Histograms with listed bounds as classic ones, which every format can write.

use model::{FloatHistogram, bucket_indexes};

/// A bucket of a classic histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassicBucket {
    /// The largest value that is counted.
    pub upper_bound: f64,
    /// All observations up to the bound.
    pub cumulative_count: f64,
}

/// The buckets of a histogram with listed bounds as those of a classic one, without the last, which is infinite and has the count of
/// all.
pub fn classic_buckets(histogram: &FloatHistogram) -> impl Iterator<Item = ClassicBucket> {
    let mut counts = bucket_indexes(&histogram.buckets.positive_spans).zip(&histogram.positive).peekable();
    let mut cumulative_count = 0.0;
    (0_i64..).zip(&histogram.buckets.custom_values).map(move |(at, bound)| {
        while let Some((_, count)) = counts.next_if(|(index, _)| *index <= at) {
            cumulative_count += count;
        }
        ClassicBucket { upper_bound: *bound, cumulative_count }
    })
}

#[cfg(test)]
mod tests {
    use model::{Buckets, CUSTOM_BUCKETS_SCHEMA, Span};

    use super::*;

    #[test]
    fn listed_buckets_are_added_up() {
        let check = |spans: &[(i32, u32)], counts: &[f64], want: &[f64]| {
            let positive_spans =
                spans.iter().map(|(offset, length)| Span { offset: *offset, length: *length }).collect();
            let buckets = Buckets {
                schema: CUSTOM_BUCKETS_SCHEMA,
                positive_spans,
                custom_values: vec![0.1, 1.0, 10.0],
                ..Buckets::default()
            };
            let histogram = FloatHistogram { buckets, positive: counts.to_vec(), ..FloatHistogram::default() };
            let found: Vec<f64> = classic_buckets(&histogram).map(|bucket| bucket.cumulative_count).collect();
            assert_eq!(found, want, "{spans:?}");
        };
        check(&[], &[], &[0.0, 0.0, 0.0]);
        check(&[(0, 3)], &[1.0, 2.0, 4.0], &[1.0, 3.0, 7.0]);
        check(&[(1, 1), (1, 1)], &[2.5, 9.0], &[0.0, 2.5, 2.5]); // the last one is the infinite bucket's
        check(&[(0, 1), (1, 1)], &[1.0, 1.0], &[1.0, 1.0, 2.0]);
    }
}
