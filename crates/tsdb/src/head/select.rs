//! Reading the head: what matches, with copies of what may still change.

use std::ops::Range;

use bytes::Bytes;
use model::{Labels, Matcher, TimeRange};
use storage::chunk::{Chunk, Encoding};
use storage::{LabelRequest, QueryError, Series};

use super::full::FullChunk;
use super::index::{HeadIndex, Place};
use super::order::sort_by_labels;
use super::pages::PageCursor;
use super::series::SeriesState;
use super::state::Head;
use crate::head_chunks::ChunkReader;
use crate::matching::matching_series;

/// Room that is set aside for the copy of an open chunk before the gate is taken.
const OPEN_BYTES_EXPECTED: usize = 256;

struct Found {
    place: Place,
    series: Series,
}

/// A chunk of a series, as far as it is needed before the gate opens again.
struct Copied {
    found: usize,
    chunk: CopiedChunk,
}

enum CopiedChunk {
    /// It won't change, and no file goes away as long as there is a reader.
    Full(FullChunk),
    /// Where in the buffer its bytes are.
    Open { range: TimeRange, encoding: Encoding, bytes: Range<usize> },
    /// Late samples.
    Encoded(Chunk),
}

impl Head {
    /// The series that match and have samples that may lie in `range`, sorted by labels. Every commit is in the answer as a
    /// whole or not at all.
    pub(crate) fn select(&self, matchers: &[Matcher], range: TimeRange) -> Result<Vec<Series>, QueryError> {
        let (mut found, seen) = self.find(matchers);
        let mut buffer = Vec::with_capacity(found.len() * OPEN_BYTES_EXPECTED);
        let (copied, reader) = {
            let _alone = self.gate.write();
            self.find_late(matchers, seen, &mut found);
            (self.copy_chunks(range, &found, &mut buffer), self.chunks.reader())
        };
        let references: Vec<u64> = found.iter().map(|found| found.place.reference).collect();
        let series = resolve(found, copied, &buffer.into(), &reader);
        let series = series.and_then(|series| Ok(self.tombstones.apply_to_all(&references, series)?));
        let mut series = series?;
        series.retain(|series| !series.chunks.is_empty());
        Ok(series)
    }

    /// The labels of the series that `select` would give, with empty lists of chunks.
    pub(crate) fn select_labels(&self, matchers: &[Matcher], range: TimeRange) -> Vec<Series> {
        let (mut found, _) = self.find(matchers);
        let pages = self.pages.snapshot();
        let mut cursor = PageCursor::new(&pages);
        found.retain(|Found { place, .. }| {
            let is_there = |state: &mut SeriesState| state.reference == place.reference && state.touches(range);
            cursor.get(place.slot).is_some_and(|state| is_there(state) && !self.tombstones.cover(state))
        });
        drop(cursor);
        found.into_iter().map(|found| found.series).collect()
    }

    /// What matches now, sorted by labels, and the highest number of a series that was looked at.
    fn find(&self, matchers: &[Matcher]) -> (Vec<Found>, u64) {
        let index = self.index.read();
        let Ok(mut slots) = matching_series(&*index, matchers);
        sort_by_labels(&index, &mut slots);
        (slots.into_iter().filter_map(|slot| found(&index, slot)).collect(), index.last_reference())
    }

    /// Adds what matches of the series that were made since, in its place; with the gate held, no commit can come between.
    fn find_late(&self, matchers: &[Matcher], seen: u64, out: &mut Vec<Found>) {
        let index = self.index.read();
        if index.last_reference() == seen {
            return;
        }
        let late = index.places().filter(|place| place.reference > seen).filter_map(|place| found(&index, place.slot));
        let sorted = out.len();
        out.extend(late.filter(|found| matchers.iter().all(|m| m.matches_labels(&found.series.labels))));
        if out.len() > sorted {
            out.sort_unstable_by(|a, b| a.series.labels.cmp(&b.series.labels));
        }
    }

    /// What the series have in `range`. Full chunks are named and read later, when commits may go on.
    fn copy_chunks(&self, range: TimeRange, found: &[Found], buffer: &mut Vec<u8>) -> Vec<Copied> {
        let pages = self.pages.snapshot();
        let mut cursor = PageCursor::new(&pages);
        let mut copied = Vec::with_capacity(found.len());
        for (at, Found { place, .. }) in found.iter().enumerate() {
            let Some(state) = cursor.get(place.slot).filter(|state| state.reference == place.reference) else {
                continue;
            };
            let mut add = |chunk| copied.push(Copied { found: at, chunk });
            state.full_chunks(range).for_each(|full| add(CopiedChunk::Full(full)));
            if let Some(open) = state.open_chunk(range) {
                let start = buffer.len();
                open.write_to(buffer);
                let bytes = start..buffer.len();
                add(CopiedChunk::Open { range: open.range, encoding: open.encoding, bytes });
            }
            // Behind those that came in order: of two samples at one time the first that came counts.
            if let Some(late) = state.late() {
                let full = late.full().iter().filter(|chunk| chunk.range().overlaps(range));
                full.for_each(|full| add(CopiedChunk::Full(*full)));
                late.open_chunks(range).into_iter().for_each(|chunk| add(CopiedChunk::Encoded(chunk)));
            }
        }
        copied
    }

    /// The names of labels, in no order, with repeats where matchers are given.
    pub(crate) fn label_names(&self, request: &LabelRequest) -> Vec<String> {
        if request.matchers.is_empty() {
            return self.index.read().names().map(str::to_owned).collect();
        }
        let mut names = std::collections::BTreeSet::new();
        for series in self.select_labels(&request.matchers, request.range) {
            for (name, _) in &series.labels {
                if !names.contains(name) {
                    names.insert(name.to_owned());
                }
            }
        }
        names.into_iter().collect()
    }

    /// The values of a label, in no order, with repeats where matchers are given.
    pub(crate) fn label_values(&self, name: &str, request: &LabelRequest) -> Vec<String> {
        if request.matchers.is_empty() {
            return self.index.read().values(name).map(|(value, _)| value.to_owned()).collect();
        }
        let series = self.select_labels(&request.matchers, request.range);
        series.iter().filter_map(|series| series.labels.get(name)).map(str::to_owned).collect()
    }
}

fn found(index: &HeadIndex, slot: u32) -> Option<Found> {
    let place = index.place(slot)?;
    let labels: Labels = index.labels(slot);
    Some(Found { place, series: Series { labels, chunks: Vec::new() } })
}

/// Gives the series their chunks.
fn resolve(
    found: Vec<Found>,
    copied: Vec<Copied>,
    buffer: &Bytes,
    reader: &ChunkReader<'_>,
) -> Result<Vec<Series>, QueryError> {
    let mut series: Vec<Series> = found.into_iter().map(|found| found.series).collect();
    for Copied { found, chunk } in copied {
        let chunk = match chunk {
            CopiedChunk::Full(full) => {
                reader.read(full.place).map_err(|error| QueryError::data(format!("head chunk: {error}")))?
            }
            CopiedChunk::Open { range, encoding, bytes } => {
                Chunk { min_time: range.min, max_time: range.max, encoding, data: buffer.slice(bytes) }
            }
            CopiedChunk::Encoded(chunk) => chunk,
        };
        let chunks = &mut series[found].chunks;
        if chunks.last().is_some_and(|last| last.min_time > chunk.min_time) {
            let at = chunks.partition_point(|other| other.min_time <= chunk.min_time);
            chunks.insert(at, chunk);
        } else {
            chunks.push(chunk);
        }
    }
    Ok(series)
}
