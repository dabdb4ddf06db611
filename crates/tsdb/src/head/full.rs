//! A chunk of the head that won't change, as a series remembers it.

use model::{TimeRange, Timestamp};

use crate::head_chunks::{ChunkPlace, LoadedChunk};

/// Where the chunk is, and its times. There are several of these per series: see the size in the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FullChunk {
    pub(super) place: ChunkPlace,
    pub(super) min_time: i64,
    pub(super) max_time: i64,
}

impl FullChunk {
    /// The times of its first and last sample.
    pub(super) fn range(&self) -> TimeRange {
        TimeRange::new(Timestamp::from_ms(self.min_time), Timestamp::from_ms(self.max_time))
    }
}

impl From<LoadedChunk> for FullChunk {
    fn from(chunk: LoadedChunk) -> Self {
        FullChunk { place: chunk.place, min_time: chunk.min_time, max_time: chunk.max_time }
    }
}
