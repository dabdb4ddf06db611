//! Encoding samples.

use model::{CounterReset, FloatHistogram, Histogram, NativeHistogram, STALE_NAN, TimeRange, is_stale};

use super::histogram::without_empty_buckets;
use super::walk::walk;
use crate::chunk::{Chunk, ChunkError, Recoder, TimedValue, Value};

/// The samples within `range`, cut anew; chunks may overlap and come in any order.
///
/// # Errors
/// A chunk can't be read.
pub fn recut(chunks: &[Chunk], range: TimeRange) -> Result<Vec<Chunk>, ChunkError> {
    let mut cutter = Cutter::default();
    walk(chunks, range, |sample| cutter.push(sample))?;
    Ok(cutter.finish())
}

/// Encodes the samples of one series as they come, in order of time.
#[derive(Debug, Default)]
pub struct Cutter {
    recoder: Recoder,
    last: Kind,
}

impl Cutter {
    /// Appends a sample, which must be newer than the last one. A histogram must be valid.
    pub fn push(&mut self, TimedValue { time, start, value }: TimedValue) {
        let value = match value {
            Value::Float(float) if is_stale(float) => self.last.stale_marker(),
            Value::Histogram(histogram) if histogram.is_stale() => self.last.stale_marker(),
            Value::Float(_) => {
                self.last = Kind::Float;
                value
            }
            Value::Histogram(histogram) => {
                self.last = Kind::of(&histogram);
                let mut histogram = without_empty_buckets(histogram);
                match &mut histogram {
                    NativeHistogram::Int(h) => h.counter_reset = self.last.hint(),
                    NativeHistogram::Float(h) => h.counter_reset = self.last.hint(),
                }
                Value::Histogram(histogram)
            }
        };
        self.recoder.push_timed(TimedValue { time, start, value });
    }

    /// The chunks, oldest first.
    pub fn finish(self) -> Vec<Chunk> {
        self.recoder.finish()
    }
}

/// The kind of a sample that is no stale marker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Float,
    Histogram {
        float: bool,
        gauge: bool,
    },
}

impl Kind {
    fn of(histogram: &NativeHistogram) -> Self {
        let gauge = histogram.counter_reset() == CounterReset::Gauge;
        Kind::Histogram { float: matches!(histogram, NativeHistogram::Float(_)), gauge }
    }

    /// What a histogram of the kind says of a counter reset: that is found out again.
    fn hint(self) -> CounterReset {
        match self {
            Kind::Histogram { gauge: true, .. } => CounterReset::Gauge,
            _ => CounterReset::Unknown,
        }
    }

    fn stale_marker(self) -> Value {
        let counter_reset = self.hint();
        match self {
            Kind::Float => Value::Float(STALE_NAN),
            Kind::Histogram { float: false, .. } => Histogram { counter_reset, ..Histogram::stale() }.into(),
            Kind::Histogram { float: true, .. } => FloatHistogram { counter_reset, ..FloatHistogram::stale() }.into(),
        }
    }
}
