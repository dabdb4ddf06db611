//! Histograms without what depends on the chunk they were in.

use model::{Buckets, NativeHistogram, Span, bucket_counts, bucket_deltas, bucket_indexes};

/// Takes off empty buckets: which of them a histogram has depends on the others in its chunk.
pub fn without_empty_buckets(histogram: NativeHistogram) -> NativeHistogram {
    match histogram {
        NativeHistogram::Int(mut h) => {
            let full = |spans: &[Span], deltas: &[i64]| {
                let (spans, counts) = occupied(spans, bucket_counts(deltas), |count| *count == 0);
                (spans, bucket_deltas(counts))
            };
            (h.buckets.positive_spans, h.positive) = full(&h.buckets.positive_spans, &h.positive);
            (h.buckets.negative_spans, h.negative) = full(&h.buckets.negative_spans, &h.negative);
            without_unused_bounds(&mut h.buckets);
            NativeHistogram::Int(h)
        }
        NativeHistogram::Float(mut h) => {
            let full = |spans: &[Span], counts: &[f64]| occupied(spans, counts.iter().copied(), |count| *count == 0.0);
            (h.buckets.positive_spans, h.positive) = full(&h.buckets.positive_spans, &h.positive);
            (h.buckets.negative_spans, h.negative) = full(&h.buckets.negative_spans, &h.negative);
            without_unused_bounds(&mut h.buckets);
            NativeHistogram::Float(h)
        }
    }
}

/// Bounds that the schema doesn't have are not stored.
fn without_unused_bounds(buckets: &mut Buckets) {
    if !buckets.are_custom() {
        buckets.custom_values.clear();
    }
}

/// The buckets that have something in them.
fn occupied<T>(spans: &[Span], counts: impl Iterator<Item = T>, empty: impl Fn(&T) -> bool) -> (Vec<Span>, Vec<T>) {
    let (mut kept, mut values, mut next) = (Vec::<Span>::new(), Vec::new(), 0_i64);
    for (index, count) in bucket_indexes(spans).zip(counts).filter(|(_, count)| !empty(count)) {
        match kept.last_mut() {
            Some(span) if index == next => span.length += 1,
            // Within the old spans, whose offsets had 32 bits each.
            _ => kept.push(Span { offset: i32::try_from(index - next).unwrap_or(i32::MAX), length: 1 }),
        }
        next = index + 1;
        values.push(count);
    }
    (kept, values)
}

#[cfg(test)]
mod tests {
    use model::FloatHistogram;

    use super::*;

    #[test]
    fn spans_lose_what_is_empty() {
        let spans = |pairs: &[(i32, u32)]| -> Vec<Span> {
            pairs.iter().map(|(offset, length)| Span { offset: *offset, length: *length }).collect()
        };
        let mut histogram =
            FloatHistogram { positive: vec![0.0, 1.0, 2.0, 0.0, 3.0, 0.0], ..FloatHistogram::default() };
        histogram.buckets.positive_spans = spans(&[(-2, 4), (3, 2)]);
        let NativeHistogram::Float(compact) = without_empty_buckets(histogram.into()) else {
            panic!("of another kind")
        };
        assert_eq!(compact.positive, [1.0, 2.0, 3.0]);
        assert_eq!(compact.buckets.positive_spans, spans(&[(-1, 2), (4, 1)]));
    }
}
