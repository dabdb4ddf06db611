//! The bytes of an answer, in any of the formats.

use exposition::{ClassicBucket, MetricType, classic_buckets, openmetrics, protobuf, text};
use model::{BUCKET_LABEL, CounterReset, FloatHistogram, write_float};

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
}

enum Writer {
    Lines(Lines),
    Protobuf(protobuf::Writer),
}

/// The formats that are text.
enum Lines {
    Text(text::Writer),
    OpenMetrics(openmetrics::Writer),
}

impl Page {
    pub(super) fn new(format: Format) -> Self {
        let writer = match format.kind {
            Kind::Text => Writer::Lines(Lines::Text(text::Writer::new(format.escaping))),
            Kind::OpenMetrics { .. } => Writer::Lines(Lines::OpenMetrics(openmetrics::Writer::new(format.escaping))),
            Kind::Protobuf => Writer::Protobuf(protobuf::Writer::new(format.escaping)),
        };
        Page { writer, family: (String::new(), MetricType::Unknown) }
    }

    /// The bytes that are waiting to be taken.
    pub(super) fn len(&self) -> usize {
        match &self.writer {
            Writer::Lines(Lines::Text(writer)) => writer.len(),
            Writer::Lines(Lines::OpenMetrics(writer)) => writer.len(),
            Writer::Protobuf(writer) => writer.len(),
        }
    }

    /// Takes what was written so far.
    pub(super) fn take(&mut self) -> Vec<u8> {
        match &mut self.writer {
            Writer::Lines(Lines::Text(writer)) => writer.take(),
            Writer::Lines(Lines::OpenMetrics(writer)) => writer.take(),
            Writer::Protobuf(writer) => writer.take(),
        }
    }

    /// Writes what stands at the end of an answer.
    pub(super) fn end(&mut self) {
        if let Writer::Lines(Lines::OpenMetrics(writer)) = &mut self.writer {
            writer.end();
        }
    }

    /// Writes a series, its metric before it if it is the first of its name and kind.
    pub(super) fn series<'a, L>(&mut self, name: &str, labels: L, value: Value<'_>, time: i64)
    where
        L: Iterator<Item = (&'a str, &'a str)>,
    {
        let kind = value.metric_type();
        if self.family.0 != name || self.family.1 != kind {
            name.clone_into(&mut self.family.0);
            self.family.1 = kind;
            match &mut self.writer {
                Writer::Lines(lines) => lines.metric_type(name, kind),
                Writer::Protobuf(writer) => writer.family(name, kind),
            }
        }
        match (&mut self.writer, value) {
            (Writer::Lines(lines), Value::Float(value)) => lines.sample(name, labels, value, time),
            (Writer::Lines(lines), Value::Histogram(histogram)) => {
                lines.histogram(name, &labels.collect::<Vec<_>>(), histogram, time);
            }
            (Writer::Protobuf(writer), Value::Float(value)) => {
                writer.metric(labels, protobuf::Value::Untyped(value), Some(time));
            }
            (Writer::Protobuf(writer), Value::Histogram(histogram)) => {
                writer.metric(labels, protobuf::Value::Histogram(histogram), Some(time));
            }
        }
    }
}

impl Lines {
    fn metric_type(&mut self, name: &str, kind: MetricType) {
        match self {
            // It has no word for histograms that go down, and Prometheus tells them like others.
            Lines::Text(writer) if kind == MetricType::GaugeHistogram => {
                writer.metric_type(name, MetricType::Histogram);
            }
            Lines::Text(writer) => writer.metric_type(name, kind),
            Lines::OpenMetrics(writer) => writer.metric_type(name, kind),
        }
    }

    fn sample<'a>(&mut self, name: &str, labels: impl Iterator<Item = (&'a str, &'a str)>, value: f64, time: i64) {
        match self {
            Lines::Text(writer) => writer.sample(name, labels, value, Some(time)),
            Lines::OpenMetrics(writer) => writer.sample(name, labels, value, Some(time)),
        }
    }

    /// A histogram with listed bounds, as a classic one. No other can be told in lines.
    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &FloatHistogram, time: i64) {
        let bucket_name = format!("{name}_bucket");
        let infinite = ClassicBucket { upper_bound: f64::INFINITY, cumulative_count: histogram.count };
        for ClassicBucket { upper_bound, cumulative_count } in classic_buckets(histogram).chain([infinite]) {
            let bound = self.bound(upper_bound);
            let le = std::iter::once((BUCKET_LABEL, bound.as_str()));
            self.sample(&bucket_name, labels.iter().copied().chain(le), cumulative_count, time);
        }
        self.sample(&format!("{name}_sum"), labels.iter().copied(), histogram.sum, time);
        self.sample(&format!("{name}_count"), labels.iter().copied(), histogram.count, time);
    }

    fn bound(&self, bound: f64) -> String {
        let mut out = Vec::new();
        match self {
            Lines::Text(_) => write_float(&mut out, bound),
            Lines::OpenMetrics(_) => openmetrics::write_number(&mut out, bound),
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}
