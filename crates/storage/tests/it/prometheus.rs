//! The same histograms appended by Prometheus's own code and by ours make the same chunks, byte for byte.
//!
//! `data/histogram_chunks.txt` was written by a program around `tsdb/chunkenc` of Prometheus (main branch of August 2026):
//! random counters and gauges, exponential and listed buckets, with buckets that come and go, resets, changed schemas and
//! thresholds, stale markers, and chunks that are cut between two samples. A case is a list of samples and then the chunks.
//!
//! A sample is `i` (integer) or `f` (float), time, counter reset hint, schema, zero threshold, zero count, count, sum, positive
//! and negative spans as offset:length, positive and negative buckets, bounds. Floats are the digits of their bits.

use std::fmt::Debug;
use std::str::FromStr;

use model::{Buckets, CounterReset, FloatHistogram, Histogram, NativeHistogram, Span};
use storage::chunk::{Chunk, Encoding, Value, float_histogram, histogram};

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
            let next = match &mut open {
                Some(open) if !std::mem::take(&mut cut) => open.push(time, &histogram),
                open => Some($module::Writer::new(open.as_ref(), time, &histogram)),
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
    let mut want = lines.iter().filter(|line| **line != "cut").map(|line| sample(line));
    for chunk in chunks {
        let mut values = chunk.values();
        while let Some((time, value)) = values.next().expect("our own chunk") {
            let (want_time, mut want) = want.next().expect("not more than appended");
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

#[test]
fn chunks_are_prometheus_s() {
    let data = std::env::var("HISTOGRAM_CHUNKS").ok().map(|path| std::fs::read_to_string(path).expect("data"));
    let data = data.as_deref().unwrap_or(include_str!("data/histogram_chunks.txt"));
    let mut kinds = [0, 0];
    for case in data.split("case ").filter(|case| !case.is_empty()) {
        let (name, body) = case.split_once('\n').expect("a case");
        let (want, lines): (Vec<&str>, Vec<&str>) = body.lines().partition(|line| line.starts_with("chunk "));
        let chunks = match lines[0].starts_with('i') {
            true => chunks!(histogram, NativeHistogram::Int, &lines),
            false => chunks!(float_histogram, NativeHistogram::Float, &lines),
        };
        kinds[usize::from(chunks[0].encoding == Encoding::FloatHistogram)] += 1;
        check_values(&chunks, &lines);
        let got: Vec<String> = chunks.iter().map(|chunk| format!("chunk {:x}", chunk.data)).collect();
        for (number, (got, want)) in got.iter().zip(&want).enumerate() {
            assert_eq!(got, want, "case {name}, chunk {number}");
        }
        assert_eq!(got.len(), want.len(), "case {name}");
    }
    assert!(kinds.iter().all(|cases| *cases > 3), "{kinds:?}");
}
