//! The samples of a chunk one by one, whatever its encoding.

use model::{FloatHistogram, Histogram, NativeHistogram};

use super::encoded::{Chunk, Encoding};
use super::error::ChunkError;
use super::{float_histogram, histogram, xor};

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

    /// The encoding of a chunk that takes it.
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

/// Reads a chunk sample by sample and exactly: integer histograms stay integer. Readers that want floats only, or everything
/// as floats, are quicker with [`Chunk::decode`].
#[derive(Debug)]
pub struct Values<'a>(Reader<'a>);

#[derive(Debug)]
enum Reader<'a> {
    Xor(xor::Reader<'a>),
    Histogram(Box<histogram::Reader<'a>>),
    FloatHistogram(Box<float_histogram::Reader<'a>>),
    Refused(ChunkError),
}

impl Chunk {
    /// Begins to read. What is wrong with the chunk is said by the first [`Values::next`].
    pub fn values(&self) -> Values<'_> {
        let reader = match self.encoding {
            Encoding::Xor => xor::Reader::new(&self.data).map(Reader::Xor),
            Encoding::Histogram => histogram::Reader::new(&self.data).map(|reader| Reader::Histogram(Box::new(reader))),
            Encoding::FloatHistogram => {
                float_histogram::Reader::new(&self.data).map(|reader| Reader::FloatHistogram(Box::new(reader)))
            }
        };
        Values(reader.unwrap_or_else(Reader::Refused))
    }
}

impl Values<'_> {
    /// The next sample, or `None` at the end.
    #[expect(clippy::should_implement_trait, reason = "it can fail, and callers end at the first error")]
    pub fn next(&mut self) -> Result<Option<(i64, Value)>, ChunkError> {
        match &mut self.0 {
            Reader::Xor(reader) => Ok(reader.next()?.map(|(time, value)| (time, Value::Float(value)))),
            Reader::Histogram(reader) => Ok(reader.next()?.map(|(time, histogram)| (time, histogram.clone().into()))),
            Reader::FloatHistogram(reader) => {
                Ok(reader.next()?.map(|(time, histogram)| (time, histogram.clone().into())))
            }
            Reader::Refused(error) => Err(error.clone()),
        }
    }
}
