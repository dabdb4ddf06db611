//! Chunks that depend on nothing but samples.

use model::{
    FloatHistogram, Histogram, NativeHistogram, Span, TimeRange, bucket_counts, bucket_deltas, bucket_indexes,
};

use crate::chunk::{Chunk, ChunkError, Recoder, Value};
use crate::series::Series;

/// Encodes the samples of a series within `range` anew: [`SAMPLES_PER_CHUNK`](crate::chunk::SAMPLES_PER_CHUNK) to a chunk from the
/// first one on, fewer where the encoding changes or a histogram can't follow the one before it. The same samples and the same
/// range give the same bytes, however the series was cut into chunks before. Histograms lose buckets in which there is nothing:
/// which of those a chunk holds depends on its other samples.
///
/// # Errors
/// A chunk can't be read.
pub fn recut(series: &Series, range: TimeRange) -> Result<Vec<Chunk>, ChunkError> {
    let mut values = Vec::new();
    collect(&series.chunks, range, &mut values)?;
    Ok(encode(values))
}

/// Appends the samples of chunks that lie in `range`, in any order.
pub(super) fn collect(chunks: &[Chunk], range: TimeRange, out: &mut Vec<(i64, Value)>) -> Result<(), ChunkError> {
    let (min, max) = (range.min.as_ms(), range.max.as_ms());
    for chunk in chunks.iter().filter(|chunk| range.overlaps(TimeRange::new(chunk.min_time, chunk.max_time))) {
        let mut values = chunk.values();
        while let Some((time, value)) = values.next()? {
            if time > max {
                break;
            }
            if time >= min {
                out.push((time, value));
            }
        }
    }
    Ok(())
}

/// Encodes samples, of which the first of several at one time counts.
pub(super) fn encode(mut values: Vec<(i64, Value)>) -> Vec<Chunk> {
    if !values.is_sorted_by_key(|(time, _)| *time) {
        values.sort_by_key(|(time, _)| *time); // stable
    }
    values.dedup_by_key(|(time, _)| *time);
    let mut recoder = Recoder::default();
    for (time, value) in values {
        recoder.push(time, without_empty_buckets(value));
    }
    recoder.finish()
}

fn without_empty_buckets(value: Value) -> Value {
    match value {
        Value::Float(_) => value,
        Value::Histogram(NativeHistogram::Int(histogram)) => compact_integer(*histogram).into(),
        Value::Histogram(NativeHistogram::Float(histogram)) => compact_float(*histogram).into(),
    }
}

fn compact_integer(mut histogram: Histogram) -> Histogram {
    let side = |spans: &mut Vec<Span>, deltas: &mut Vec<i64>| {
        let full: Vec<(i64, i64)> =
            bucket_indexes(spans).zip(bucket_counts(deltas)).filter(|(_, count)| *count != 0).collect();
        *spans = spans_of(full.iter().map(|(index, _)| *index));
        *deltas = bucket_deltas(full.iter().map(|(_, count)| *count));
    };
    side(&mut histogram.buckets.positive_spans, &mut histogram.positive);
    side(&mut histogram.buckets.negative_spans, &mut histogram.negative);
    histogram
}

fn compact_float(mut histogram: FloatHistogram) -> FloatHistogram {
    let side = |spans: &mut Vec<Span>, counts: &mut Vec<f64>| {
        let full: Vec<(i64, f64)> =
            bucket_indexes(spans).zip(counts.iter().copied()).filter(|(_, count)| *count != 0.0).collect();
        *spans = spans_of(full.iter().map(|(index, _)| *index));
        *counts = full.iter().map(|(_, count)| *count).collect();
    };
    side(&mut histogram.buckets.positive_spans, &mut histogram.positive);
    side(&mut histogram.buckets.negative_spans, &mut histogram.negative);
    histogram
}

/// The spans of buckets with these ascending indexes.
fn spans_of(indexes: impl Iterator<Item = i64>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut next = 0;
    for index in indexes {
        match spans.last_mut() {
            Some(span) if index == next => span.length += 1,
            _ => spans.push(Span { offset: (index - next) as i32, length: 1 }), // differs by no more than the offsets it came from
        }
        next = index + 1;
    }
    spans
}

#[cfg(test)]
mod tests {
    use model::{Buckets, Labels, Timestamp};

    use super::*;

    /// The samples in chunks of this many.
    fn series(values: &[(i64, Value)], per_chunk: usize) -> Series {
        let mut chunks = Vec::new();
        for part in values.chunks(per_chunk) {
            let mut recoder = Recoder::default();
            part.iter().for_each(|(time, value)| recoder.push(*time, value.clone()));
            chunks.extend(recoder.finish());
        }
        Series { labels: Labels::empty(), chunks }
    }

    fn check(values: &[(i64, Value)], range: (i64, i64), want_counts: &[usize]) {
        let range = TimeRange::new(Timestamp::from_ms(range.0), Timestamp::from_ms(range.1));
        let want = recut(&series(values, 1), range).expect("valid chunks");
        assert_eq!(want.iter().map(Chunk::sample_count).collect::<Vec<_>>(), want_counts);
        for per_chunk in [2, 7, 120, 1000] {
            let mut series = series(values, per_chunk);
            series.chunks.reverse();
            let got = recut(&series, range).expect("valid chunks");
            assert!(got.iter().map(|chunk| &chunk.data).eq(want.iter().map(|chunk| &chunk.data)), "{per_chunk}");
        }
    }

    #[test]
    fn borders_depend_on_samples_and_range() {
        let floats: Vec<(i64, Value)> = (0..300).map(|at| (at * 10, Value::Float((at * at) as f64))).collect();
        check(&floats, (0, 5000), &[120, 120, 60]);
        check(&floats, (995, 2500), &[120, 31]);
        check(&floats, (5000, 6000), &[]);
    }

    #[test]
    fn empty_buckets_depend_on_nothing() {
        // Each sample brings a bucket that those before it don't have, in its own chunk or in one with others.
        let histogram = |at: i64| {
            let counts: Vec<i64> = (0..=at % 100).map(|_| at + 1).collect();
            let count = counts.iter().sum::<i64>() as u64;
            let spans = vec![Span { offset: -3, length: counts.len() as u32 }];
            let buckets = Buckets { positive_spans: spans.clone(), negative_spans: spans, ..Buckets::default() };
            let positive = bucket_deltas(counts);
            Histogram {
                buckets,
                count: 2 * count,
                sum: at as f64,
                negative: positive.clone(),
                positive,
                ..Histogram::default()
            }
        };
        let integers: Vec<(i64, Value)> = (0..250).map(|at| (at, histogram(at).into())).collect();
        check(&integers, (0, 1000), &[100, 100, 50]);
        let floats: Vec<(i64, Value)> = (0..50).map(|at| (at, histogram(at).to_float().into())).collect();
        check(&floats, (0, 1000), &[50]);
    }

    #[test]
    fn spans_lose_what_is_empty() {
        let spans = |pairs: &[(i32, u32)]| -> Vec<Span> {
            pairs.iter().map(|(offset, length)| Span { offset: *offset, length: *length }).collect()
        };
        let mut histogram =
            FloatHistogram { positive: vec![0.0, 1.0, 2.0, 0.0, 3.0, 0.0], ..FloatHistogram::default() };
        histogram.buckets.positive_spans = spans(&[(-2, 4), (3, 2)]);
        let compact = compact_float(histogram);
        assert_eq!(compact.positive, [1.0, 2.0, 3.0]);
        assert_eq!(compact.buckets.positive_spans, spans(&[(-1, 2), (4, 1)]));
    }
}
