//! Samples to chunks, the same samples to the same bytes.

use super::encoded::Chunk;
use super::values::Value;
use super::xor;

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
}

impl Open {
    fn len(&self) -> usize {
        match self {
            Open::Float(writer) => writer.len(),
        }
    }

    fn finish(self) -> Option<Chunk> {
        match self {
            Open::Float(writer) => writer.finish(),
        }
    }
}

impl Recoder {
    /// Appends a sample, which must be newer than the last one.
    pub fn push(&mut self, time: i64, value: Value) {
        if self.open.as_ref().is_some_and(|open| open.len() >= SAMPLES_PER_CHUNK) {
            self.cut();
        }
        match value {
            Value::Float(value) => self.push_float(time, value),
            Value::Histogram(_) => unreachable!("histogram chunks are not read yet"),
        }
    }

    fn push_float(&mut self, time: i64, value: f64) {
        match &mut self.open {
            Some(Open::Float(writer)) => {
                writer.push(time, value);
            }
            _ => {
                self.cut();
                let mut writer = xor::Writer::default();
                writer.push(time, value);
                self.open = Some(Open::Float(writer));
            }
        }
    }

    fn cut(&mut self) {
        self.done.extend(self.open.take().and_then(Open::finish));
    }

    /// The chunks, oldest first.
    pub fn finish(mut self) -> Vec<Chunk> {
        self.cut();
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
