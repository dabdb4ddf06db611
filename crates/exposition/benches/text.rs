//! Bytes per second of the parsers, on 100,000 lines of 180 bytes as a well-labelled service shows them: `cut` finds
//! series and value of every line, which is a scrape of known series; `labels` parses every series as well, which is
//! the first scrape of a target; `openmetrics` is `cut` of the same lines by the other parser; `protobuf` finds labels and value of
//! the same series in its own, shorter form; `written` is the writer of `/federate`. `cargo bench -p exposition`

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::time::Instant;

use exposition::text::{Entry, Parser};
use exposition::{Dialect, Escaping, LineWriter, openmetrics, protobuf};
use model::{Labels, LabelsScratch, METRIC_NAME, MetricType};

const LINES: usize = 100_000;
const ROUNDS: usize = 15;

fn exposition(escapes: bool) -> String {
    let mut text = String::new();
    for i in 0..LINES {
        if i % 500 == 0 {
            let _ = write!(text, "# HELP http_requests_{i} Requests.\n# TYPE http_requests_{i} counter\n");
        }
        let escape = if escapes { "\\\\" } else { "" };
        let _ = writeln!(
            text,
            "http_request_duration_seconds_bucket{{le=\"{le}\",method=\"GET\",path=\"/api/v1/items/{escape}{path}\",status=\"200\",\
             service=\"checkout\",zone=\"eu-central-1a\",pod=\"checkout-7d9f8b6c5-{pod:05x}\"}} {value}",
            le = i % 17,
            path = i % 211,
            pod = i,
            value = if i % 2 == 0 { format!("{}", i * 7919) } else { format!("{:.6}", i as f64 * 0.731_57) },
        );
    }
    text
}

/// The best of several rounds, in GB/s.
fn measure(text: &str, labels: bool) -> f64 {
    let mut scratch = LabelsScratch::default();
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut sum = 0.0;
        for entry in Parser::new(black_box(text.as_bytes())) {
            if let Ok(Entry::Sample(line)) = entry {
                sum += line.value + line.series.len() as f64;
                if labels {
                    assert!(line.labels(&mut scratch).is_ok());
                }
            }
        }
        black_box(sum);
        best = best.min(start.elapsed().as_secs_f64());
    }
    text.len() as f64 / best / 1e9
}

/// The best of several rounds, in GB/s.
fn measure_openmetrics(text: &str) -> f64 {
    let text = format!("{text}# EOF\n");
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut sum = 0.0;
        for entry in openmetrics::Parser::new(black_box(text.as_bytes())) {
            match entry {
                Ok(openmetrics::Entry::Sample(line)) => sum += line.value + line.series.len() as f64,
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
        black_box(sum);
        best = best.min(start.elapsed().as_secs_f64());
    }
    text.len() as f64 / best / 1e9
}

/// The series of a text with their values.
fn samples_of(text: &str) -> Vec<(Labels, f64)> {
    let mut scratch = LabelsScratch::default();
    let mut samples = Vec::new();
    for entry in Parser::new(text.as_bytes()) {
        if let Ok(Entry::Sample(line)) = entry
            && line.labels(&mut scratch).is_ok()
        {
            samples.push((scratch.build(), line.value));
        }
    }
    samples
}

/// The best of several rounds, in GB/s of protocol buffers and in millions of series a second.
fn measure_protobuf(samples: &[(Labels, f64)]) -> (f64, f64) {
    let mut writer = protobuf::Writer::new(Escaping::AllowUtf8);
    writer.family("http_request_duration_seconds", MetricType::Unknown);
    for (labels, value) in samples {
        let others = labels.iter().filter(|(label, _)| *label != METRIC_NAME);
        writer.metric(others, protobuf::Value::Untyped(*value), None);
    }
    let input = writer.take();
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut sum = 0.0;
        for family in protobuf::Parser::new(black_box(&input)) {
            for metric in family.expect("good").metrics() {
                let metric = metric.expect("good");
                if let Ok(protobuf::Content::Number { value, .. }) = metric.content() {
                    sum += value + metric.label_bytes().len() as f64;
                }
            }
        }
        black_box(sum);
        best = best.min(start.elapsed().as_secs_f64());
    }
    (input.len() as f64 / best / 1e9, samples.len() as f64 / best / 1e6)
}

/// The best of several rounds of writing the lines that were read, in GB/s of what is written.
fn measure_write(samples: &[(Labels, f64)]) -> f64 {
    let (mut best, mut bytes) = (f64::MAX, 0);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut writer = LineWriter::new(Dialect::Text, Escaping::Underscores);
        bytes = 0;
        for (labels, value) in samples {
            let name = labels.get(METRIC_NAME).unwrap_or_default();
            let others = labels.iter().filter(|(label, _)| *label != METRIC_NAME);
            writer.sample(name, others, *value, Some(1_700_000_000_123));
            if writer.len() > 32 << 10 {
                bytes += black_box(writer.take()).len();
            }
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    bytes as f64 / best / 1e9
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for (name, escapes) in [("plain lines", false), ("lines with an escape", true)] {
        let text = exposition(escapes);
        let (cut, labels, openmetrics) = (measure(&text, false), measure(&text, true), measure_openmetrics(&text));
        let samples = samples_of(&text);
        let (written, (protobuf, series)) = (measure_write(&samples), measure_protobuf(&samples));
        let line_bytes = text.len() / LINES;
        writeln!(
            out,
            "{name}: {line_bytes} bytes a line, cut {cut:.2} GB/s, with labels {labels:.2} GB/s, openmetrics {openmetrics:.2} GB/s, \
             protobuf {protobuf:.2} GB/s ({series:.1} million series/s), written {written:.2} GB/s"
        )?;
    }
    Ok(())
}
