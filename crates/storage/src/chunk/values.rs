//! The samples of a chunk one by one, whatever its encoding.

use model::{FloatHistogram, Histogram, NativeHistogram};

use super::encoded::{Chunk, Encoding};
use super::error::ChunkError;
use super::{float_histogram, histogram, xor, xor2};

/// What a series has at one time.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(NativeHistogram),
}

impl Value {
    /// Whether both are of one kind and the same data: floats to the bit, of histograms everything but what is known of a counter reset.
    pub fn same_as(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::Histogram(a), Value::Histogram(b)) => a.same_as(b),
            _ => false,
        }
    }

    /// The encoding of a chunk that takes it, without a start timestamp.
    pub fn encoding(&self) -> Encoding {
        match self {
            Value::Float(_) => Encoding::Xor,
            Value::Histogram(NativeHistogram::Int(_)) => Encoding::Histogram,
            Value::Histogram(NativeHistogram::Float(_)) => Encoding::FloatHistogram,
        }
    }
}

impl From<Histogram> for Value {
    fn from(histogram: Histogram) -> Self {
        Value::Histogram(histogram.into())
    }
}

impl From<FloatHistogram> for Value {
    fn from(histogram: FloatHistogram) -> Self {
        Value::Histogram(histogram.into())
    }
}

/// A value with its times.
#[derive(Debug, Clone, PartialEq)]
pub struct TimedValue {
    /// When, milliseconds since the epoch.
    pub time: i64,
    /// The start timestamp: since when it has been counted, milliseconds since the epoch; 0 where that isn't known.
    pub start: i64,
    /// What.
    pub value: Value,
}

/// Reads a chunk sample by sample and exactly: integer histograms stay integer. Readers that want floats only, or everything
/// as floats, are quicker with [`Chunk::decode`].
#[derive(Debug)]
pub struct Values<'a>(Reader<'a>);

#[derive(Debug)]
enum Reader<'a> {
    Xor(xor::Reader<'a>),
    Xor2(xor2::Reader<'a>),
    Histogram(Box<histogram::Reader<'a>>),
    FloatHistogram(Box<float_histogram::Reader<'a>>),
    Refused(ChunkError),
}

impl Chunk {
    /// Begins to read. What is wrong with the chunk is said by the first [`Values::next`].
    pub fn values(&self) -> Values<'_> {
        let data = &self.data;
        let of_histograms = |reader| Reader::Histogram(Box::new(reader));
        let of_float_histograms = |reader| Reader::FloatHistogram(Box::new(reader));
        let reader = match self.encoding {
            Encoding::Xor => xor::Reader::new(data).map(Reader::Xor),
            Encoding::Xor2 => xor2::Reader::new(data).map(Reader::Xor2),
            Encoding::Histogram => histogram::Reader::new(data).map(of_histograms),
            Encoding::HistogramStarts => histogram::Reader::with_starts(data).map(of_histograms),
            Encoding::FloatHistogram => float_histogram::Reader::new(data).map(of_float_histograms),
            Encoding::FloatHistogramStarts => float_histogram::Reader::with_starts(data).map(of_float_histograms),
        };
        Values(reader.unwrap_or_else(Reader::Refused))
    }
}

impl Values<'_> {
    /// The next sample with its start, or `None` at the end: for those who hand samples on.
    pub fn next_timed(&mut self) -> Result<Option<TimedValue>, ChunkError> {
        let next = self.next()?;
        let start = match &self.0 {
            Reader::Xor(_) | Reader::Refused(_) => 0,
            Reader::Xor2(reader) => reader.start(),
            Reader::Histogram(reader) => reader.start(),
            Reader::FloatHistogram(reader) => reader.start(),
        };
        Ok(next.map(|(time, value)| TimedValue { time, start, value }))
    }

    /// The next sample, or `None` at the end.
    #[expect(clippy::should_implement_trait, reason = "it can fail, and callers end at the first error")]
    pub fn next(&mut self) -> Result<Option<(i64, Value)>, ChunkError> {
        match &mut self.0 {
            Reader::Xor(reader) => Ok(reader.next()?.map(|(time, value)| (time, Value::Float(value)))),
            Reader::Xor2(reader) => Ok(reader.next()?.map(|(time, value)| (time, Value::Float(value)))),
            Reader::Histogram(reader) => Ok(reader.next()?.map(|(time, histogram)| (time, histogram.clone().into()))),
            Reader::FloatHistogram(reader) => {
                Ok(reader.next()?.map(|(time, histogram)| (time, histogram.clone().into())))
            }
            Reader::Refused(error) => Err(error.clone()),
        }
    }
}
