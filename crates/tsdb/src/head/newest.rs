//! The newest sample of each series, which its state knows without reading a chunk.

use std::sync::Arc;

use hashbrown::HashMap;
use model::{METRIC_NAME, Matcher, Sample, TimeRange, Timestamp, is_stale};
use storage::{NewestSamples, VisitNewest};

use super::index::{HeadIndex, Place};
use super::pages::PageCursor;
use super::state::Head;
use crate::matching::{matching_series, sort_union};

/// So many series are handed out under one lock of the index.
const SERIES_AT_ONCE: usize = 256;

/// A series with its newest sample. There are as many as were asked for: see the size in the tests.
#[derive(Debug, Clone, Copy)]
struct Found {
    time: i64,
    value: f64,
    slot: u32,
    /// Half of the number in the log, to tell the series from one that has the slot later.
    half: u32,
}

/// Newest samples of one moment.
struct HeadNewest {
    head: Arc<Head>,
    found: Vec<Found>,
    at: usize,
}

impl Head {
    /// The newest floats in `range`; `None` where the state of a series doesn't tell: it has a native histogram, samples after the
    /// range, or some that were deleted.
    pub(crate) fn newest(
        head: &Arc<Head>,
        selectors: &[Vec<Matcher>],
        range: TimeRange,
    ) -> Option<Box<dyn NewestSamples>> {
        if head.tombstones.any() {
            return None;
        }
        let places = head.matching_by_name(selectors);
        let mut found = Vec::with_capacity(places.len());
        {
            let _alone = head.gate.write();
            let pages = head.pages.snapshot();
            let mut cursor = PageCursor::new(&pages);
            for place in places {
                let Some(state) = cursor.get(place.slot).filter(|state| state.reference == place.reference) else {
                    continue;
                };
                let Some(time) = state.newest() else {
                    // Where there is a newer one, late ones don't count.
                    if state.touches(range) {
                        return None;
                    }
                    continue;
                };
                if time < range.min.as_ms() {
                    continue;
                }
                let value = state.newest_float().filter(|_| time <= range.max.as_ms())?;
                if !is_stale(value) {
                    found.push(Found { time, value, slot: place.slot, half: place.reference as u32 });
                }
            }
        }
        Some(Box::new(HeadNewest { head: Arc::clone(head), found, at: 0 }))
    }

    /// The series that any of the selectors matches, by the name of their metric.
    fn matching_by_name(&self, selectors: &[Vec<Matcher>]) -> Vec<Place> {
        let index = self.index.read();
        let mut slots = Vec::new();
        for selector in selectors {
            let Ok(matching) = matching_series(&*index, selector);
            slots.extend(matching);
        }
        if selectors.len() > 1 {
            sort_union(&mut slots);
        }
        let mut by_name: HashMap<u32, Vec<u32>, foldhash::fast::FixedState> = HashMap::default();
        let Some(name) = index.symbols().find(METRIC_NAME) else { return Vec::new() };
        for slot in slots {
            if let Some(label) = name_label(&index, name, slot) {
                by_name.entry(label).or_default().push(slot);
            }
        }
        let name_of = |label: u32| index.symbols().get(index.label(label).1);
        let mut names: Vec<(&str, Vec<u32>)> =
            by_name.into_iter().map(|(label, slots)| (name_of(label), slots)).collect();
        names.sort_unstable_by_key(|(name, _)| *name);
        names.into_iter().flat_map(|(_, slots)| slots).filter_map(|slot| index.place(slot)).collect()
    }
}

/// The number of the label that has the name of a series' metric, if it has one.
fn name_label(index: &HeadIndex, name: u32, slot: u32) -> Option<u32> {
    index.numbers(slot).iter().copied().find(|number| index.label(*number).0 == name)
}

impl NewestSamples for HeadNewest {
    fn next(&mut self, visit: &mut VisitNewest<'_>) -> bool {
        let index = self.head.index.read();
        let mut labels = Vec::new();
        let end = self.found.len().min(self.at + SERIES_AT_ONCE);
        for Found { time, value, slot, half } in &self.found[self.at..end] {
            if index.place(*slot).is_some_and(|place| place.reference as u32 == *half) {
                labels.clear();
                labels.extend(index.pairs(*slot));
                visit(&labels, Sample::new(Timestamp::from_ms(*time), *value));
            }
        }
        self.at = end;
        end < self.found.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_found_series_is_small() {
        assert_eq!(size_of::<Found>(), 24);
    }
}
