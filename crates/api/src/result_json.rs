//! Query results as Prometheus's JSON, written straight into bytes: this is most of what a dashboard downloads.

use std::thread;

use model::{FloatHistogram, Labels, Timestamp, write_json_float};
use promql::{MatrixSeries, QueryResult, Value};
use serde::Serialize;
use storage::Samples;

use crate::explain_json::ExplainJson;
use crate::query_stats::QueryStatsJson;

/// So many points are written by one thread.
const POINTS_ALONE: usize = 8 << 10;
/// About so many bytes a point takes, and a series' labels.
const POINT_BYTES: usize = 28;
const METRIC_BYTES: usize = 200;

/// The whole envelope of a successful query, with at most `limit` series (0: all of them), with its stats if they are wanted, and with its
/// explanation if it has one.
pub(crate) fn encode(result: &QueryResult, limit: usize, stats: Option<&QueryStatsJson>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(br#"{"status":"success","data":{"resultType":""#);
    let truncated = push_value(&mut out, &result.value, limit);
    push_part(&mut out, "stats", stats);
    push_part(&mut out, "explain", result.explanation.as_ref().map(ExplainJson));
    out.extend_from_slice(b"}");
    let mut warnings = result.warnings.clone();
    if truncated {
        warnings.push("results truncated due to limit".to_owned());
    }
    push_part(&mut out, "warnings", Some(&warnings).filter(|texts| !texts.is_empty()));
    push_part(&mut out, "infos", Some(&result.infos).filter(|texts| !texts.is_empty()));
    out.push(b'}');
    out
}

fn push_value(out: &mut Vec<u8>, value: &Value, limit: usize) -> bool {
    match value {
        Value::Scalar(sample) => {
            out.extend_from_slice(br#"scalar","result":"#);
            push_point(out, sample.time, sample.value);
            false
        }
        Value::String(time, text) => {
            out.extend_from_slice(br#"string","result":["#);
            push_time(out, *time);
            out.push(b',');
            push_string(out, text);
            out.push(b']');
            false
        }
        Value::Vector(samples) => {
            out.extend_from_slice(br#"vector","result":["#);
            let truncated = push_list(out, samples, limit, |out, sample| {
                push_metric(out, &sample.labels);
                match &sample.histogram {
                    None => {
                        out.extend_from_slice(br#","value":"#);
                        push_point(out, sample.time, sample.value);
                    }
                    Some(histogram) => {
                        out.extend_from_slice(br#","histogram":"#);
                        push_histogram_point(out, sample.time, histogram);
                    }
                }
            });
            out.push(b']');
            truncated
        }
        Value::Matrix(series) => {
            out.extend_from_slice(br#"matrix","result":["#);
            let shown = shown(series, limit);
            push_matrix(out, shown);
            out.push(b']');
            shown.len() < series.len()
        }
    }
}

/// Writes `{…},{…}`; tells whether the limit cut something off.
fn push_list<T>(out: &mut Vec<u8>, items: &[T], limit: usize, push: impl Fn(&mut Vec<u8>, &T)) -> bool {
    let shown = shown(items, limit);
    for (i, item) in shown.iter().enumerate() {
        out.extend_from_slice(if i == 0 { b"{" } else { b",{" });
        push(out, item);
        out.push(b'}');
    }
    shown.len() < items.len()
}

/// As many items as the limit allows.
fn shown<T>(items: &[T], limit: usize) -> &[T] {
    if limit == 0 { items } else { &items[..limit.min(items.len())] }
}

/// Writes `{…},{…}`, the halves of much at the same time.
fn push_matrix(out: &mut Vec<u8>, series: &[MatrixSeries]) {
    let points: usize = series.iter().map(|one| one.samples.len()).sum();
    out.reserve(points * POINT_BYTES + series.len() * METRIC_BYTES);
    if points < POINTS_ALONE {
        return push_series(out, series);
    }
    let mut first = 0;
    let middle = series.iter().position(|one| {
        first += one.samples.len();
        first >= points / 2
    });
    let (here, there) = series.split_at(middle.map_or(series.len(), |at| at + 1));
    thread::scope(|scope| {
        let there = scope.spawn(|| {
            let mut out = Vec::with_capacity(points / 2 * POINT_BYTES + there.len() * METRIC_BYTES);
            push_series(&mut out, there);
            out
        });
        push_series(out, here);
        let there = there.join().expect("writing into memory doesn't panic");
        if !there.is_empty() {
            out.push(b',');
            out.extend_from_slice(&there);
        }
    });
}

fn push_series(out: &mut Vec<u8>, series: &[MatrixSeries]) {
    push_list(out, series, 0, |out, one| {
        push_metric(out, &one.labels);
        push_points(out, &one.samples);
    });
}

fn push_metric(out: &mut Vec<u8>, labels: &Labels) {
    out.extend_from_slice(br#""metric":{"#);
    for (i, (name, value)) in labels.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        push_string(out, name);
        out.push(b':');
        push_string(out, value);
    }
    out.push(b'}');
}

/// `,"values":[…]`, `,"histograms":[…]`, or both.
fn push_points(out: &mut Vec<u8>, samples: &Samples) {
    if !samples.times.is_empty() {
        out.extend_from_slice(br#","values":["#);
        for (i, sample) in samples.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            push_point(out, sample.time, sample.value);
        }
        out.push(b']');
    }
    if !samples.histograms.is_empty() {
        out.extend_from_slice(br#","histograms":["#);
        for (i, sample) in samples.histograms.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            push_histogram_point(out, Timestamp::from_ms(sample.time), &sample.histogram);
        }
        out.push(b']');
    }
}

fn push_histogram_point(out: &mut Vec<u8>, time: Timestamp, histogram: &FloatHistogram) {
    out.push(b'[');
    push_time(out, time);
    out.push(b',');
    push_histogram(out, histogram);
    out.push(b']');
}

/// Count, sum and the buckets that have observations: which of their bounds belong to them (0: the upper one, 1: the lower one, 2:
/// neither, 3: both), the bounds, the count.
fn push_histogram(out: &mut Vec<u8>, histogram: &FloatHistogram) {
    out.extend_from_slice(br#"{"count":"#);
    push_float(out, histogram.count);
    out.extend_from_slice(br#","sum":"#);
    push_float(out, histogram.sum);
    let filled = histogram.ascending_buckets().into_iter().filter(|bucket| bucket.count != 0.0);
    let mut any = false;
    for bucket in filled {
        out.extend_from_slice(if any { b",[" } else { br#","buckets":[["# });
        any = true;
        out.push(match (bucket.lower_inclusive, bucket.upper_inclusive) {
            (false, true) => b'0',
            (true, false) => b'1',
            (false, false) => b'2',
            (true, true) => b'3',
        });
        for number in [bucket.lower, bucket.upper, bucket.count] {
            out.push(b',');
            push_float(out, number);
        }
        out.push(b']');
    }
    out.extend_from_slice(if any { b"]}" } else { b"}" });
}

fn push_float(out: &mut Vec<u8>, value: f64) {
    out.push(b'"');
    write_json_float(out, value);
    out.push(b'"');
}

fn push_point(out: &mut Vec<u8>, time: Timestamp, value: f64) {
    out.push(b'[');
    push_time(out, time);
    out.push(b',');
    push_float(out, value);
    out.push(b']');
}

/// Seconds with as many of three decimals as are not zero, as Prometheus writes them.
fn push_time(out: &mut Vec<u8>, time: Timestamp) {
    let ms = time.as_ms();
    if ms < 0 {
        out.push(b'-');
    }
    let ms = ms.unsigned_abs();
    out.extend_from_slice(itoa::Buffer::new().format(ms / 1000).as_bytes());
    let fraction = ms % 1000;
    if fraction > 0 {
        let digits = [b'0' + (fraction / 100) as u8, b'0' + (fraction / 10 % 10) as u8, b'0' + (fraction % 10) as u8];
        out.push(b'.');
        out.extend_from_slice(&digits);
    }
}

fn push_string(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        serde_json::to_writer(out, text).expect("a string serialises into memory");
    }
}

/// `,"key":…`, if there is something to write.
fn push_part(out: &mut Vec<u8>, key: &str, part: Option<impl Serialize>) {
    if let Some(part) = part {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":");
        serde_json::to_writer(out, &part).expect("our own types serialise into memory");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_times_as_prometheus_does() {
        let check = |ms: i64, want: &str| {
            let mut out = Vec::new();
            push_time(&mut out, Timestamp::from_ms(ms));
            assert_eq!(String::from_utf8_lossy(&out), want);
        };
        check(0, "0");
        check(1_700_000_000_000, "1700000000");
        check(1_700_000_000_100, "1700000000.100");
        check(1_700_000_000_007, "1700000000.007");
        check(-1500, "-1.500");
    }

    #[test]
    fn much_is_written_as_little_is() {
        let series = |at: usize, points: usize| {
            let times = (0..points as i64).map(|at| at * 15_000).collect();
            let values = (0..points).map(|point| (point * at) as f64 / 7.0).collect();
            let labels = Labels::from_pairs([("at", at.to_string())]);
            MatrixSeries { labels, samples: Samples::of_floats(times, values) }
        };
        for lengths in [&[POINTS_ALONE, 3, 5][..], &[3, 5, POINTS_ALONE], &[POINTS_ALONE; 4], &[2 * POINTS_ALONE], &[]]
        {
            let matrix: Vec<_> = lengths.iter().enumerate().map(|(at, points)| series(at, *points)).collect();
            let (mut at_once, mut alone) = (Vec::new(), Vec::new());
            push_matrix(&mut at_once, &matrix);
            push_series(&mut alone, &matrix);
            assert!(at_once == alone, "{lengths:?}");
        }
    }

    #[test]
    fn escapes_what_json_needs_escaped() {
        let check = |text: &str| {
            let mut out = Vec::new();
            push_string(&mut out, text);
            assert_eq!(serde_json::from_slice::<String>(&out).ok().as_deref(), Some(text));
        };
        ["", "plain", "größe", "a\"b\\c\n\u{1}"].into_iter().for_each(check);
    }

    #[test]
    fn writes_histograms_as_prometheus_does() {
        let spans = |offset, length| vec![model::Span { offset, length }];
        let buckets = model::Buckets {
            zero_threshold: 0.25,
            positive_spans: spans(0, 4),
            negative_spans: spans(0, 1),
            ..model::Buckets::default()
        };
        let histogram = FloatHistogram {
            buckets,
            zero_count: 3.0,
            count: 42.5,
            sum: 34593.34,
            positive: vec![12.0, 21.0, 0.0, 6.0],
            negative: vec![0.5],
            ..FloatHistogram::default()
        };
        let check = |samples: Samples, want: &str| {
            let mut out = Vec::new();
            push_points(&mut out, &samples);
            assert_eq!(String::from_utf8_lossy(&out), want);
        };
        let mut samples = Samples::of_floats(vec![1000], vec![7.0]);
        check(samples.clone(), r#","values":[[1,"7"]]"#);
        samples.push_histogram(2500, FloatHistogram::default());
        samples.push_histogram(3000, histogram);
        let buckets =
            r#"[1,"-1","-0.5","0.5"],[3,"-0.25","0.25","3"],[0,"0.5","1","12"],[0,"1","2","21"],[0,"4","8","6"]"#;
        let empty = r#"[2.500,{"count":"0","sum":"0"}]"#;
        let whole = format!(r#"[3,{{"count":"42.5","sum":"34593.34","buckets":[{buckets}]}}]"#);
        check(samples, &format!(r#","values":[[1,"7"]],"histograms":[{empty},{whole}]"#));
    }
}
