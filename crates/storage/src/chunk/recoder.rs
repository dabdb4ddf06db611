//! Samples to chunks, the same samples to the same bytes.

use model::NativeHistogram;

use super::encoded::{Chunk, Encoding};
use super::values::Value;
use super::{float_histogram, histogram, xor};

/// So many samples make a chunk when samples are encoded anew, as in Prometheus's `NewSeriesToChunkEncoder`.
pub const SAMPLES_PER_CHUNK: usize = 120;

/// Encodes samples of one series anew: chunks of [`SAMPLES_PER_CHUNK`], cut early where the encoding changes or where a
/// histogram can't follow the one before it. What it makes depends on the samples alone, so two nodes that hold the same
/// samples make the same bytes.
#[derive(Debug, Default)]
pub struct Recoder {
    done: Vec<Chunk>,
    open: Option<Open>,
}

#[derive(Debug)]
enum Open {
    Float(xor::Writer),
    Histogram(Box<histogram::Writer>),
    FloatHistogram(Box<float_histogram::Writer>),
}

impl Open {
    fn begin(time: i64, value: &Value) -> Self {
        match value {
            Value::Float(value) => {
                let mut writer = xor::Writer::default();
                writer.push(time, *value);
                Open::Float(writer)
            }
            Value::Histogram(NativeHistogram::Int(histogram)) => {
                Open::Histogram(Box::new(histogram::Writer::new(None, time, histogram)))
            }
            Value::Histogram(NativeHistogram::Float(histogram)) => {
                Open::FloatHistogram(Box::new(float_histogram::Writer::new(None, time, histogram)))
            }
        }
    }

    fn takes(&self, encoding: Encoding) -> bool {
        let (len, own) = match self {
            Open::Float(writer) => (writer.len(), Encoding::Xor),
            Open::Histogram(writer) => (writer.len(), Encoding::Histogram),
            Open::FloatHistogram(writer) => (writer.len(), Encoding::FloatHistogram),
        };
        len < SAMPLES_PER_CHUNK && own == encoding
    }

    /// Appends a value of this encoding; gives the chunk that comes after, if this one can't take it.
    fn push(&mut self, time: i64, value: &Value) -> Option<Open> {
        match (self, value) {
            (Open::Float(writer), Value::Float(value)) => {
                writer.push(time, *value);
                None
            }
            (Open::Histogram(writer), Value::Histogram(NativeHistogram::Int(histogram))) => {
                writer.push(time, histogram).map(|next| Open::Histogram(Box::new(next)))
            }
            (Open::FloatHistogram(writer), Value::Histogram(NativeHistogram::Float(histogram))) => {
                writer.push(time, histogram).map(|next| Open::FloatHistogram(Box::new(next)))
            }
            _ => Some(Open::begin(time, value)),
        }
    }

    fn finish(self) -> Option<Chunk> {
        match self {
            Open::Float(writer) => writer.finish(),
            Open::Histogram(writer) => Some(writer.finish()),
            Open::FloatHistogram(writer) => Some(writer.finish()),
        }
    }
}

impl Recoder {
    /// Appends a sample, which must be newer than the last one. A histogram must be valid.
    #[expect(clippy::needless_pass_by_value, reason = "callers have no use for a value they have read")]
    pub fn push(&mut self, time: i64, value: Value) {
        let next = match self.open.as_mut().filter(|open| open.takes(value.encoding())) {
            Some(open) => open.push(time, &value),
            None => Some(Open::begin(time, &value)),
        };
        if let Some(next) = next {
            let full = self.open.replace(next);
            self.done.extend(full.and_then(Open::finish));
        }
    }

    /// The chunks, oldest first.
    pub fn finish(mut self) -> Vec<Chunk> {
        self.done.extend(self.open.and_then(Open::finish));
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_have_120_samples() {
        let mut recoder = Recoder::default();
        for t in 0..241 {
            recoder.push(t, Value::Float(t as f64));
        }
        let chunks = recoder.finish();
        assert_eq!(chunks.iter().map(Chunk::sample_count).collect::<Vec<_>>(), [120, 120, 1]);
        let mut want = 0;
        for chunk in &chunks {
            let mut values = chunk.values();
            while let Some(sample) = values.next().expect("valid") {
                assert_eq!(sample, (want, Value::Float(want as f64)));
                want += 1;
            }
        }
        assert_eq!(want, 241);
        assert!(Recoder::default().finish().is_empty());
    }
}
