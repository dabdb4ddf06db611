//! Late samples on their way into blocks, and the end of their log.
//!
//! Late samples of a range that is cut go into its block with the others. Those of ranges that were cut before go into blocks
//! of their own, which overlap with the first ones until compaction merges them. Order: seal (everything that is logged so far
//! is in chunks, the log goes on in a new segment), write the blocks, show them, drop the chunks, log anew what is
//! left of them, delete the old segments. A crash at any point leaves every sample in a block, in the log, or in both.

use std::collections::BTreeSet;
use std::io;

use model::{TimeRange, Timestamp};
use storage::chunk::ChunkError;

use super::log::{LatePart, LateSample};
use crate::failpoint;
use crate::head::full::FullChunk;
use crate::head::series::SeriesState;
use crate::head::state::Head;
use crate::head_chunks::{ChunkPlace, ChunkReader, HeadChunkError};
use crate::wal::LoggedMarker;

/// What was sealed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SealedLate {
    /// The chunks up to this place hold all late samples that were logged.
    last: ChunkPlace,
    /// The log's segments before this one hold only such samples.
    segment: u64,
}

/// Why the log of late samples can't be shortened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LateError {
    #[error("log of late samples: {0}")]
    Log(#[from] io::Error),
    #[error("head chunk: {0}")]
    File(#[from] HeadChunkError),
    #[error("head chunk: {0}")]
    Chunk(#[from] ChunkError),
}

impl Head {
    /// Makes chunks of all late samples; `None` where there are none.
    pub(crate) fn seal_late(&self) -> io::Result<Option<SealedLate>> {
        let _alone = self.late.lock();
        let (mut last, mut more) = (None, 0);
        self.each_late(|state| {
            let series = state.reference;
            let late = state.late_mut();
            let before = late.chunk_count();
            late.fill(series, &self.cutting());
            more += (late.chunk_count() - before) as u64;
            last = last.max(late.full().iter().map(|chunk| chunk.place).max());
        });
        self.add_chunks(more);
        self.chunks.flush()?; // markers may name them from now on
        failpoint::pass("late.seal")?;
        let segment = match self.late.log() {
            Some(log) => {
                log.next_segment()?;
                log.current_segment()
            }
            None => 0,
        };
        match last {
            Some(last) => Ok(Some(SealedLate { last, segment })),
            None => self.delete_late_segments(segment).map(|()| None),
        }
    }

    /// The ranges of `width_ms`, aligned, in which there may be late samples before `end`; each ends there at the latest.
    pub(crate) fn late_ranges(&self, width_ms: i64, end: Timestamp) -> Vec<TimeRange> {
        let mut starts = BTreeSet::new();
        self.each_late(|state| {
            for chunk in state.late().map_or(&[][..], |late| late.full()) {
                let mut start = chunk.range().min.align_down(width_ms);
                while start <= chunk.range().max && start < end {
                    starts.insert(start);
                    start = start.saturating_add(width_ms);
                }
            }
        });
        let range = |start: Timestamp| TimeRange::new(start, start.saturating_add(width_ms).min(end).saturating_sub(1));
        starts.into_iter().map(range).collect()
    }

    fn each_late(&self, mut visit: impl FnMut(&mut SeriesState)) {
        for page in self.pages.snapshot().iter() {
            page.lock().iter_mut().filter(|state| state.late().is_some()).for_each(&mut visit);
        }
    }

    fn delete_late_segments(&self, before: u64) -> io::Result<()> {
        match (self.late.log(), before.checked_sub(1)) {
            (Some(log), Some(last)) => log.delete_through(last),
            _ => Ok(()),
        }
    }

    /// Drops sealed chunks that lie wholly within `range`, which must be in blocks that readers see already.
    pub(crate) fn drop_late(&self, sealed: &SealedLate, range: TimeRange) {
        let _alone = self.gate.write();
        let (mut dropped, mut left) = (0, None);
        self.each_late(|state| {
            let late = state.late_mut();
            dropped += late.drop_within(range, sealed.last);
            left = union(left, late.range());
            state.drop_rare_if_empty();
        });
        self.remove_chunks(dropped as u64);
        self.late.set_range(left);
    }

    /// Deletes the log's segments that were sealed, after what is not in blocks yet has been logged anew.
    pub(crate) fn shorten_late_log(&self, sealed: &SealedLate) -> Result<(), LateError> {
        self.note_commit_times()?; // a start will not find the late ones any more
        let _alone = self.late.lock();
        let (mut samples, mut markers, mut since) = (Vec::new(), Vec::new(), Vec::new());
        let (mut failed, reader) = (None, self.chunks.reader());
        self.each_late(|state| {
            let Some(late) = state.late() else { return };
            let series = state.reference;
            let (before, after): (Vec<FullChunk>, Vec<FullChunk>) =
                late.full().iter().partition(|chunk| chunk.place <= sealed.last);
            markers.extend(before.iter().map(|chunk| LoggedMarker { series, chunk: chunk.place.as_u64() }));
            for chunk in &before {
                failed = read_late(&reader, series, chunk.place, &mut samples).err().or(failed.take());
            }
            for chunk in &after {
                failed = read_late(&reader, series, chunk.place, &mut since).err().or(failed.take());
            }
            let open = late.samples().iter();
            since.extend(open.map(|(time, value)| LateSample { slot: 0, series, time: *time, value: value.clone() }));
        });
        if let Some(error) = failed {
            return Err(error);
        }
        // A marker stands for all samples of its series before it. What came after sealing is in no chunk that it names, so it
        // is logged again behind it.
        if !samples.is_empty() || !since.is_empty() {
            self.late.write(&[LatePart::Samples(&samples), LatePart::Markers(&markers), LatePart::Samples(&since)])?;
        }
        failpoint::pass("late.shorten")?;
        Ok(self.delete_late_segments(sealed.segment)?)
    }
}

fn union(a: Option<TimeRange>, b: Option<TimeRange>) -> Option<TimeRange> {
    match (a, b) {
        (Some(a), Some(b)) => Some(TimeRange::new(a.min.min(b.min), a.max.max(b.max))),
        (a, b) => a.or(b),
    }
}

fn read_late(
    reader: &ChunkReader<'_>,
    series: u64,
    place: ChunkPlace,
    out: &mut Vec<LateSample>,
) -> Result<(), LateError> {
    let chunk = reader.read(place)?;
    let mut values = chunk.values();
    while let Some((time, value)) = values.next()? {
        out.push(LateSample { slot: 0, series, time, value });
    }
    Ok(())
}
