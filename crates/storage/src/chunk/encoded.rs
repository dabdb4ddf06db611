//! A chunk with its encoding and the times of its first and last sample.

use bytes::Bytes;
use model::{TimeRange, Timestamp};

use crate::chunk::xor;
use crate::series::Samples;

/// How a chunk's samples are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Floats in Gorilla's delta-of-delta and XOR form; the byte 1 on disk.
    Xor,
}

impl Encoding {
    /// From the byte that names it on disk. What we can't read is refused by name.
    pub fn from_byte(byte: u8) -> Result<Self, ChunkError> {
        match byte {
            1 => Ok(Encoding::Xor),
            2 => Err(ChunkError::Unsupported { byte, name: "histogram" }),
            3 => Err(ChunkError::Unsupported { byte, name: "floathistogram" }),
            4 => Err(ChunkError::Unsupported { byte, name: "XOR2" }),
            _ => Err(ChunkError::Unsupported { byte, name: "unknown" }),
        }
    }

    /// The byte that names it on disk.
    pub fn byte(self) -> u8 {
        match self {
            Encoding::Xor => 1,
        }
    }
}

/// Why a chunk can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// An encoding that this build doesn't read.
    #[error("chunk encoding {name} ({byte}) is not supported")]
    Unsupported {
        /// The byte on disk.
        byte: u8,
        /// What it stands for in Prometheus.
        name: &'static str,
    },
    /// The data ends too early or says something that can't be.
    #[error("corrupt chunk: {0}")]
    Corrupt(&'static str),
}

impl From<ChunkError> for crate::query::QueryError {
    fn from(error: ChunkError) -> Self {
        crate::query::QueryError::data(error.to_string())
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
    /// Appends the samples within `range` to `out`.
    pub fn decode(&self, range: TimeRange, out: &mut Samples) -> Result<(), ChunkError> {
        match self.encoding {
            Encoding::Xor => xor::decode(&self.data, range, out),
        }
    }

    /// How many samples the chunk holds.
    pub fn sample_count(&self) -> usize {
        match self.encoding {
            Encoding::Xor => xor::sample_count(&self.data),
        }
    }
}
