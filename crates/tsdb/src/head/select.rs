//! Reading the head: what matches, with copies of what may still change.

use std::ops::Range;

use bytes::Bytes;
use model::{Labels, Matcher, TimeRange};
use storage::{LabelRequest, Series};

use super::index::{HeadIndex, Place};
use super::pages::PageCursor;
use super::series::OpenChunk;
use super::state::Head;
use crate::matching::matching_series;

/// Room that is set aside for the copy of an open chunk before the gate is taken.
const OPEN_BYTES_EXPECTED: usize = 256;

struct Found {
    place: Place,
    series: Series,
}

/// A copied open chunk: of which series, its times, where in the buffer.
struct Copied {
    found: usize,
    range: TimeRange,
    bytes: Range<usize>,
}

impl Head {
    /// The series that match and have samples that may lie in `range`, sorted by labels. Every commit is in the answer as a
    /// whole or not at all.
    pub(crate) fn select(&self, matchers: &[Matcher], range: TimeRange) -> Vec<Series> {
        let (mut found, seen) = self.find(matchers);
        let mut buffer = Vec::with_capacity(found.len() * OPEN_BYTES_EXPECTED);
        let copied = {
            let _alone = self.gate.write();
            self.find_late(matchers, seen, &mut found);
            self.copy_chunks(range, &mut found, &mut buffer)
        };
        let buffer = Bytes::from(buffer);
        for Copied { found: at, range, bytes } in copied {
            found[at].series.chunks.push(OpenChunk::with_data(range, buffer.slice(bytes)));
        }
        sorted(found.into_iter().map(|found| found.series).filter(|series| !series.chunks.is_empty()).collect())
    }

    /// The labels of the series that `select` would give, with empty lists of chunks.
    pub(crate) fn select_labels(&self, matchers: &[Matcher], range: TimeRange) -> Vec<Series> {
        let (mut found, _) = self.find(matchers);
        let pages = self.pages.snapshot();
        let mut cursor = PageCursor::new(&pages);
        found.retain(|Found { place, .. }| {
            cursor.get(place.slot).is_some_and(|state| state.reference == place.reference && state.touches(range))
        });
        drop(cursor);
        sorted(found.into_iter().map(|found| found.series).collect())
    }

    /// What matches now, and the highest number of a series that was looked at.
    fn find(&self, matchers: &[Matcher]) -> (Vec<Found>, u64) {
        let index = self.index.read();
        let Ok(slots) = matching_series(&*index, matchers);
        (slots.into_iter().filter_map(|slot| found(&index, slot)).collect(), index.last_reference())
    }

    /// Adds what matches of the series that were made since; with the gate held, no commit can come between.
    fn find_late(&self, matchers: &[Matcher], seen: u64, out: &mut Vec<Found>) {
        let index = self.index.read();
        if index.last_reference() == seen {
            return;
        }
        let late =
            index.places().filter(|place| place.reference > seen).filter_map(|place| found(&index, place.slot));
        out.extend(late.filter(|found| matchers.iter().all(|m| m.matches_labels(&found.series.labels))));
    }

    fn copy_chunks(&self, range: TimeRange, found: &mut [Found], buffer: &mut Vec<u8>) -> Vec<Copied> {
        let pages = self.pages.snapshot();
        let mut cursor = PageCursor::new(&pages);
        let mut copied = Vec::with_capacity(found.len());
        for (at, Found { place, series }) in found.iter_mut().enumerate() {
            let Some(state) = cursor.get(place.slot).filter(|state| state.reference == place.reference) else {
                continue;
            };
            let (full, open) = state.chunks(range);
            series.chunks.extend(full);
            if let Some(open) = open {
                let start = buffer.len();
                buffer.extend_from_slice(open.bytes);
                copied.push(Copied { found: at, range: open.range, bytes: start..buffer.len() });
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

fn sorted(mut series: Vec<Series>) -> Vec<Series> {
    series.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
    series
}
