//! Reading the head: what matches, with copies of what may still change.

use std::iter::Peekable;
use std::mem::take;
use std::ops::Range;
use std::vec;

use bytes::Bytes;
use model::{Labels, Matcher, TimeRange};
use storage::chunk::{Chunk, Encoding};
use storage::{LabelRequest, QueryError, SelectRequest, Series, SeriesIter};

use super::full::FullChunk;
use super::index::Place;
use super::labelling::Labelling;
use super::order::merge_by_labels;
use super::pages::PageCursor;
use super::series::SeriesState;
use super::state::Head;
use crate::matching::matching_series;

/// Room that is set aside for the copy of an open chunk before the gate is taken.
const OPEN_BYTES_EXPECTED: usize = 256;

struct Found {
    place: Place,
    labels: Labels,
}

/// A chunk of a series, as far as it is needed before the gate opens again.
struct Copied {
    found: u32,
    chunk: CopiedChunk,
}

enum CopiedChunk {
    /// It won't change, and no file goes away as long as there is a reader.
    Full(FullChunk),
    /// Where in the buffer its bytes are.
    Open { range: TimeRange, encoding: Encoding, bytes: Range<usize> },
    /// Late samples, or a full chunk that has been read.
    Encoded(Box<Chunk>),
    /// The newest sample, where it is all that is wanted.
    Newest(i64, f64),
}

/// Series that are put together when they are asked for: what they are made of takes less memory than they do.
struct Selected {
    found: Vec<Found>,
    /// By series.
    copied: Peekable<vec::IntoIter<Copied>>,
    buffer: Bytes,
}

impl Head {
    /// The series that match and have samples that may lie in the range, sorted by labels. Every commit is in the answer as a
    /// whole or not at all.
    pub(crate) fn select(&self, request: &SelectRequest) -> Result<SeriesIter, QueryError> {
        let SelectRequest { matchers, range, hints } = request;
        let wanted = hints.labels.as_deref();
        let (mut found, seen) = self.find(matchers, wanted);
        let mut buffer = Vec::with_capacity(if hints.newest_only { 0 } else { found.len() * OPEN_BYTES_EXPECTED });
        let (copied, reader, is_whole) = {
            let _alone = self.gate.write();
            self.find_late(matchers, wanted, seen, &mut found);
            let is_whole = !self.tombstones.any();
            let copied = self.copy_chunks(*range, hints.newest_only && is_whole, &found, &mut buffer);
            (copied, self.chunks.reader(), is_whole)
        };
        let read = |copied: Copied| match copied.chunk {
            CopiedChunk::Full(full) => {
                let chunk =
                    reader.read(full.place).map_err(|error| QueryError::data(format!("head chunk: {error}")))?;
                Ok(Copied { chunk: CopiedChunk::Encoded(Box::new(chunk)), ..copied })
            }
            _ => Ok(copied),
        };
        let copied = copied.into_iter().map(read).collect::<Result<Vec<Copied>, QueryError>>()?;
        let selected = Selected { found, copied: copied.into_iter().peekable(), buffer: buffer.into() };
        if is_whole {
            return Ok(Box::new(selected.map(|(_, series)| Ok(series))));
        }
        let mut left = Vec::new();
        for (reference, mut series) in selected {
            series.chunks = self.tombstones.apply(reference, series.chunks)?;
            if !series.chunks.is_empty() {
                left.push(Ok(series));
            }
        }
        Ok(Box::new(left.into_iter()))
    }

    /// The labels of the series that `select` would give, with empty lists of chunks.
    pub(crate) fn select_labels(&self, matchers: &[Matcher], range: TimeRange) -> Vec<Series> {
        let (mut found, _) = self.find(matchers, None);
        let pages = self.pages.snapshot();
        let mut cursor = PageCursor::new(&pages);
        found.retain(|Found { place, .. }| {
            let is_there = |state: &mut SeriesState| state.reference == place.reference && state.touches(range);
            cursor.get(place.slot).is_some_and(|state| is_there(state) && !self.tombstones.cover(state))
        });
        drop(cursor);
        found.into_iter().map(|Found { labels, .. }| Series { labels, chunks: Vec::new() }).collect()
    }

    /// What matches now, sorted by labels, with the labels that are wanted, and the highest number of a series that was looked at.
    fn find(&self, matchers: &[Matcher], wanted: Option<&[String]>) -> (Vec<Found>, u64) {
        let index = self.index.read();
        let Ok(mut slots) = matching_series(&*index, matchers);
        self.order.sort(&index, &mut slots);
        let mut labelling = Labelling::new(&index, wanted);
        let found = |slot: u32| Some(Found { place: index.place(slot)?, labels: labelling.labels(slot) });
        (slots.into_iter().filter_map(found).collect(), index.last_reference())
    }

    /// Adds what matches of the series that were made since, in its place; with the gate held, no commit can come between.
    fn find_late(&self, matchers: &[Matcher], wanted: Option<&[String]>, seen: u64, found: &mut Vec<Found>) {
        let index = self.index.read();
        if index.last_reference() == seen {
            return;
        }
        let late = index.places().filter(|place| place.reference > seen).map(|place| place.slot);
        let matches = |slot: &u32| {
            let labels = index.labels(*slot);
            matchers.iter().all(|matcher| matcher.matches_labels(&labels))
        };
        let mut late: Vec<u32> = late.filter(matches).collect();
        if late.is_empty() {
            return;
        }
        self.order.sort(&index, &mut late);
        let mut labelling = Labelling::new(&index, wanted);
        let late = late
            .into_iter()
            .filter_map(|slot| Some(Found { place: index.place(slot)?, labels: labelling.labels(slot) }));
        // Of one that is gone since the order isn't known, and there is nothing to be read.
        found.retain(|found| index.place(found.place.slot) == Some(found.place));
        *found = merge_by_labels(&index, take(found), late.collect(), |found| found.place.slot);
    }

    /// What the series have in `range`, or their newest samples in it. Full chunks are named and read later, when commits may go on.
    fn copy_chunks(&self, range: TimeRange, newest_only: bool, found: &[Found], buffer: &mut Vec<u8>) -> Vec<Copied> {
        let pages = self.pages.snapshot();
        let mut cursor = PageCursor::new(&pages);
        let mut copied = Vec::with_capacity(found.len());
        for (Found { place, .. }, at) in found.iter().zip(0..) {
            let Some(state) = cursor.get(place.slot).filter(|state| state.reference == place.reference) else {
                continue;
            };
            let mut add = |chunk| copied.push(Copied { found: at, chunk });
            // Where there is a newer one, late ones don't count.
            if newest_only
                && let (Some(time), Some(value)) = (state.newest(), state.newest_float())
                && time <= range.max.as_ms()
            {
                if time >= range.min.as_ms() {
                    add(CopiedChunk::Newest(time, value));
                }
                continue;
            }
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
                late.open_chunks(range).into_iter().for_each(|chunk| add(CopiedChunk::Encoded(Box::new(chunk))));
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

impl Selected {
    fn chunk(&self, copied: CopiedChunk) -> Option<Chunk> {
        Some(match copied {
            CopiedChunk::Full(_) => return None,
            CopiedChunk::Open { range, encoding, bytes } => {
                Chunk { min_time: range.min, max_time: range.max, encoding, data: self.buffer.slice(bytes) }
            }
            CopiedChunk::Encoded(chunk) => *chunk,
            CopiedChunk::Newest(time, value) => Chunk::of_one(time, value),
        })
    }
}

/// With their numbers in the log.
impl Iterator for Selected {
    type Item = (u64, Series);

    fn next(&mut self) -> Option<Self::Item> {
        let Copied { found, chunk } = self.copied.next()?;
        let mut chunks: Vec<Chunk> = self.chunk(chunk).into_iter().collect();
        while let Some(next) = self.copied.next_if(|next| next.found == found) {
            let Some(chunk) = self.chunk(next.chunk) else { continue };
            let at = chunks.partition_point(|other| other.min_time <= chunk.min_time);
            chunks.insert(at, chunk);
        }
        let Found { place, labels } = &mut self.found[found as usize];
        Some((place.reference, Series { labels: take(labels), chunks }))
    }
}
