//! The newest sample of each series, which its state knows without reading a chunk.

use std::sync::Arc;

use hashbrown::HashMap;
use model::{METRIC_NAME, Matcher, Sample, TimeRange, Timestamp, is_stale};
use storage::{NewestSample, NewestSamples};

use super::index::HeadIndex;
use super::pages::PageCursor;
use super::series::SeriesState;
use super::state::Head;
use crate::matching::{matching_series, sort_union};

/// So many series are handed out under one lock of the index.
const SERIES_AT_ONCE: usize = 64;

/// Newest samples of one moment, in columns: there are as many as were asked for, so each byte counts. See the size in the tests.
struct Columns {
    /// Those of the samples, and behind them what is left of all that were asked for.
    slots: Vec<u32>,
    /// Half of the number in the log, to tell the series from one that has the slot later.
    halves: Vec<u32>,
    /// In milliseconds after `from`.
    times: Vec<u32>,
    values: Vec<f64>,
    from: i64,
}

impl Columns {
    fn new(slots: Vec<u32>, from: i64) -> Self {
        let count = slots.len();
        let (halves, times) = (Vec::with_capacity(count), Vec::with_capacity(count));
        Columns { slots, halves, times, values: Vec::with_capacity(count), from }
    }

    /// Adds a sample, whose slot takes the place of one that has been looked at. `None` where its time is more than 49 days after the
    /// beginning of the range.
    fn push(&mut self, slot: u32, reference: u64, time: i64, value: f64) -> Option<()> {
        let time = u32::try_from(time.checked_sub(self.from)?).ok()?;
        self.slots[self.times.len()] = slot;
        self.halves.push(reference as u32);
        self.times.push(time);
        self.values.push(value);
        Some(())
    }
}

/// Newest samples on their way.
struct HeadNewest {
    head: Arc<Head>,
    found: Columns,
    at: usize,
}

impl Head {
    /// The newest floats from `since` until now, which is the moment in which no commit is under way; `None` where the state of a series
    /// doesn't tell: it has a native histogram, samples ahead of the clock, or some that were deleted.
    pub(crate) fn newest(
        head: &Arc<Head>,
        selectors: &[Vec<Matcher>],
        since: Timestamp,
    ) -> Option<Box<dyn NewestSamples>> {
        if head.tombstones.any() {
            return None;
        }
        let (mut slots, mut last_reference) = head.matching_by_name(selectors);
        let mut found;
        {
            let _alone = head.gate.write();
            if head.index.read().last_reference() != last_reference {
                // Series were made since: now no commit can come between.
                (slots, last_reference) = head.matching_by_name(selectors);
            }
            let range = TimeRange::new(since, head.now());
            let pages = head.pages.snapshot();
            let mut cursor = PageCursor::new(&pages);
            found = Columns::new(slots, range.min.as_ms());
            for at in 0..found.slots.len() {
                let slot = found.slots[at];
                // One with a higher number has got the slot since.
                let is_meant = |state: &&mut SeriesState| (1..=last_reference).contains(&state.reference);
                let Some(state) = cursor.get(slot).filter(is_meant) else { continue };
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
                    let reference = state.reference;
                    found.push(slot, reference, time, value)?;
                }
            }
        }
        Some(Box::new(HeadNewest { head: Arc::clone(head), found, at: 0 }))
    }

    /// The slots of the series that any of the selectors matches, by the name of their metric, and the highest number of a series.
    fn matching_by_name(&self, selectors: &[Vec<Matcher>]) -> (Vec<u32>, u64) {
        let index = self.index.read();
        let mut slots = Vec::new();
        for selector in selectors {
            let Ok(matching) = matching_series(&*index, selector);
            // One list is taken as it is: it may be long.
            if slots.is_empty() {
                slots = matching;
            } else {
                slots.extend(matching);
            }
        }
        if selectors.len() > 1 {
            sort_union(&mut slots);
        }
        let Some(name) = index.symbols().find(METRIC_NAME) else { return (Vec::new(), 0) };
        // Metrics are few, series are many: the metrics are sorted, and each series is put behind those before it.
        let mut by_label: HashMap<u32, u32, foldhash::fast::FixedState> = HashMap::default();
        let labels = slots.iter().filter_map(|slot| name_label(&index, name, *slot));
        labels.for_each(|label| *by_label.entry(label).or_default() += 1);
        let mut metrics: Vec<(&str, u32, u32)> = by_label
            .iter()
            .map(|(label, count)| (index.symbols().get(index.label(*label).1), *label, *count))
            .collect();
        metrics.sort_unstable();
        let mut next = 0;
        for (_, label, count) in metrics {
            by_label.insert(label, next);
            next += count;
        }
        let mut sorted = vec![0; next as usize];
        for slot in slots {
            if let Some(at) = name_label(&index, name, slot).and_then(|label| by_label.get_mut(&label)) {
                sorted[*at as usize] = slot;
                *at += 1;
            }
        }
        (sorted, index.last_reference())
    }
}

/// The number of the label that has the name of a series' metric, if it has one.
fn name_label(index: &HeadIndex, name: u32, slot: u32) -> Option<u32> {
    index.numbers(slot).iter().copied().find(|number| index.label(*number).0 == name)
}

impl NewestSamples for HeadNewest {
    fn next(&mut self, visit: &mut dyn FnMut(NewestSample<'_>)) -> bool {
        let index = self.head.index.read();
        let Columns { slots, halves, times, values, from } = &self.found;
        let end = times.len().min(self.at + SERIES_AT_ONCE);
        let mut labels = Vec::new();
        let mut before: &[u32] = &[];
        for at in self.at..end {
            let slot = slots[at];
            if index.place(slot).is_none_or(|place| place.reference as u32 != halves[at]) {
                continue;
            }
            let numbers = index.numbers(slot);
            let same = same_places(numbers, before);
            labels.resize(numbers.len(), ("", ""));
            for (at, (label, number)) in labels.iter_mut().zip(numbers).enumerate() {
                if same.checked_shr(at as u32).unwrap_or(0) & 1 == 0 {
                    *label = index.label_text(*number);
                }
            }
            before = numbers;
            let time = Timestamp::from_ms(from + i64::from(times[at]));
            visit(NewestSample { labels: &labels, same, sample: Sample::new(time, values[at]) });
        }
        self.at = end;
        end < times.len()
    }
}

/// Bit *i* is set where both have the same at place *i*.
fn same_places(numbers: &[u32], before: &[u32]) -> u64 {
    let both = numbers.iter().zip(before).take(u64::BITS as usize).enumerate();
    both.fold(0, |same, (at, (number, before))| same | u64::from(number == before) << at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_found_series_is_small() {
        let mut found = Columns::new(vec![0; 1000], 5);
        for slot in 0..1000 {
            found.push(slot, 1 << 33 | 7, 6, 0.5).expect("a time near the beginning");
        }
        let Columns { slots, halves, times, values, .. } = &found;
        let bytes = size_of_val(&**slots) + size_of_val(&**halves) + size_of_val(&**times) + size_of_val(&**values);
        assert_eq!((bytes, values.capacity()), (20 * 1000, 1000));
        assert!(found.push(0, 1, 4, 0.5).is_none() && found.push(0, 1, 1 << 33, 0.5).is_none());
    }
}
