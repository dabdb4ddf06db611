//! The worked examples of `docs/format/chunks.md` are what we write and what we read.

use model::{Buckets, CounterReset, FloatHistogram, Histogram, STALE_NAN, Span};
use storage::chunk::{Chunk, Encoding, Recoder, TimedValue, Value};

/// The bytes of an example: bits, or hexadecimal digits behind an `x`, up to the semicolon of each line.
fn bytes(block: &str) -> Vec<u8> {
    let mut bits = String::new();
    for word in block.lines().flat_map(|line| line.split(';').next().unwrap_or("").split_whitespace()) {
        match word.strip_prefix('x') {
            Some(digits) => {
                for digit in digits.chars() {
                    bits += &format!("{:04b}", digit.to_digit(16).expect("a hexadecimal digit"));
                }
            }
            None => bits += word,
        }
    }
    let byte = |bits: &[u8]| {
        let bits = std::str::from_utf8(bits).expect("digits");
        u8::from_str_radix(&format!("{bits:0<8}"), 2).expect("bits")
    };
    bits.as_bytes().chunks(8).map(byte).collect()
}

fn shape(schema: i32, offset: i32, length: u32) -> Buckets {
    Buckets { schema, positive_spans: vec![Span { offset, length }], ..Buckets::default() }
}

#[test]
fn chunks_md() {
    let integer = |counter_reset, count, positive| Histogram {
        counter_reset,
        buckets: shape(0, 0, 2),
        zero_count: 1,
        count,
        sum: 1.5,
        positive,
        ..Histogram::default()
    };
    let float = |count| FloatHistogram {
        counter_reset: CounterReset::Gauge,
        buckets: Buckets { zero_threshold: 2_f64.powi(-128), ..shape(0, -1, 1) },
        count,
        sum: 1.5,
        positive: vec![count],
        ..FloatHistogram::default()
    };
    let listed = Histogram {
        buckets: Buckets { custom_values: vec![0.0001, 0.5, 1.0], ..shape(-53, 2, 1) },
        count: 1,
        sum: 0.5,
        positive: vec![1],
        ..Histogram::default()
    };
    let counted = || {
        [integer(CounterReset::Unknown, 3, vec![1, 0]).into(), integer(CounterReset::NotReset, 5, vec![1, 2]).into()]
    };
    let timed = |values: Vec<Value>, starts: &[i64]| -> Vec<TimedValue> {
        let times = [1000, 1015, 1030, 1046];
        let values = values.into_iter().zip(times).enumerate();
        values
            .map(|(at, (value, time))| TimedValue { time, start: starts.get(at).copied().unwrap_or(0), value })
            .collect()
    };
    let floats = [1.5, 1.5, 2.0, STALE_NAN].map(Value::Float).to_vec();
    let examples = [
        (Encoding::Histogram, timed(counted().into(), &[])),
        (Encoding::FloatHistogram, timed(vec![float(2.5).into(), float(3.0).into()], &[])),
        (Encoding::Histogram, timed(vec![listed.into(), Histogram::stale().into()], &[])),
        (Encoding::Xor2, timed(floats, &[900, 900, 1015, 1030])),
        (Encoding::HistogramStarts, timed(counted().into(), &[900, 1000])),
    ];
    let document = include_str!("../../../../docs/format/chunks.md");
    let blocks: Vec<Vec<u8>> =
        document.split("```bits\n").skip(1).map(|rest| bytes(rest.split("```").next().expect("text"))).collect();
    assert_eq!(blocks.len(), examples.len());
    for ((encoding, samples), want) in examples.into_iter().zip(blocks) {
        let mut recoder = Recoder::default();
        samples.iter().for_each(|sample| recoder.push_timed(sample.clone()));
        let chunks = recoder.finish();
        assert_eq!((chunks.len(), chunks[0].encoding), (1, encoding));
        assert_eq!(format!("{:x}", chunks[0].data), format!("{:x}", bytes::Bytes::from(want.clone())));
        let chunk = Chunk { data: want.into(), ..chunks[0].clone() };
        let mut values = chunk.values();
        for sample in samples {
            let read = values.next_timed().expect("valid").expect("as many samples");
            assert_eq!((read.time, read.start), (sample.time, sample.start));
            assert!(read.value.same_as(&sample.value), "{read:?} {sample:?}");
            if let (Value::Histogram(read), Value::Histogram(value)) = (read.value, sample.value) {
                assert_eq!(read.counter_reset(), value.counter_reset());
            }
        }
        assert_eq!(values.next(), Ok(None));
    }
}
