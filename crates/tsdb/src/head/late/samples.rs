//! The late samples of one series: those that came after a newer one.
//!
//! They are kept sorted, uncompressed, until there are so many that they become a chunk of their own beside the others. Such
//! chunks may overlap with everything; readers merge.

use model::{TimeRange, Timestamp};
use storage::chunk::{Chunk, Recoder, Value};

use crate::head::cutting::{Cutting, range_end};
use crate::head::full::FullChunk;
use crate::head_chunks::{ChunkPlace, NewChunk};

/// So many late samples make a chunk, as in Prometheus.
const SAMPLES_PER_LATE_CHUNK: usize = 32;

/// The late samples of one series.
#[derive(Debug, Default)]
pub(in crate::head) struct Late {
    /// By time, each time once.
    samples: Vec<(i64, Value)>,
    /// In the order in which they became full; may overlap.
    full: Vec<FullChunk>,
}

impl Late {
    /// The sample at a time, unless it is in a full chunk.
    pub(in crate::head) fn get(&self, time: i64) -> Option<&Value> {
        let at = self.samples.binary_search_by_key(&time, |(time, _)| *time).ok()?;
        Some(&self.samples[at].1)
    }

    /// Adds a sample; tells whether its time was free.
    pub(in crate::head) fn insert(&mut self, time: i64, value: Value) -> bool {
        match self.samples.binary_search_by_key(&time, |(time, _)| *time) {
            Ok(_) => false,
            Err(at) => {
                self.samples.reserve_exact(usize::from(self.samples.len() == self.samples.capacity()) * 4);
                self.samples.insert(at, (time, value));
                true
            }
        }
    }

    /// Whether there are enough samples for a chunk.
    pub(in crate::head) fn is_full(&self) -> bool {
        self.samples.len() >= SAMPLES_PER_LATE_CHUNK
    }

    /// Adds a chunk that was found in a file.
    pub(in crate::head) fn attach(&mut self, chunk: FullChunk) {
        self.full.push(chunk);
    }

    /// Takes out the samples that are in no chunk.
    pub(in crate::head) fn take_samples(&mut self) -> Vec<(i64, Value)> {
        std::mem::take(&mut self.samples)
    }

    /// Makes chunks of the samples, none across the border of a block.
    pub(in crate::head) fn fill(&mut self, series: u64, cutting: &Cutting<'_>) {
        let end = |time: i64| range_end(time, cutting.chunk_range_ms);
        let ranges = self.samples.chunk_by(|(one, _), (next, _)| *next < end(*one));
        for chunk in ranges.flat_map(encode) {
            let range = (chunk.min_time.as_ms(), chunk.max_time.as_ms());
            let new = NewChunk { series, range, encoding: chunk.encoding, late: true, data: &chunk.data };
            let place = cutting.chunks.append(new);
            self.full.push(FullChunk { place, min_time: range.0, max_time: range.1 });
        }
        self.samples = Vec::new();
    }

    /// Keeps of the full chunks those that `keep` accepts; tells how many go.
    pub(in crate::head) fn retain_full(&mut self, keep: impl Fn(ChunkPlace) -> bool) {
        self.full.retain(|chunk| keep(chunk.place));
    }

    /// The full chunks, in no order of time.
    pub(in crate::head) fn full(&self) -> &[FullChunk] {
        &self.full
    }

    /// The samples that are in no full chunk, as chunks.
    pub(in crate::head) fn open_chunks(&self, range: TimeRange) -> Vec<Chunk> {
        if self.open_range().is_some_and(|open| open.overlaps(range)) { encode(&self.samples) } else { Vec::new() }
    }

    fn open_range(&self) -> Option<TimeRange> {
        let (first, last) = (self.samples.first()?.0, self.samples.last()?.0);
        Some(TimeRange::new(Timestamp::from_ms(first), Timestamp::from_ms(last)))
    }

    /// Whether there is a sample that may lie in `range`.
    pub(in crate::head) fn touches(&self, range: TimeRange) -> bool {
        self.full.iter().any(|chunk| chunk.range().overlaps(range))
            || self.open_range().is_some_and(|open| open.overlaps(range))
    }

    /// The first time from `time` on at which there may be a sample.
    pub(in crate::head) fn first_from(&self, time: Timestamp) -> Option<Timestamp> {
        let full = self.full.iter().map(FullChunk::range).filter(|range| range.max >= time);
        let open = &self.samples[self.samples.partition_point(|(at, _)| *at < time.as_ms())..];
        let open = open.first().map(|(at, _)| Timestamp::from_ms(*at));
        full.map(|range| range.min.max(time)).chain(open).min()
    }

    /// How many chunks there are.
    pub(in crate::head) fn chunk_count(&self) -> usize {
        self.full.len() + usize::from(!self.samples.is_empty())
    }

    /// Drops the chunks up to `last` that lie wholly within `range`; tells how many.
    pub(in crate::head) fn drop_within(&mut self, range: TimeRange, last: ChunkPlace) -> usize {
        let before = self.full.len();
        let gone = |chunk: &FullChunk| {
            chunk.place <= last && chunk.min_time >= range.min.as_ms() && chunk.max_time <= range.max.as_ms()
        };
        self.full.retain(|chunk| !gone(chunk));
        self.full.shrink_to_fit();
        before - self.full.len()
    }

    /// The samples that are in no full chunk, by time.
    pub(in crate::head) fn samples(&self) -> &[(i64, Value)] {
        &self.samples
    }

    /// The samples that are in no full chunk.
    pub(in crate::head) fn into_samples(self) -> Vec<(i64, Value)> {
        self.samples
    }

    /// The times of the first and the last of all; `None` where there is nothing.
    pub(in crate::head) fn range(&self) -> Option<TimeRange> {
        let ranges = || self.full.iter().map(FullChunk::range).chain(self.open_range());
        let min = ranges().map(|range| range.min).min()?;
        Some(TimeRange::new(min, ranges().map(|range| range.max).max()?))
    }
}

fn encode(samples: &[(i64, Value)]) -> Vec<Chunk> {
    let mut recoder = Recoder::default();
    for (time, value) in samples {
        recoder.push(*time, value.clone());
    }
    recoder.finish()
}
