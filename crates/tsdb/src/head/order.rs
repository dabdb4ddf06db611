//! Series in the order of their labels.
//!
//! Comparing labels as text is most of what it costs to select many series: 100,000 of them compare 1.7 million times, and most of what
//! they have in common comes first. There are far fewer labels than series, so labels are sorted as text, once each, and series by the
//! places of their labels among these.

use std::cmp::Ordering;

use super::index::HeadIndex;

/// Fewer series than this are compared as text, and fewer than one for so many labels of the head, which all would have to be looked at.
const FEW: usize = 64;
const LABELS_FOR_ONE: usize = 64;
const LABELS_EXPECTED: usize = 12;

/// Sorts the slots of series by their labels.
pub(super) fn sort_by_labels(index: &HeadIndex, slots: &mut [u32]) {
    if slots.len() < FEW.max(index.label_count() / LABELS_FOR_ONE) {
        slots.sort_unstable_by(|a, b| compare(index, *a, *b));
        return;
    }
    let ranks = ranks(index, slots);
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
fn ranks(index: &HeadIndex, slots: &[u32]) -> Vec<u32> {
    const UNUSED: u32 = u32::MAX;
    let mut ranks = vec![UNUSED; index.label_count()];
    let mut used = Vec::new();
    for number in slots.iter().flat_map(|slot| index.numbers(*slot)) {
        let rank = &mut ranks[*number as usize];
        if *rank == UNUSED {
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
                proptest::collection::btree_map("[a-c_]{1,2}", "[a-d0-9]{1,3}", 0..5), 1..200
            ),
            wanted in 1..200_usize,
        ) {
            let mut index = HeadIndex::default();
            let mut slots: Vec<u32> = all
                .iter()
                .zip(1..)
                .map(|(pairs, reference)| index.add(&Labels::from_pairs(pairs), reference).expect("there is room").slot)
                .collect();
            slots.reverse();
            slots.truncate(wanted);
            let mut expected = slots.clone();
            expected.sort_by_key(|slot| index.labels(*slot));
            sort_by_labels(&index, &mut slots);
            prop_assert_eq!(&slots, &expected);
            let (few, many): (Vec<u32>, Vec<u32>) = slots.iter().partition(|slot| **slot % 3 == 0);
            prop_assert_eq!(merge_by_labels(&index, many, few, |slot| *slot), expected);
        }
    }
}
