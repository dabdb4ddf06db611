//! The same samples appended by Prometheus's own code and by ours make the same chunks, byte for byte.
//!
//! `data/histogram_chunks.txt` was written by a program around `tsdb/chunkenc` of Prometheus (main branch of August 2026):
//! random counters and gauges, exponential and listed buckets, with buckets that come and go, resets, changed schemas and
//! thresholds, stale markers, and chunks that are cut between two samples. A case is a list of samples and then the chunks.
//!
//! A sample is `i` (integer) or `f` (float), time, counter reset hint, schema, zero threshold, zero count, count, sum, positive
//! and negative spans as offset:length, positive and negative buckets, bounds. Floats are the digits of their bits.
//!
//! `data/start_chunks.txt` was written in the same way around Prometheus 3.14.0. Its chunks have room for start timestamps, and its samples end
//! with one, 0 for none: starts that stay, that are the time of the sample before, that jump, come late or vanish, and wild ones. A sample
//! may also be `x`, a float: time, start, value.

use std::fmt::Debug;
use std::str::FromStr;

use model::{Buckets, CounterReset, FloatHistogram, Histogram, NativeHistogram, Span};
use storage::chunk::{Chunk, Encoding, TimedValue, Value, float_histogram, histogram, xor2};

fn list<T>(text: &str, parse: impl Fn(&str) -> T) -> Vec<T> {
    if text == "-" { Vec::new() } else { text.split(',').map(parse).collect() }
}

fn number<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("a number")
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).expect("hex digits")
}

fn float(text: &str) -> f64 {
    f64::from_bits(hex(text))
}

fn spans(text: &str) -> Vec<Span> {
    list(text, |span| {
        let (offset, length) = span.split_once(':').expect("a span");
        Span { offset: number(offset), length: number(length) }
    })
}

fn sample(line: &str) -> (i64, NativeHistogram) {
    let fields: Vec<&str> = line.split(' ').collect();
    let counter_reset = [CounterReset::Unknown, CounterReset::Reset, CounterReset::NotReset, CounterReset::Gauge]
        [number::<usize>(fields[2])];
    let buckets = Buckets {
        schema: number(fields[3]),
        zero_threshold: float(fields[4]),
        positive_spans: spans(fields[8]),
        negative_spans: spans(fields[9]),
        custom_values: list(fields[12], float),
    };
    let sum = float(fields[7]);
    let histogram = match fields[0] {
        "i" => NativeHistogram::from(Histogram {
            counter_reset,
            buckets,
            zero_count: hex(fields[5]),
            count: hex(fields[6]),
            sum,
            positive: list(fields[10], number),
            negative: list(fields[11], number),
        }),
        _ => NativeHistogram::from(FloatHistogram {
            counter_reset,
            buckets,
            zero_count: float(fields[5]),
            count: float(fields[6]),
            sum,
            positive: list(fields[10], float),
            negative: list(fields[11], float),
        }),
    };
    (number(fields[1]), histogram)
}

/// The start timestamp at the end of a histogram's line.
fn start(line: &str) -> Option<i64> {
    line.split(' ').nth(13).map(number)
}

/// Appends as a head does: a chunk goes on until it can't or until it is cut.
macro_rules! chunks {
    ($module:ident, $kind:path, $lines:expr) => {{
        let mut done: Vec<Chunk> = Vec::new();
        let mut open: Option<$module::Writer> = None;
        let mut cut = false;
        for line in $lines {
            if *line == "cut" {
                cut = true;
                continue;
            }
            let (time, $kind(histogram)) = sample(line) else { panic!("a case has one kind") };
            histogram.validate().expect("valid, or a stale marker");
            let next = match (&mut open, start(line)) {
                (Some(open), None) if !std::mem::take(&mut cut) => open.push(time, &histogram),
                (Some(open), Some(start)) => open.push_started(time, start, &histogram),
                (open, None) => Some($module::Writer::new(open.as_ref(), time, &histogram)),
                (None, Some(start)) => Some($module::Writer::with_starts(None, time, start, &histogram)),
            };
            if let Some(next) = next {
                done.extend(open.replace(next).map($module::Writer::finish));
            }
            assert!(open.as_ref().is_some_and(|open| open.ends_with(&histogram) && open.last_time() == time));
        }
        done.extend(open.map($module::Writer::finish));
        done
    }};
}

/// What is read is what was appended: the same times and counts, with buckets of the chunk.
fn check_values(chunks: &[Chunk], lines: &[&str]) {
    let mut want = lines.iter().filter(|line| **line != "cut").map(|line| {
        let (time, histogram) = sample(line);
        (time, histogram, start(line).unwrap_or(0))
    });
    for chunk in chunks {
        let mut values = chunk.values();
        while let Some(sample) = values.next_timed().expect("our own chunk") {
            let TimedValue { time, start: got_start, value } = sample;
            let (want_time, mut want, want_start) = want.next().expect("not more than appended");
            assert_eq!(got_start, want_start);
            let Value::Histogram(got) = value else { panic!("a histogram chunk holds histograms") };
            assert_eq!(time, want_time);
            if want.is_stale() {
                assert!(got.is_stale());
                continue;
            }
            let (mut got, want) = (got.to_float(), &mut want);
            let want = want.to_float();
            let nonzero = |spans: &[Span], counts: &[f64]| -> Vec<(i64, u64)> {
                let counts = counts.iter().map(|count| count.to_bits());
                model::bucket_indexes(spans).zip(counts).filter(|(_, count)| *count != 0).collect()
            };
            assert_eq!(
                nonzero(&got.buckets.positive_spans, &got.positive),
                nonzero(&want.buckets.positive_spans, &want.positive)
            );
            assert_eq!(
                nonzero(&got.buckets.negative_spans, &got.negative),
                nonzero(&want.buckets.negative_spans, &want.negative)
            );
            // And everything else is the same.
            (got.positive, got.negative) = (want.positive.clone(), want.negative.clone());
            got.buckets.positive_spans.clone_from(&want.buckets.positive_spans);
            got.buckets.negative_spans.clone_from(&want.buckets.negative_spans);
            assert!(got.same_as(&want), "{got:?} {want:?}");
        }
    }
    assert!(want.next().is_none());
}

/// The chunk of floats with start timestamps, which has them as they were appended.
fn float_chunks(lines: &[&str]) -> Vec<Chunk> {
    let mut writer = xor2::Writer::default();
    let mut samples = Vec::new();
    for line in lines {
        let [_, time, start, value] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let (time, start, value) = (number(time), number(start), float(value));
        assert!(writer.push(time, start, value));
        samples.push((time, start, value.to_bits()));
    }
    let chunk = writer.finish().expect("not empty");
    let (mut read, mut values) = (Vec::new(), chunk.values());
    while let Some(TimedValue { time, start, value: Value::Float(value) }) = values.next_timed().expect("our own") {
        read.push((time, start, value.to_bits()));
    }
    assert_eq!(read, samples);
    vec![chunk]
}

/// Checks all cases; the answer is how many there are of each kind.
fn check(data: &str) -> Vec<(Encoding, usize)> {
    let mut kinds: Vec<(Encoding, usize)> = Vec::new();
    for case in data.split("case ").filter(|case| !case.is_empty()) {
        let (name, body) = case.split_once('\n').expect("a case");
        let (want, lines): (Vec<&str>, Vec<&str>) = body.lines().partition(|line| line.starts_with("chunk "));
        let chunks = match lines[0].as_bytes()[0] {
            b'i' => chunks!(histogram, NativeHistogram::Int, &lines),
            b'f' => chunks!(float_histogram, NativeHistogram::Float, &lines),
            _ => float_chunks(&lines),
        };
        let encoding = chunks[0].encoding;
        match kinds.iter_mut().find(|(kind, _)| *kind == encoding) {
            Some((_, count)) => *count += 1,
            None => kinds.push((encoding, 1)),
        }
        if !encoding.is_of_floats() {
            check_values(&chunks, &lines);
        }
        let got: Vec<String> = chunks.iter().map(|chunk| format!("chunk {:x}", chunk.data)).collect();
        for (number, (got, want)) in got.iter().zip(&want).enumerate() {
            assert_eq!(got, want, "case {name}, chunk {number}");
        }
        assert_eq!(got.len(), want.len(), "case {name}");
        let samples: usize = chunks.iter().map(Chunk::sample_count).sum();
        assert_eq!(samples, lines.iter().filter(|line| **line != "cut").count(), "case {name}");
    }
    kinds
}

fn data(variable: &str, own: &str) -> String {
    std::env::var(variable).map_or(own.to_owned(), |path| std::fs::read_to_string(path).expect("data"))
}

#[test]
fn chunks_are_prometheus_s() {
    let kinds = check(&data("HISTOGRAM_CHUNKS", include_str!("data/histogram_chunks.txt")));
    assert!(kinds.len() == 2 && kinds.iter().all(|(_, cases)| *cases > 3), "{kinds:?}");
}

#[test]
fn chunks_with_starts_are_prometheus_s() {
    let kinds = check(&data("START_CHUNKS", include_str!("data/start_chunks.txt")));
    assert!(kinds.len() == 3 && kinds.iter().all(|(_, cases)| *cases > 3), "{kinds:?}");
}
