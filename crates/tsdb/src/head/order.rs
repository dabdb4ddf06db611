//! Series in the order of their labels.
//!
//! Comparing labels as text is most of what it costs to select many series: 100,000 of them compare 1.7 million times, and most of what
//! they have in common comes first. So it is done once: as soon as as many series have been sorted as there are, each gets its rank among
//! all, and from then on ranks are sorted. Series that came since are sorted by themselves and put between the others.

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicUsize};

use arc_swap::ArcSwap;

use super::index::HeadIndex;

/// Fewer series than this are compared as text, and fewer than one for so many labels of the head, which all would have to be looked at.
const FEW: usize = 64;
const LABELS_FOR_ONE: usize = 64;
const LABELS_EXPECTED: usize = 12;
/// Of fewer series than one for so many ranks the ranks are compared; looking through all ranks would take longer.
const RANKS_FOR_ONE: usize = 32;

/// The order of the series of an index, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Order {
    ranks: ArcSwap<Ranks>,
    /// How many series without a rank have been sorted since these were given.
    sorted: AtomicUsize,
}

/// The places of the series among all, as they were at some time.
#[derive(Debug, Default)]
struct Ranks {
    by_slot: Vec<u32>,
    /// What the index's number of removals was: a slot may be another series' after the next.
    removals: u64,
}

/// The rank of a slot where no series was, and the slot of a rank whose series is not asked for.
const NONE: u32 = u32::MAX;

impl Order {
    /// Sorts the slots of series by their labels.
    pub(super) fn sort(&self, index: &HeadIndex, slots: &mut Vec<u32>) {
        if slots.len() < FEW {
            return slots.sort_unstable_by(|a, b| compare(index, *a, *b));
        }
        let mut others = self.ranks(index).sort(slots);
        self.sorted.fetch_add(others.len(), atomic::Ordering::Relaxed);
        sort_by_labels(index, &mut others);
        if !others.is_empty() {
            *slots = merge_by_labels(index, std::mem::take(slots), others, |slot| *slot);
        }
    }

    /// The ranks that hold, new ones if it is time.
    fn ranks(&self, index: &HeadIndex) -> Arc<Ranks> {
        let is_due = |sorted: usize| sorted >= index.len();
        // One of those who see that it is time does it.
        if is_due(self.sorted.load(atomic::Ordering::Relaxed)) && is_due(self.sorted.swap(0, atomic::Ordering::Relaxed))
        {
            self.ranks.store(Arc::new(Ranks::of(index)));
        }
        let ranks = self.ranks.load_full();
        if ranks.removals == index.removals() { ranks } else { Arc::default() }
    }
}

impl Ranks {
    fn of(index: &HeadIndex) -> Self {
        let mut slots: Vec<u32> = index.places().map(|place| place.slot).collect();
        let mut by_slot = vec![NONE; slots.last().map_or(0, |last| *last as usize + 1)];
        sort_by_labels(index, &mut slots);
        for (slot, rank) in slots.iter().zip(0..) {
            by_slot[*slot as usize] = rank;
        }
        Ranks { by_slot, removals: index.removals() }
    }

    /// Sorts the slots that have a rank, and takes the others out.
    fn sort(&self, slots: &mut Vec<u32>) -> Vec<u32> {
        if slots.len() < self.by_slot.len() / RANKS_FOR_ONE {
            let mut ranked: Vec<u64> = Vec::with_capacity(slots.len());
            let others = self.take(slots, |rank, slot| ranked.push(u64::from(rank) << 32 | u64::from(slot)));
            ranked.sort_unstable();
            slots.extend(ranked.iter().map(|ranked| *ranked as u32));
            others
        } else {
            // Where there are many, each goes straight to its place.
            let mut by_rank = vec![NONE; self.by_slot.len()];
            let others = self.take(slots, |rank, slot| by_rank[rank as usize] = slot);
            slots.extend(by_rank.into_iter().filter(|slot| *slot != NONE));
            others
        }
    }

    /// Takes all slots out: those that have a rank with it, the others as a list.
    fn take(&self, slots: &mut Vec<u32>, mut ranked: impl FnMut(u32, u32)) -> Vec<u32> {
        let mut others = Vec::new();
        for slot in slots.drain(..) {
            match self.by_slot.get(slot as usize) {
                Some(rank) if *rank != NONE => ranked(*rank, slot),
                _ => others.push(slot),
            }
        }
        others
    }
}

/// Sorts the slots of series by their labels. There are far fewer labels than series, so labels are sorted as text, once each, and series
/// by the places of their labels among these.
fn sort_by_labels(index: &HeadIndex, slots: &mut [u32]) {
    if slots.len() < FEW.max(index.label_count() / LABELS_FOR_ONE) {
        slots.sort_unstable_by(|a, b| compare(index, *a, *b));
        return;
    }
    let ranks = label_ranks(index, slots);
    let mut places = Vec::with_capacity(slots.len() * LABELS_EXPECTED);
    let mut series: Vec<(usize, usize, u32)> = Vec::with_capacity(slots.len());
    for slot in &*slots {
        let start = places.len();
        places.extend(index.numbers(*slot).iter().map(|number| ranks[*number as usize]));
        series.push((start, places.len(), *slot));
    }
    series.sort_unstable_by(|(start, end, _), (other, other_end, _)| {
        places[*start..*end].cmp(&places[*other..*other_end])
    });
    for (slot, (_, _, sorted)) in slots.iter_mut().zip(series) {
        *slot = sorted;
    }
}

/// One list of two that are sorted by labels; `slot` tells which series an item is of.
pub(super) fn merge_by_labels<T>(index: &HeadIndex, many: Vec<T>, few: Vec<T>, slot: impl Fn(&T) -> u32) -> Vec<T> {
    let mut all = Vec::with_capacity(many.len() + few.len());
    let mut rest = many.into_iter();
    for item in few {
        let before = rest.as_slice().partition_point(|other| compare(index, slot(other), slot(&item)).is_lt());
        all.extend(rest.by_ref().take(before));
        all.push(item);
    }
    all.extend(rest);
    all
}

/// For each label that the series have, its place among them.
fn label_ranks(index: &HeadIndex, slots: &[u32]) -> Vec<u32> {
    let mut ranks = vec![NONE; index.label_count()];
    let mut used = Vec::new();
    for number in slots.iter().flat_map(|slot| index.numbers(*slot)) {
        let rank = &mut ranks[*number as usize];
        if *rank == NONE {
            *rank = 0;
            used.push(*number);
        }
    }
    used.sort_unstable_by(|a, b| index.label_text(*a).cmp(&index.label_text(*b)));
    for (rank, number) in used.iter().enumerate() {
        ranks[*number as usize] = rank as u32;
    }
    ranks
}

fn compare(index: &HeadIndex, a: u32, b: u32) -> Ordering {
    index.pairs(a).cmp(index.pairs(b))
}

#[cfg(test)]
mod tests {
    use model::Labels;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_order_of_labels(
            all in proptest::collection::btree_set(
                proptest::collection::btree_map("[a-c_]{1,2}", "[a-d0-9]{1,3}", 0..5), 1..400
            ),
            rounds in proptest::collection::vec((0..200_usize, 0..30_usize, 0..400_usize), 1..8),
        ) {
            let (mut index, order) = (HeadIndex::default(), Order::default());
            let mut rest = all.iter().zip(1..);
            for (added, removed, wanted) in rounds {
                for (pairs, reference) in rest.by_ref().take(added) {
                    index.add(&Labels::from_pairs(pairs), reference).expect("there is room");
                }
                let mut slots: Vec<u32> = index.places().map(|place| place.slot).collect();
                slots.truncate(wanted);
                let mut expected = slots.clone();
                expected.sort_by_key(|slot| index.labels(*slot));
                let mut few = slots.clone();
                sort_by_labels(&index, &mut few);
                prop_assert_eq!(&few, &expected);
                order.sort(&index, &mut slots);
                prop_assert_eq!(&slots, &expected);
                let (few, many): (Vec<u32>, Vec<u32>) = slots.iter().partition(|slot| **slot % 3 == 0);
                prop_assert_eq!(merge_by_labels(&index, many, few, |slot| *slot), expected);
                index.remove(&slots[..removed.min(slots.len())]);
            }
        }
    }

    #[test]
    fn ranks_are_given_once_and_hold_until_series_go() {
        let (mut index, order) = (HeadIndex::default(), Order::default());
        let add = |index: &mut HeadIndex, from: u64, to: u64| {
            for reference in from..to {
                let labels = Labels::from_pairs([("i", (reference * 7919 % 1000).to_string())]);
                index.add(&labels, reference).expect("there is room");
            }
        };
        let sort = |index: &HeadIndex| {
            let mut slots: Vec<u32> = index.places().map(|place| place.slot).collect();
            order.sort(index, &mut slots);
            assert!(slots.is_sorted_by_key(|slot| index.labels(*slot)));
            order.sorted.load(atomic::Ordering::Relaxed)
        };
        add(&mut index, 1, 301);
        assert_eq!((sort(&index), sort(&index), sort(&index)), (300, 0, 0));
        add(&mut index, 301, 401);
        assert_eq!((sort(&index), sort(&index)), (100, 200));
        index.remove(&[5]);
        assert_eq!((sort(&index), sort(&index)), (599, 0));
    }

    #[test]
    fn few_of_many_and_many_are_sorted_alike() {
        let (mut index, order) = (HeadIndex::default(), Order::default());
        for reference in 1..=3000_u64 {
            let labels = Labels::from_pairs([("i", (reference * 7919 % 3001).to_string())]);
            index.add(&labels, reference).expect("there is room");
        }
        let all: Vec<u32> = index.places().map(|place| place.slot).collect();
        let mut sorted = all.clone();
        (0..2).for_each(|_| order.sort(&index, &mut sorted));
        for asked in [all.clone(), all[..64].to_vec(), all[2000..2093].to_vec(), all[100..200].to_vec()] {
            let want: Vec<u32> = sorted.iter().copied().filter(|slot| asked.contains(slot)).collect();
            let mut got = asked;
            order.sort(&index, &mut got);
            assert_eq!(got, want);
        }
    }
}
