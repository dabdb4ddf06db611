//! Histograms without empty buckets.

use super::cells;
use super::float::FloatHistogram;
use super::integer::{Histogram, bucket_counts, bucket_deltas};
use super::shape::{Span, bucket_indexes};

impl FloatHistogram {
    /// The same without empty buckets. Spans must fit the buckets.
    #[must_use]
    pub fn compacted(mut self) -> Self {
        let sides = [
            (&mut self.buckets.positive_spans, &mut self.positive),
            (&mut self.buckets.negative_spans, &mut self.negative),
        ];
        for (spans, counts) in sides {
            if !(are_whole(spans) && counts.iter().all(|count| *count != 0.0)) {
                (*spans, *counts) = cells::to_spans(&cells::of::<f64>(spans, counts));
            }
        }
        self
    }
}

impl Histogram {
    /// The same without empty buckets. Spans must fit the buckets.
    #[must_use]
    pub fn compacted(mut self) -> Self {
        let sides = [
            (&mut self.buckets.positive_spans, &mut self.positive),
            (&mut self.buckets.negative_spans, &mut self.negative),
        ];
        for (spans, deltas) in sides {
            if are_whole(spans) && bucket_counts(deltas).all(|count| count != 0) {
                continue;
            }
            let filled = || bucket_indexes(spans).zip(bucket_counts(deltas)).filter(|(_, count)| *count != 0);
            let fewer = cells::spans_of(filled().map(|(index, _)| index));
            *deltas = bucket_deltas(filled().map(|(_, count)| count));
            *spans = fewer;
        }
        self
    }
}

/// Whether no span is empty, and none goes on where the one before it ends.
fn are_whole(spans: &[Span]) -> bool {
    spans.iter().enumerate().all(|(at, span)| span.length > 0 && (at == 0 || span.offset > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::shape::Buckets;

    #[test]
    fn empty_buckets_go() {
        let check = |spans: &[(i32, u32)], counts: &[i64], want: &[(i32, u32)], left: &[i64]| {
            let of = |spans: &[(i32, u32)]| {
                spans.iter().map(|(offset, length)| Span { offset: *offset, length: *length }).collect::<Vec<_>>()
            };
            let histogram = Histogram {
                buckets: Buckets { positive_spans: of(spans), negative_spans: of(spans), ..Buckets::default() },
                positive: bucket_deltas(counts.iter().copied()),
                negative: bucket_deltas(counts.iter().copied()),
                ..Histogram::default()
            };
            let float = histogram.to_float().compacted();
            let compacted = histogram.compacted();
            assert_eq!(compacted.buckets.positive_spans, of(want), "{spans:?}");
            assert_eq!(compacted.buckets.negative_spans, of(want), "{spans:?}");
            assert_eq!(bucket_counts(&compacted.positive).collect::<Vec<_>>(), left);
            assert_eq!(compacted.to_float(), float, "both kinds alike");
        };
        check(&[], &[], &[], &[]);
        check(&[(0, 0)], &[], &[], &[]);
        check(&[(-2, 2)], &[1, 2], &[(-2, 2)], &[1, 2]);
        check(&[(-2, 1), (0, 1), (3, 0)], &[1, 2], &[(-2, 2)], &[1, 2]);
        check(&[(1, 3)], &[0, 5, 0], &[(2, 1)], &[5]);
        check(&[(0, 4), (2, 2)], &[1, 0, 0, 1, 0, 7], &[(0, 1), (2, 1), (3, 1)], &[1, 1, 7]);
        check(&[(0, 2)], &[0, 0], &[], &[]);
    }
}
