//! Random histograms come back, and random bytes are refused or read within bounds.

use model::{
    Buckets, CUSTOM_BUCKETS_SCHEMA, CounterReset, FloatHistogram, Histogram, NativeHistogram, Span, TimeRange,
    Timestamp, bucket_deltas, bucket_indexes,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use storage::chunk::{Chunk, Encoding, Recoder, TimedValue, Value};
use storage::{Samples, Series};

/// What happens between a sample and the next.
#[derive(Debug, Clone)]
enum Step {
    /// Observations in buckets; gauges also lose some.
    Observe(Vec<(i64, u32)>),
    Reset {
        told: bool,
    },
    Schema(i32),
    Kind,
    Stale,
    Float(f64),
    Bounds(u8),
}

fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let step = prop_oneof![
        12 => vec((-4..5_i64, 0..2000_u32), 0..4).prop_map(Step::Observe),
        1 => any::<bool>().prop_map(|told| Step::Reset { told }),
        1 => (-4..=8).prop_map(Step::Schema),
        1 => Just(Step::Kind),
        1 => Just(Step::Stale),
        1 => any::<f64>().prop_map(Step::Float),
        1 => any::<u8>().prop_map(Step::Bounds),
    ];
    vec((1..100_000_i64, step), 1..150)
}

/// Absolute counts by index, as spans and counts. Empty buckets are told or left out.
fn side(counts: &std::collections::BTreeMap<i64, i64>, all: bool) -> (Vec<Span>, Vec<i64>) {
    let (mut spans, mut out): (Vec<Span>, Vec<i64>) = (Vec::new(), Vec::new());
    let mut next = 0;
    for (index, count) in counts.iter().filter(|(_, count)| all || **count != 0) {
        match spans.last_mut() {
            Some(span) if *index == next => span.length += 1,
            _ => spans.push(Span { offset: (*index - next) as i32, length: 1 }),
        }
        next = index + 1;
        out.push(*count);
    }
    (spans, out)
}

/// Plays the steps; every sample is valid.
fn play(steps: &[(i64, Step)], floats: bool, start: std::collections::BTreeMap<i64, i64>) -> Vec<(i64, Value)> {
    let mut counts = start;
    let (mut schema, mut gauge, mut time, mut sum) = (0, false, 1_700_000_000_000, 0.0);
    let mut bounds = Vec::new();
    let mut out = Vec::new();
    for (number, (distance, step)) in steps.iter().enumerate() {
        time += distance;
        let mut counter_reset = if gauge { CounterReset::Gauge } else { CounterReset::Unknown };
        match step {
            Step::Observe(observed) => {
                for (index, count) in observed {
                    let bucket = counts.entry(*index).or_default();
                    let count = i64::from(*count);
                    *bucket = if gauge && count % 3 == 0 { (*bucket - count).max(0) } else { *bucket + count };
                    sum += *index as f64 * 0.7;
                }
            }
            Step::Reset { told } => {
                counts.clear();
                if *told && !gauge {
                    counter_reset = CounterReset::Reset;
                }
            }
            Step::Schema(new) => (schema, bounds) = (*new, Vec::new()),
            Step::Kind => gauge = !gauge,
            Step::Stale if floats => {
                out.push((time, FloatHistogram::stale().into()));
                continue;
            }
            Step::Stale => {
                out.push((time, Histogram::stale().into()));
                continue;
            }
            Step::Float(value) => {
                out.push((time, Value::Float(*value)));
                continue;
            }
            Step::Bounds(offset) => {
                schema = CUSTOM_BUCKETS_SCHEMA;
                counts.retain(|index, _| *index >= 0);
                bounds = (0..9_u8).map(|bound| f64::from(bound) * 0.37 + f64::from(*offset)).collect();
            }
        }
        if schema == CUSTOM_BUCKETS_SCHEMA {
            counts.retain(|index, _| *index >= 0);
        }
        let (spans, absolute) = side(&counts, number % 3 == 0);
        let count: i64 = absolute.iter().sum();
        let both = schema != CUSTOM_BUCKETS_SCHEMA && number % 2 == 0;
        let negative_spans = if both { spans.clone() } else { Vec::new() };
        let negative = if both { absolute.clone() } else { Vec::new() };
        let buckets = Buckets {
            schema,
            positive_spans: spans,
            negative_spans,
            custom_values: bounds.clone(),
            zero_threshold: 0.0,
        };
        let integer = Histogram {
            counter_reset,
            buckets,
            zero_count: 0,
            count: count as u64 * if both { 2 } else { 1 },
            sum,
            positive: bucket_deltas(absolute),
            negative: bucket_deltas(negative),
        };
        integer.validate().expect("the steps make valid ones");
        let mut float = integer.to_float();
        float.positive.iter_mut().for_each(|count| *count *= 0.3);
        out.push((time, if floats { float.into() } else { integer.into() }));
    }
    out
}

/// The non-empty buckets and everything else, comparable to the bit.
fn essence(histogram: &FloatHistogram) -> impl PartialEq + std::fmt::Debug + use<> {
    let side = |spans: &[Span], counts: &[f64]| -> Vec<(i64, u64)> {
        let counts = counts.iter().map(|count| count.to_bits());
        bucket_indexes(spans).zip(counts).filter(|(_, count)| *count != 0).collect()
    };
    let FloatHistogram { buckets, zero_count, count, sum, positive, negative, .. } = histogram;
    let numbers = [*zero_count, *count, *sum, buckets.zero_threshold].map(f64::to_bits);
    let sides = (side(&buckets.positive_spans, positive), side(&buckets.negative_spans, negative));
    (buckets.schema, buckets.custom_values.clone(), numbers, sides)
}

fn values_of(chunks: &[Chunk]) -> Vec<(i64, Value)> {
    let mut out = Vec::new();
    for chunk in chunks {
        let (first, mut values) = (out.len(), chunk.values());
        while let Some(sample) = values.next().expect("our own chunk") {
            out.push(sample);
        }
        assert_eq!(out.len() - first, chunk.sample_count());
        assert!((1..=120).contains(&chunk.sample_count()));
        assert_eq!((out[first].0, out[out.len() - 1].0), (chunk.min_time.as_ms(), chunk.max_time.as_ms()));
    }
    out
}

/// Reads a chunk in every way there is; memory stays within what its bytes can tell.
fn read_any(encoding: Encoding, data: &[u8]) -> Result<(), TestCaseError> {
    let time = Timestamp::from_ms(0);
    let chunk = Chunk { min_time: time, max_time: time, encoding, data: data.to_vec().into() };
    let mut samples = Samples::default();
    let _ = chunk.decode(TimeRange::ALL, &mut samples);
    let buckets = samples.histograms.iter().map(|s| s.histogram.positive.len() + s.histogram.negative.len());
    prop_assert!(buckets.sum::<usize>() <= data.len() * 8);
    prop_assert!(samples.len() <= data.len() * 8);
    prop_assert!(samples.starts.len() <= samples.times.len());
    let (mut values, mut recoder, mut last) = (chunk.values(), Recoder::default(), i64::MIN);
    while let Ok(Some(sample)) = values.next_timed() {
        if sample.time > last {
            last = sample.time;
            recoder.push_timed(sample);
        }
    }
    values_of(&recoder.finish());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_samples_come_back(steps in steps(), floats in any::<bool>(), start in btree_map(-9..9_i64, 0..9_i64, 0..9)) {
        let samples = play(&steps, floats, start);
        let mut recoder = Recoder::default();
        samples.iter().for_each(|(time, value)| recoder.push(*time, value.clone()));
        let chunks = recoder.finish();
        let got = values_of(&chunks);
        prop_assert_eq!(got.len(), samples.len());
        for ((time, value), (want_time, want)) in got.iter().zip(&samples) {
            prop_assert_eq!((time, value.encoding()), (want_time, want.encoding()));
            match (value, want) {
                (Value::Float(value), Value::Float(want)) => prop_assert_eq!(value.to_bits(), want.to_bits()),
                (Value::Histogram(value), Value::Histogram(want)) => {
                    prop_assert_eq!(essence(&value.to_float()), essence(&want.to_float()));
                    if let NativeHistogram::Int(histogram) = value && !histogram.is_stale() {
                        prop_assert_eq!(histogram.validate(), Ok(()));
                    }
                }
                _ => prop_assert!(false, "kinds are mixed up"),
            }
        }
        // The columns have the same, and encoding it once more changes no byte but what is known of resets.
        let mut columns = Samples::default();
        Series { labels: model::Labels::empty(), chunks: chunks.clone() }.decode(TimeRange::ALL, &mut columns).expect("valid");
        prop_assert_eq!(columns.len(), samples.len());
        for column in &columns.histograms {
            let found = samples.iter().find(|(time, _)| *time == column.time);
            let Some((_, Value::Histogram(want))) = found else { panic!("no histogram at {}", column.time) };
            prop_assert_eq!(essence(&column.histogram), essence(&want.to_float()));
        }
        for chunk in &chunks {
            let mut again = Recoder::default();
            let mut values = chunk.values();
            while let Some((time, value)) = values.next().expect("valid") {
                again.push(time, value);
            }
            let data: Vec<Vec<u8>> = again.finish().iter().map(|chunk| chunk.data.to_vec()).collect();
            if data.len() == 1 {
                prop_assert_eq!(&data[0][3..], &chunk.data[3..]);
            } else {
                // A gauge's stale marker says no longer that it is a gauge's.
                prop_assert_eq!(chunk.data[2] >> 6, 0b11);
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read_within_bounds(data in vec(any::<u8>(), 0..300)) {
        for encoding in (1..=6).map(|byte| Encoding::from_byte(byte).expect("known")) {
            read_any(encoding, &data)?;
        }
    }

    #[test]
    fn damaged_chunks_are_refused_or_read_within_bounds(
        steps in steps(), floats in any::<bool>(), at in any::<prop::sample::Index>(), flip in 1..=255_u8, cut in any::<prop::sample::Index>(),
        age in 0..3_i64,
    ) {
        let mut recoder = Recoder::default();
        for (time, value) in play(&steps, floats, Default::default()) {
            let start = if age == 0 { 0 } else { time - age * (time % 5) };
            recoder.push_timed(TimedValue { time, start, value });
        }
        for chunk in recoder.finish() {
            let mut data = chunk.data.to_vec();
            data[at.index(chunk.data.len())] ^= flip;
            read_any(chunk.encoding, &data)?;
            data.truncate(cut.index(chunk.data.len()));
            read_any(chunk.encoding, &data)?;
        }
    }
}

#[test]
fn layouts_that_blow_up_are_refused() {
    // Thousands of empty spans take bits once, and would take memory for each of many samples.
    let spans = vec![Span { offset: 0, length: 0 }; 5000];
    let histogram =
        Histogram { buckets: Buckets { positive_spans: spans, ..Buckets::default() }, ..Histogram::default() };
    let mut writer = storage::chunk::histogram::Writer::new(None, 0, &histogram);
    for time in 1..60_000 {
        assert!(writer.push(time, &histogram).is_none());
    }
    let mut samples = Samples::default();
    let error = writer.finish().decode(TimeRange::ALL, &mut samples).expect_err("refused");
    assert_eq!(error.to_string(), "corrupt chunk: its histograms have more than 4194304 spans and bounds together");
    assert!(samples.len() < 1000);
}
