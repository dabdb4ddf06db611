//! Writes families.

use model::{FloatHistogram, MetricType, is_valid_label_name, is_valid_metric_name};

use crate::escaping::Escaping;
use crate::protobuf::fields::{varint_len, write_double, write_integer, write_message, write_string, write_varint};
use crate::protobuf::histogram::write_histogram;

/// What a metric is at a time.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// A number whose kind nobody knows.
    Untyped(f64),
    /// A histogram; with listed bounds it is written as a classic one.
    Histogram(&'a FloatHistogram),
}

/// Collects an exposition in a buffer that may be taken away piece by piece.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    escaping: Escaping,
    /// What may be taken.
    out: Vec<u8>,
    /// The family that is being written, name and kind first.
    family: Vec<u8>,
    /// So long are name and kind; 0 before the first family.
    head: usize,
}

impl Writer {
    /// A writer with an empty buffer.
    pub fn new(escaping: Escaping) -> Self {
        Writer { escaping, ..Writer::default() }
    }

    /// The bytes that are waiting to be taken.
    pub fn len(&self) -> usize {
        self.out.len() + self.family.len()
    }

    /// Whether nothing is waiting.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty() && self.family.len() == self.head
    }

    /// Takes what was written so far. A family that goes on behind it is told again with its name and kind, as each message has its
    /// length at its beginning and a family may be as large as all that there is.
    pub fn take(&mut self) -> Vec<u8> {
        self.end_message();
        let capacity = self.out.capacity();
        std::mem::replace(&mut self.out, Vec::with_capacity(capacity))
    }

    /// Begins a family.
    pub fn family(&mut self, metric: &str, kind: MetricType) {
        self.end_message();
        self.family.clear();
        write_string(&mut self.family, 1, &name(metric, is_valid_metric_name(metric), self.escaping, true));
        write_integer(&mut self.family, 3, number_of(kind));
        self.head = self.family.len();
    }

    /// One metric of the family that was begun last, at a time in milliseconds. Labels are written in the order they come.
    pub fn metric<'a>(
        &mut self,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        value: Value<'_>,
        timestamp: Option<i64>,
    ) {
        let escaping = self.escaping;
        write_message(&mut self.family, 4, |out| {
            for (label, value) in labels {
                write_label(out, label, value, escaping);
            }
            if let Value::Untyped(value) = value {
                write_message(out, 5, |out| write_double(out, 1, value));
            }
            if let Some(timestamp) = timestamp {
                write_integer(out, 6, timestamp);
            }
            if let Value::Histogram(histogram) = value {
                write_message(out, 7, |out| write_histogram(out, histogram));
            }
        });
    }

    /// Puts the family's metrics so far behind their length.
    fn end_message(&mut self) {
        if self.family.len() > self.head {
            self.out.reserve(varint_len(self.family.len() as u64) + self.family.len());
            write_varint(&mut self.out, self.family.len() as u64);
            self.out.extend_from_slice(&self.family);
            self.family.truncate(self.head);
        }
    }
}

fn write_label(out: &mut Vec<u8>, label: &str, value: &str, escaping: Escaping) {
    write_message(out, 1, |out| {
        write_string(out, 1, &name(label, is_valid_label_name(label), escaping, false));
        write_string(out, 2, value);
    });
}

/// The name as the reader takes it.
fn name(name: &str, is_valid: bool, escaping: Escaping, colons: bool) -> std::borrow::Cow<'_, str> {
    if is_valid || escaping == Escaping::AllowUtf8 {
        return name.into();
    }
    let mut out = Vec::new();
    escaping.rewrite(&mut out, name, colons);
    String::from_utf8_lossy(&out).into_owned().into()
}

/// The enum `MetricType`. What it has no number for is untyped.
fn number_of(kind: MetricType) -> i64 {
    match kind {
        MetricType::Counter => 0,
        MetricType::Gauge => 1,
        MetricType::Summary => 2,
        MetricType::Unknown | MetricType::Info | MetricType::StateSet => 3,
        MetricType::Histogram => 4,
        MetricType::GaugeHistogram => 5,
    }
}
