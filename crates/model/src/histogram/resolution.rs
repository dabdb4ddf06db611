//! Coarser buckets.

use super::float::FloatHistogram;
use super::integer::{Histogram, bucket_counts, bucket_deltas};
use super::shape::{Span, bucket_indexes};

/// The bucket of schema `to` that holds bucket `index` of the finer schema `from`.
pub(super) fn coarser_index(index: i64, from: i32, to: i32) -> i64 {
    ((index - 1) >> from.saturating_sub(to).clamp(0, 63)) + 1
}

/// Merges buckets with absolute counts, which must be as many as the spans say.
fn reduce<T: Copy>(
    spans: &[Span],
    buckets: &[T],
    (from, to): (i32, i32),
    add: impl Fn(T, T) -> T,
) -> (Vec<Span>, Vec<T>) {
    let (mut out_spans, mut out): (Vec<Span>, Vec<T>) = (Vec::new(), Vec::new());
    let mut last_index = None;
    for (index, count) in bucket_indexes(spans).zip(buckets) {
        let index = coarser_index(index, from, to);
        match (last_index, out.last_mut(), out_spans.last_mut()) {
            (Some(last), Some(bucket), _) if last == index => *bucket = add(*bucket, *count),
            (Some(last), _, Some(span)) if last + 1 == index => {
                span.length += 1;
                out.push(*count);
            }
            (last, _, _) => {
                let offset = last.map_or(index, |last| index - last - 1);
                out_spans.push(Span { offset: offset as i32, length: 1 });
                out.push(*count);
            }
        }
        last_index = Some(index);
    }
    (out_spans, out)
}

impl Histogram {
    /// Merges buckets so that the schema becomes `schema`, if it is a finer exponential one. Spans must fit the buckets.
    pub fn reduce_resolution(&mut self, schema: i32) {
        let from = self.buckets.schema;
        if self.buckets.are_custom() || from <= schema {
            return;
        }
        let side = |spans: &mut Vec<Span>, buckets: &mut Vec<i64>| {
            let absolute: Vec<i64> = bucket_counts(buckets).collect();
            // Counts come from a log and may be anything.
            let (coarser, merged) = reduce(spans, &absolute, (from, schema), i64::wrapping_add);
            (*spans, *buckets) = (coarser, bucket_deltas(merged));
        };
        side(&mut self.buckets.positive_spans, &mut self.positive);
        side(&mut self.buckets.negative_spans, &mut self.negative);
        self.buckets.schema = schema;
    }
}

impl FloatHistogram {
    /// Merges buckets so that the schema becomes `schema`, if it is a finer exponential one. Spans must fit the buckets.
    pub fn reduce_resolution(&mut self, schema: i32) {
        let from = self.buckets.schema;
        if self.buckets.are_custom() || from <= schema {
            return;
        }
        let side = |spans: &mut Vec<Span>, buckets: &mut Vec<f64>| {
            (*spans, *buckets) = reduce(spans, buckets, (from, schema), |a, b| a + b);
        };
        side(&mut self.buckets.positive_spans, &mut self.positive);
        side(&mut self.buckets.negative_spans, &mut self.negative);
        self.buckets.schema = schema;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::native::NativeHistogram;
    use crate::histogram::shape::Buckets;

    #[test]
    fn buckets_are_merged() {
        // Buckets 1 to 4 of schema 1 are 1 and 2 of schema 0; -3 is -1; 10 is 5.
        let spans = [(-3, 1), (3, 4), (5, 1)].map(|(offset, length)| Span { offset, length }).to_vec();
        let mut histogram = Histogram {
            buckets: Buckets { schema: 1, positive_spans: spans, ..Buckets::default() },
            positive: vec![7, -6, 1, 1, 1, 3],
            ..Histogram::default()
        };
        let mut float = histogram.to_float();
        histogram.reduce_resolution(0);
        let spans = [(-1, 1), (1, 2), (2, 1)].map(|(offset, length)| Span { offset, length });
        assert_eq!(histogram.buckets.positive_spans, spans);
        assert_eq!(bucket_counts(&histogram.positive).collect::<Vec<_>>(), [7, 3, 7, 7]);
        float.reduce_resolution(0);
        assert_eq!(float, histogram.to_float());
        let misfits = |spans: Vec<Span>| {
            let mut other = histogram.clone();
            other.buckets.positive_spans = spans;
            NativeHistogram::from(other).fits_its_spans()
        };
        assert!(NativeHistogram::from(histogram.clone()).fits_its_spans());
        assert!(!misfits(vec![Span { offset: 0, length: u32::MAX }]));
        assert!(!misfits(vec![Span { offset: 0, length: 2 }, Span { offset: -1, length: 2 }]));
        float.reduce_resolution(3);
        assert_eq!(float.buckets.schema, 0);
    }
}
