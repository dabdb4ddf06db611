use model::{
    Buckets, CounterReset, FloatHistogram, Histogram, NativeHistogram, STALE_NAN, Span, TimeRange, Timestamp,
    bucket_deltas,
};

use super::{count, recut};
use crate::chunk::{Chunk, Encoding, Recoder, TimedValue, Value};

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
    let bytes =
        |chunk: &Chunk| (chunk.min_time.as_ms(), chunk.max_time.as_ms(), chunk.encoding.byte(), chunk.data.to_vec());
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
        let want = bytes(&recut(&encode(&samples, usize::MAX), TimeRange::ALL).expect("readable"));
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
            assert!(bytes(&recut(&chunks, TimeRange::ALL).expect("readable")) == want, "{what}, {how}");
        }
        let window = TimeRange::new(Timestamp::from_ms(1000), Timestamp::from_ms(2999));
        let whole = recut(&encode(&samples, 17), window).expect("readable");
        let inside: Vec<_> = samples.iter().filter(|(time, _)| (1000..3000).contains(time)).cloned().collect();
        assert_eq!(bytes(&whole), bytes(&recut(&encode(&inside, 40), TimeRange::ALL).expect("readable")), "{what}");
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
    let (float, own) = (Value::Float(STALE_NAN), Value::from(Histogram::stale()));
    let (one, other) = (of_kind(&|n| histogram(n).into(), float), of_kind(&|n| histogram(n).into(), own));
    let cut = |samples: &[(i64, Value)]| bytes(&recut(&encode(samples, 9), TimeRange::ALL).expect("readable"));
    assert!(cut(&one) == cut(&other));
}

#[test]
fn empty_buckets_go_and_resets_are_found_again() {
    let mut wide = histogram(69);
    wide.buckets.positive_spans[0].length += 2;
    wide.positive.extend([-wide.positive.iter().sum::<i64>(), 0]);
    wide.counter_reset = CounterReset::NotReset;
    let chunks = recut(&encode(&[(1, wide.into()), (2, histogram(70).into())], 1), TimeRange::ALL).expect("readable");
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
            let chunks: Vec<Chunk> = pair.iter().flat_map(|value| encode(&[(5, (*value).clone())], 1)).collect();
            let kept = recut(&chunks, TimeRange::ALL).expect("readable");
            assert_eq!(bytes(&kept), bytes(&encode(&[(5, want.clone())], 1)));
        }
    };
    let float = Value::Float;
    check(float(1.0), float(2.0), float(2.0));
    check(float(STALE_NAN), float(2.0), float(2.0));
    check(float(9.0), histogram(5).into(), histogram(5).into());
}

/// However the samples are cut, and in whatever order the chunks come, what lies in the range is cut in the same way: into chunks of
/// these many samples.
fn check_counts(values: &[(i64, Value)], range: (i64, i64), want_counts: &[usize]) {
    let range = TimeRange::new(Timestamp::from_ms(range.0), Timestamp::from_ms(range.1));
    let want = recut(&encode(values, 1), range).expect("readable");
    assert_eq!(want.iter().map(Chunk::sample_count).collect::<Vec<_>>(), want_counts);
    for per_chunk in [2, 7, 120, 1000] {
        let mut chunks = encode(values, per_chunk);
        chunks.reverse();
        assert_eq!(bytes(&recut(&chunks, range).expect("readable")), bytes(&want), "{per_chunk}");
    }
}

#[test]
fn borders_depend_on_samples_and_range() {
    let floats: Vec<(i64, Value)> = (0..300).map(|at| (at * 10, Value::Float((at * at) as f64))).collect();
    check_counts(&floats, (0, 5000), &[120, 120, 60]);
    check_counts(&floats, (995, 2500), &[120, 31]);
    check_counts(&floats, (5000, 6000), &[]);
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
    check_counts(&integers, (0, 1000), &[100, 100, 50]);
    let floats: Vec<(i64, Value)> = (0..50).map(|at| (at, histogram(at).to_float().into())).collect();
    check_counts(&floats, (0, 1000), &[50]);
}

#[test]
fn starts_are_cut_with_their_samples() {
    let sample = |at: i64| {
        let start = if at % 7 == 0 { 0 } else { at / 50 * 500 - 1 };
        TimedValue { time: at * 10, start, value: Value::Float((at % 3) as f64) }
    };
    let encode = |samples: &mut dyn Iterator<Item = TimedValue>| {
        let mut recoder = Recoder::default();
        samples.for_each(|sample| recoder.push_timed(sample));
        recoder.finish()
    };
    let whole = recut(&encode(&mut (0..300).map(sample)), TimeRange::ALL).expect("readable");
    let shapes: Vec<_> = whole.iter().map(|chunk| (chunk.encoding, chunk.sample_count())).collect();
    assert_eq!(shapes, [(Encoding::Xor, 1), (Encoding::Xor2, 120), (Encoding::Xor2, 120), (Encoding::Xor2, 59)]);
    let mut read = Vec::new();
    super::walk(&whole, TimeRange::ALL, |sample| read.push(sample)).expect("readable");
    assert!(read.into_iter().eq((0..300).map(sample)));
    // Chunks that overlap, of which some don't know the starts.
    let ignorant = |at: i64| TimedValue { start: 0, ..sample(at) };
    let parts =
        [encode(&mut (0..200).map(ignorant)), encode(&mut (0..140).map(sample)), encode(&mut (100..300).map(sample))];
    for parts in [parts.concat(), parts.iter().rev().flatten().cloned().collect()] {
        assert_eq!(bytes(&recut(&parts, TimeRange::ALL).expect("readable")), bytes(&whole));
    }
}
