//! The samples of a series, cut into chunks in the one way that depends on nothing but the samples.
//!
//! How a database cuts chunks depends on when it was restarted, when samples came, and what came before them. So all of that is
//! taken off: overlaps are merged, chunks have 120 samples from the first one on, histograms lose buckets that are empty, counter
//! resets are found out again, and stale markers become those of the kind of sample before them.

use model::{
    Buckets, CounterReset, FloatHistogram, Histogram, NativeHistogram, Span, TimeRange, Timestamp, bucket_counts,
    bucket_deltas, bucket_indexes, is_stale,
};
use storage::chunk::{Chunk, ChunkError, Recoder, Value, Values};

/// The samples within `range`, cut anew.
pub(crate) fn recut(chunks: Vec<Chunk>, range: TimeRange) -> Result<Vec<Chunk>, ChunkError> {
    let mut recoder = Recoder::default();
    let mut last = Kind::Float;
    merge(chunks, |time, value| {
        if (range.min.as_ms()..=range.max.as_ms()).contains(&time) {
            recoder.push(time, canonical(value, &mut last));
        }
    })?;
    Ok(recoder.finish())
}

/// How many samples there are within `range`, each time once. Costs little where chunks don't overlap.
pub(crate) fn count(chunks: &[Chunk], range: TimeRange) -> Result<u64, ChunkError> {
    let mut count = 0;
    if chunks.windows(2).any(|two| two[0].max_time >= two[1].min_time) {
        merge(chunks.to_vec(), |time, _| count += u64::from(range.contains(Timestamp::from_ms(time))))?;
        return Ok(count);
    }
    for chunk in chunks {
        if range.contains(chunk.min_time) && range.contains(chunk.max_time) {
            count += chunk.sample_count() as u64;
        } else if range.overlaps(TimeRange::new(chunk.min_time, chunk.max_time)) {
            let mut values = chunk.values();
            while let Some((time, _)) = values.next()? {
                count += u64::from(range.contains(Timestamp::from_ms(time)));
            }
        }
    }
    Ok(count)
}

/// One chunk's samples, with the next of them.
struct Head<'a> {
    values: Values<'a>,
    next: (i64, Value),
}

impl<'a> Head<'a> {
    fn begin(chunk: &'a Chunk) -> Result<Option<Self>, ChunkError> {
        let mut values = chunk.values();
        Ok(values.next()?.map(|next| Head { values, next }))
    }

    /// The next sample; whether there is another behind it.
    fn take(&mut self) -> Result<(Value, bool), ChunkError> {
        let next = self.values.next()?;
        let more = next.is_some();
        let (_, value) = std::mem::replace(&mut self.next, next.unwrap_or((i64::MAX, Value::Float(0.0))));
        Ok((value, more))
    }
}

/// Walks the samples of all chunks in order of time, each time once.
fn merge(mut chunks: Vec<Chunk>, mut take: impl FnMut(i64, Value)) -> Result<(), ChunkError> {
    chunks.sort_by_key(|chunk| chunk.min_time);
    let mut later = chunks.iter().peekable();
    let mut open: Vec<Head<'_>> = Vec::new();
    loop {
        let first = open.iter().map(|head| head.next.0).min();
        if let Some(chunk) = later.next_if(|chunk| first.is_none_or(|first| chunk.min_time.as_ms() <= first)) {
            open.extend(Head::begin(chunk)?);
            continue;
        }
        let Some(time) = first else { return Ok(()) };
        let mut chosen: Option<Value> = None;
        let mut at = 0;
        while at < open.len() {
            if open[at].next.0 != time {
                at += 1;
                continue;
            }
            let (value, more) = open[at].take()?;
            if chosen.as_ref().is_none_or(|chosen| rank(chosen) < rank(&value)) {
                chosen = Some(value);
            }
            if more {
                at += 1;
            } else {
                open.remove(at);
            }
        }
        if let Some(value) = chosen {
            take(time, value);
        }
    }
}

/// Of two different values at one time the one with the higher rank stays: no matter which of them came first, and a stale
/// marker never.
fn rank(value: &Value) -> (bool, u8, u64, u64) {
    match value {
        Value::Float(value) => (!is_stale(*value), 0, value.to_bits(), 0),
        Value::Histogram(NativeHistogram::Int(h)) => (!h.is_stale(), 1, h.count, h.sum.to_bits()),
        Value::Histogram(NativeHistogram::Float(h)) => (!h.is_stale(), 2, h.count.to_bits(), h.sum.to_bits()),
    }
}

/// The kind of a sample that is no stale marker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Float,
    Histogram { float: bool, gauge: bool },
}

fn canonical(value: Value, last: &mut Kind) -> Value {
    let stale = match &value {
        Value::Float(value) => is_stale(*value),
        Value::Histogram(histogram) => histogram.is_stale(),
    };
    if stale {
        return stale_marker(*last);
    }
    match value {
        Value::Float(_) => {
            *last = Kind::Float;
            value
        }
        Value::Histogram(histogram) => {
            let gauge = histogram.counter_reset() == CounterReset::Gauge;
            *last = Kind::Histogram { float: matches!(histogram, NativeHistogram::Float(_)), gauge };
            compact(histogram, hint(gauge))
        }
    }
}

fn hint(gauge: bool) -> CounterReset {
    if gauge { CounterReset::Gauge } else { CounterReset::Unknown }
}

fn stale_marker(last: Kind) -> Value {
    match last {
        Kind::Float => Value::Float(model::STALE_NAN),
        Kind::Histogram { float: false, gauge } => {
            Histogram { counter_reset: hint(gauge), ..Histogram::stale() }.into()
        }
        Kind::Histogram { float: true, gauge } => {
            FloatHistogram { counter_reset: hint(gauge), ..FloatHistogram::stale() }.into()
        }
    }
}

/// Without empty buckets: which of them a histogram has depends on the others in its chunk.
fn compact(histogram: NativeHistogram, counter_reset: CounterReset) -> Value {
    match histogram {
        NativeHistogram::Int(mut h) => {
            let (spans, counts) = occupied(&h.buckets.positive_spans, bucket_counts(&h.positive), |count| *count == 0);
            (h.buckets.positive_spans, h.positive) = (spans, bucket_deltas(counts));
            let (spans, counts) = occupied(&h.buckets.negative_spans, bucket_counts(&h.negative), |count| *count == 0);
            (h.buckets.negative_spans, h.negative) = (spans, bucket_deltas(counts));
            h.counter_reset = counter_reset;
            plain(&mut h.buckets);
            Value::Histogram(NativeHistogram::Int(h))
        }
        NativeHistogram::Float(mut h) => {
            let empty = |count: &f64| *count == 0.0;
            (h.buckets.positive_spans, h.positive) =
                occupied(&h.buckets.positive_spans, h.positive.iter().copied(), empty);
            (h.buckets.negative_spans, h.negative) =
                occupied(&h.buckets.negative_spans, h.negative.iter().copied(), empty);
            h.counter_reset = counter_reset;
            plain(&mut h.buckets);
            Value::Histogram(NativeHistogram::Float(h))
        }
    }
}

/// Bounds that the schema doesn't have are not stored.
fn plain(buckets: &mut Buckets) {
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
    use super::*;

    fn encode(samples: &[(i64, Value)], per_chunk: usize) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        for part in samples.chunks(per_chunk) {
            let mut recoder = Recoder::default();
            part.iter().for_each(|(time, value)| recoder.push(*time, value.clone()));
            chunks.extend(recoder.finish());
        }
        chunks
    }

    fn bytes(chunks: &[Chunk]) -> Vec<(i64, i64, u8, Vec<u8>)> {
        let bytes = |chunk: &Chunk| {
            (chunk.min_time.as_ms(), chunk.max_time.as_ms(), chunk.encoding.byte(), chunk.data.to_vec())
        };
        chunks.iter().map(bytes).collect()
    }

    /// A counter that loses its observations now and then, with buckets that come one after the other.
    fn histogram(n: u64) -> Histogram {
        let since = n % 70;
        let counts: Vec<i64> = (0..=since / 10).map(|bucket| (since - bucket * 10) as i64).collect();
        Histogram {
            count: counts.iter().sum::<i64>() as u64,
            sum: n as f64,
            buckets: Buckets {
                positive_spans: vec![Span { offset: -2, length: counts.len() as u32 }],
                ..Buckets::default()
            },
            positive: bucket_deltas(counts),
            ..Histogram::default()
        }
    }

    #[test]
    fn how_it_was_cut_and_in_which_order_it_came_makes_no_difference() {
        let check = |what: &str, samples: Vec<(i64, Value)>| {
            let want = bytes(&recut(encode(&samples, usize::MAX), TimeRange::ALL).expect("readable"));
            let mut halves = (Vec::new(), Vec::new());
            for (n, sample) in samples.iter().enumerate() {
                if n % 3 == 0 { &mut halves.0 } else { &mut halves.1 }.push(sample.clone());
            }
            let mut interleaved = encode(&halves.1, 50);
            interleaved.extend(encode(&halves.0, 31));
            for (how, chunks) in [
                ("small", encode(&samples, 7)),
                ("other", encode(&samples, 101)),
                ("twice", [encode(&samples, 7), encode(&samples, 64)].concat()),
                ("interleaved", interleaved),
            ] {
                assert!(bytes(&recut(chunks, TimeRange::ALL).expect("readable")) == want, "{what}, {how}");
            }
            let window = TimeRange::new(Timestamp::from_ms(1000), Timestamp::from_ms(2999));
            let whole = recut(encode(&samples, 17), window).expect("readable");
            let inside: Vec<_> = samples.iter().filter(|(time, _)| (1000..3000).contains(time)).cloned().collect();
            assert_eq!(bytes(&whole), bytes(&recut(encode(&inside, 40), TimeRange::ALL).expect("readable")), "{what}");
            let again = [encode(&inside, 40), encode(&inside[3..], 50)].concat();
            for chunks in [whole, encode(&samples, 33), again] {
                assert_eq!(count(&chunks, window).expect("readable"), inside.len() as u64, "{what}");
            }
        };
        let stale = |n: i64| n % 83 == 82;
        check("floats", (0..500).map(|n| (n * 10, Value::Float((n * n % 97) as f64))).collect());
        let of_kind = |make: &dyn Fn(u64) -> Value, marker: Value| -> Vec<(i64, Value)> {
            (0..500).map(|n| (n * 10, if stale(n) { marker.clone() } else { make(n as u64) })).collect()
        };
        check("histograms", of_kind(&|n| histogram(n).into(), Histogram::stale().into()));
        check("float histograms", of_kind(&|n| histogram(n).to_float().into(), FloatHistogram::stale().into()));
        // Whatever the database took a stale marker for.
        let (float, own) = (Value::Float(model::STALE_NAN), Value::from(Histogram::stale()));
        let (one, other) = (of_kind(&|n| histogram(n).into(), float), of_kind(&|n| histogram(n).into(), own));
        let cut = |samples: &[(i64, Value)]| bytes(&recut(encode(samples, 9), TimeRange::ALL).expect("readable"));
        assert!(cut(&one) == cut(&other));
    }

    #[test]
    fn empty_buckets_go_and_resets_are_found_again() {
        let mut wide = histogram(69);
        wide.buckets.positive_spans[0].length += 2;
        wide.positive.extend([-wide.positive.iter().sum::<i64>(), 0]);
        wide.counter_reset = CounterReset::NotReset;
        let chunks =
            recut(encode(&[(1, wide.into()), (2, histogram(70).into())], 1), TimeRange::ALL).expect("readable");
        let buckets = chunks.iter().map(|chunk| match chunk.values().next().expect("readable") {
            Some((_, Value::Histogram(NativeHistogram::Int(histogram)))) => histogram.positive.len(),
            other => panic!("{other:?}"),
        });
        // Of the 69th all seven buckets have something. The 70th begins anew with an empty one, and so a chunk.
        assert_eq!(buckets.collect::<Vec<_>>(), [7, 0]);
    }

    #[test]
    fn of_two_values_at_one_time_the_same_one_stays() {
        let check = |a: Value, b: Value, want: Value| {
            for pair in [[&a, &b], [&b, &a]] {
                let chunks = pair.iter().flat_map(|value| encode(&[(5, (*value).clone())], 1)).collect();
                let kept = recut(chunks, TimeRange::ALL).expect("readable");
                assert_eq!(bytes(&kept), bytes(&encode(&[(5, want.clone())], 1)));
            }
        };
        let float = Value::Float;
        check(float(1.0), float(2.0), float(2.0));
        check(float(model::STALE_NAN), float(2.0), float(2.0));
        check(float(9.0), histogram(5).into(), histogram(5).into());
    }
}
