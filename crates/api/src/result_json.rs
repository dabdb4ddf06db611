//! Query results as Prometheus's JSON, written straight into bytes: this is most of what a dashboard downloads.

use model::{Labels, Timestamp, format_json_float};
use promql::{QueryResult, Value};
use storage::Samples;

/// The whole envelope of a successful query, with at most `limit` series (0: all of them).
pub(crate) fn encode(result: &QueryResult, limit: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(br#"{"status":"success","data":{"resultType":""#);
    let truncated = push_value(&mut out, &result.value, limit);
    out.extend_from_slice(b"}");
    let mut warnings = result.warnings.clone();
    if truncated {
        warnings.push("results truncated due to limit".to_owned());
    }
    push_strings(&mut out, "warnings", &warnings);
    push_strings(&mut out, "infos", &result.infos);
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
                out.extend_from_slice(br#","value":"#);
                push_point(out, sample.time, sample.value);
            });
            out.push(b']');
            truncated
        }
        Value::Matrix(series) => {
            out.extend_from_slice(br#"matrix","result":["#);
            let truncated = push_list(out, series, limit, |out, one| {
                push_metric(out, &one.labels);
                out.extend_from_slice(br#","values":["#);
                push_points(out, &one.samples);
                out.push(b']');
            });
            out.push(b']');
            truncated
        }
    }
}

/// Writes `{…},{…}`; tells whether the limit cut something off.
fn push_list<T>(out: &mut Vec<u8>, items: &[T], limit: usize, push: impl Fn(&mut Vec<u8>, &T)) -> bool {
    let shown = if limit == 0 { items.len() } else { limit.min(items.len()) };
    for (i, item) in items[..shown].iter().enumerate() {
        out.extend_from_slice(if i == 0 { b"{" } else { b",{" });
        push(out, item);
        out.push(b'}');
    }
    shown < items.len()
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

fn push_points(out: &mut Vec<u8>, samples: &Samples) {
    for (i, sample) in samples.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        push_point(out, sample.time, sample.value);
    }
}

fn push_point(out: &mut Vec<u8>, time: Timestamp, value: f64) {
    out.push(b'[');
    push_time(out, time);
    out.extend_from_slice(b",\"");
    out.extend_from_slice(format_json_float(value).as_bytes());
    out.extend_from_slice(b"\"]");
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

fn push_strings(out: &mut Vec<u8>, key: &str, texts: &[String]) {
    if !texts.is_empty() {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":");
        serde_json::to_writer(out, texts).expect("strings serialise into memory");
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
    fn escapes_what_json_needs_escaped() {
        let check = |text: &str| {
            let mut out = Vec::new();
            push_string(&mut out, text);
            assert_eq!(serde_json::from_slice::<String>(&out).ok().as_deref(), Some(text));
        };
        ["", "plain", "größe", "a\"b\\c\n\u{1}"].into_iter().for_each(check);
    }
}
