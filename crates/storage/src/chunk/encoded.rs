//! A chunk with its encoding and the times of its first and last sample.

use bytes::Bytes;
use model::{TimeRange, Timestamp};

use super::error::ChunkError;
use super::starts::HISTOGRAMS_MAX;
use super::xor;

/// How a chunk's samples are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Floats in Gorilla's delta-of-delta and XOR form; the byte 1 on disk.
    Xor,
    /// Native histograms of whole observations; the byte 2 on disk.
    Histogram,
    /// Native histograms whose counts may be fractions; the byte 3 on disk.
    FloatHistogram,
    /// Floats with start timestamps; the byte 4 on disk.
    Xor2,
    /// Native histograms of whole observations with start timestamps; the byte 5 on disk.
    HistogramStarts,
    /// Native histograms whose counts may be fractions with start timestamps; the byte 6 on disk.
    FloatHistogramStarts,
}

impl Encoding {
    /// From the byte that names it on disk.
    pub fn from_byte(byte: u8) -> Result<Self, ChunkError> {
        match byte {
            1 => Ok(Encoding::Xor),
            2 => Ok(Encoding::Histogram),
            3 => Ok(Encoding::FloatHistogram),
            4 => Ok(Encoding::Xor2),
            5 => Ok(Encoding::HistogramStarts),
            6 => Ok(Encoding::FloatHistogramStarts),
            _ => Err(ChunkError::Unsupported { byte }),
        }
    }

    /// The byte that names it on disk.
    pub fn byte(self) -> u8 {
        match self {
            Encoding::Xor => 1,
            Encoding::Histogram => 2,
            Encoding::FloatHistogram => 3,
            Encoding::Xor2 => 4,
            Encoding::HistogramStarts => 5,
            Encoding::FloatHistogramStarts => 6,
        }
    }

    /// Its name in Prometheus.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Xor => "XOR",
            Encoding::Histogram => "histogram",
            Encoding::FloatHistogram => "floathistogram",
            Encoding::Xor2 => "XOR2",
            Encoding::HistogramStarts => "histogramST",
            Encoding::FloatHistogramStarts => "floathistogramST",
        }
    }

    /// Whether the samples are floats, with start timestamps or without.
    pub fn is_of_floats(self) -> bool {
        matches!(self, Encoding::Xor | Encoding::Xor2)
    }
}

/// Encoded samples of one series.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The time of the first sample.
    pub min_time: Timestamp,
    /// The time of the last sample.
    pub max_time: Timestamp,
    /// How `data` is to be read.
    pub encoding: Encoding,
    /// The encoded samples; may lie in a mapped file.
    pub data: Bytes,
}

impl Chunk {
    /// A chunk of one float.
    pub fn of_one(time: i64, value: f64) -> Self {
        let data = Bytes::copy_from_slice(xor::of_one(time, value, &mut [0; _]));
        let time = Timestamp::from_ms(time);
        Chunk { min_time: time, max_time: time, encoding: Encoding::Xor, data }
    }

    /// How many samples the chunk holds.
    pub fn sample_count(&self) -> usize {
        let count = xor::sample_count(&self.data); // all encodings begin with it
        match self.encoding {
            Encoding::HistogramStarts | Encoding::FloatHistogramStarts => count & usize::from(HISTOGRAMS_MAX),
            _ => count,
        }
    }

    /// From its first sample to its last.
    pub fn range(&self) -> TimeRange {
        TimeRange::new(self.min_time, self.max_time)
    }
}

impl xor::Writer {
    /// The chunk, or `None` where nothing was written.
    pub fn finish(self) -> Option<Chunk> {
        (!self.is_empty()).then(|| Chunk {
            min_time: Timestamp::from_ms(self.first_time()),
            max_time: Timestamp::from_ms(self.last_time()),
            encoding: Encoding::Xor,
            data: self.into_bytes().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use model::STALE_NAN;

    use super::*;

    #[test]
    fn one_sample_makes_a_chunk() {
        for (time, value) in [(0, 0.0), (-5, STALE_NAN), (i64::MAX, f64::INFINITY), (1_700_000_000_123, 1e-300)] {
            let mut writer = xor::Writer::default();
            assert!(writer.push(time, value));
            let (want, got) = (writer.finish().expect("one sample"), Chunk::of_one(time, value));
            assert_eq!((got.range(), got.encoding, &got.data), (want.range(), want.encoding, &want.data));
        }
    }
}
