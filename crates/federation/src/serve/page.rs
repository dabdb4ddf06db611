//! The bytes of an answer, in any of the formats.

use exposition::{ClassicBucket, Dialect, LineWriter, MetricType, classic_buckets, protobuf};
use model::{BUCKET_LABEL, CounterReset, FloatHistogram, METRIC_NAME};

use crate::serve::format::{Format, Kind};

/// The newest sample of a series.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    /// A number, told as one whose kind nobody knows.
    Float(f64),
    /// A native histogram.
    Histogram(&'a FloatHistogram),
}

impl Value<'_> {
    /// Whether it can be told in lines of floats.
    pub(super) fn fits_into_lines(self) -> bool {
        match self {
            Value::Float(_) => true,
            Value::Histogram(histogram) => histogram.buckets.are_custom(),
        }
    }

    /// What is told of the kind.
    fn metric_type(self) -> MetricType {
        match self {
            Value::Float(_) => MetricType::Unknown,
            Value::Histogram(histogram) if histogram.counter_reset == CounterReset::Gauge => MetricType::GaugeHistogram,
            Value::Histogram(_) => MetricType::Histogram,
        }
    }
}

/// Collects an answer in a buffer that is taken away piece by piece.
pub(super) struct Page {
    writer: Writer,
    /// Name and kind of the metrics that are being written.
    family: (String, MetricType),
    outside: Outside,
}

/// The labels that every series gets that doesn't have them.
struct Outside {
    labels: Vec<(String, String)>,
    /// Which of them the last series doesn't have, and their text.
    missing: Vec<bool>,
    text: Vec<u8>,
}

impl Outside {
    fn new(labels: Vec<(String, String)>) -> Self {
        Outside { missing: vec![false; labels.len()], labels, text: Vec::new() }
    }

    /// Finds out which ones a series doesn't have; tells whether they are others than before.
    fn look(&mut self, own: &[(&str, &str)]) -> bool {
        let mut are_others = false;
        for ((name, _), missing) in self.labels.iter().zip(&mut self.missing) {
            let is_missing = own.iter().all(|(own, _)| own != name);
            are_others |= is_missing != *missing;
            *missing = is_missing;
        }
        are_others
    }

    fn missing(&self) -> impl Iterator<Item = (&str, &str)> {
        let missing = self.labels.iter().zip(&self.missing).filter(|(_, missing)| **missing);
        missing.map(|((name, value), _)| (name.as_str(), value.as_str()))
    }
}

enum Writer {
    Lines(LineWriter),
    Protobuf(protobuf::Writer),
}

impl Page {
    /// An empty page; each series gets those of the labels `outside` that it doesn't have.
    pub(super) fn new(format: Format, outside: Vec<(String, String)>) -> Self {
        let writer = match format.kind {
            Kind::Text => Writer::Lines(LineWriter::new(Dialect::Text, format.escaping)),
            Kind::OpenMetrics { .. } => Writer::Lines(LineWriter::new(Dialect::OpenMetrics, format.escaping)),
            Kind::Protobuf => Writer::Protobuf(protobuf::Writer::new(format.escaping)),
        };
        Page { writer, family: (String::new(), MetricType::Unknown), outside: Outside::new(outside) }
    }

    /// The bytes that are waiting to be taken.
    pub(super) fn len(&self) -> usize {
        match &self.writer {
            Writer::Lines(writer) => writer.len(),
            Writer::Protobuf(writer) => writer.len(),
        }
    }

    /// Takes what was written so far.
    pub(super) fn take(&mut self) -> Vec<u8> {
        match &mut self.writer {
            Writer::Lines(writer) => writer.take(),
            Writer::Protobuf(writer) => writer.take(),
        }
    }

    /// Writes what stands at the end of an answer.
    pub(super) fn end(&mut self) {
        if let Writer::Lines(writer) = &mut self.writer {
            writer.end();
        }
    }

    /// Writes a series, its metric before it if it is the first of its name and kind. `same` has a bit for each label that the series
    /// before had at the same place.
    pub(super) fn series(&mut self, labels: &[(&str, &str)], same: u64, value: Value<'_>, time: i64) {
        let name_at = labels.iter().position(|(label, _)| *label == METRIC_NAME);
        let name = name_at.map_or("", |at| labels[at].1);
        let own = || labels.iter().copied().filter(|(label, _)| *label != METRIC_NAME);
        let kind = value.metric_type();
        if self.family.0 != name || self.family.1 != kind {
            name.clone_into(&mut self.family.0);
            self.family.1 = kind;
            match &mut self.writer {
                Writer::Lines(lines) => lines.metric_type(name, kind),
                Writer::Protobuf(writer) => writer.family(name, kind),
            }
        }
        let Page { writer, outside, .. } = self;
        let are_others = outside.look(labels);
        match (writer, value) {
            (Writer::Lines(lines), Value::Float(value)) => {
                if are_others {
                    outside.text = lines.labels(outside.missing());
                }
                // Parts of a line are labels where the name stands before them, as it nearly always does.
                let same = if name_at == Some(0) { same } else { 0 };
                lines.sample_like_last(same, name, own(), &outside.text, value, Some(time));
            }
            (Writer::Lines(lines), Value::Histogram(histogram)) => {
                outside.text = lines.labels(outside.missing());
                write_classic(lines, name, &own().chain(outside.missing()).collect::<Vec<_>>(), histogram, time);
            }
            (Writer::Protobuf(writer), Value::Float(value)) => {
                writer.metric(own().chain(outside.missing()), protobuf::Value::Untyped(value), Some(time));
            }
            (Writer::Protobuf(writer), Value::Histogram(histogram)) => {
                writer.metric(own().chain(outside.missing()), protobuf::Value::Histogram(histogram), Some(time));
            }
        }
    }
}

/// A histogram with listed bounds, as a classic one. No other can be told in lines.
fn write_classic(lines: &mut LineWriter, name: &str, labels: &[(&str, &str)], histogram: &FloatHistogram, time: i64) {
    let bucket_name = format!("{name}_bucket");
    let infinite = ClassicBucket { upper_bound: f64::INFINITY, cumulative_count: histogram.count };
    for ClassicBucket { upper_bound, cumulative_count } in classic_buckets(histogram).chain([infinite]) {
        let bound = lines.bound(upper_bound);
        let le = std::iter::once((BUCKET_LABEL, bound.as_str()));
        lines.sample(&bucket_name, labels.iter().copied().chain(le), cumulative_count, Some(time));
    }
    lines.sample(&format!("{name}_sum"), labels.iter().copied(), histogram.sum, Some(time));
    lines.sample(&format!("{name}_count"), labels.iter().copied(), histogram.count, Some(time));
}
