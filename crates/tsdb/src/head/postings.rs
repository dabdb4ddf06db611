//! The head's inverted index: for each label the ascending list of slots that have it.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// Slots, ascending. Most labels of a large head are those of a single series.
#[derive(Debug, Default)]
enum Slots {
    #[default]
    None,
    One(u32),
    Many(Vec<u32>),
}

impl Slots {
    fn as_slice(&self) -> &[u32] {
        match self {
            Slots::None => &[],
            Slots::One(slot) => std::slice::from_ref(slot),
            Slots::Many(slots) => slots,
        }
    }

    fn add(&mut self, slot: u32) {
        match self {
            Slots::None => *self = Slots::One(slot),
            Slots::One(first) if *first == slot => {}
            Slots::One(first) => *self = Slots::Many(vec![slot.min(*first), slot.max(*first)]),
            Slots::Many(slots) => {
                if slots.len() == slots.capacity() {
                    // An eighth at a time, not double: these lists are a tenth of the head's memory.
                    slots.reserve_exact(2 + slots.len() / 8);
                }
                // A slot that is used again comes in between; a new one comes last.
                if slots.last().is_some_and(|last| *last < slot) {
                    slots.push(slot);
                } else if let Err(at) = slots.binary_search(&slot) {
                    slots.insert(at, slot);
                }
            }
        }
    }

    /// Removes what `gone` names.
    fn remove(&mut self, gone: &dyn Fn(u32) -> bool) {
        match self {
            Slots::None => {}
            Slots::One(slot) => {
                if gone(*slot) {
                    *self = Slots::None;
                }
            }
            Slots::Many(slots) => {
                slots.retain(|slot| !gone(*slot));
                if slots.is_empty() {
                    *self = Slots::None;
                } else if slots.capacity() > slots.len() * 2 {
                    slots.shrink_to_fit();
                }
            }
        }
    }
}

/// Lists by the number of the label, and the labels of each name.
#[derive(Debug, Default)]
pub(super) struct PostingsMap {
    lists: Vec<Slots>,
    /// Labels with series, by the symbol of their name.
    by_name: HashMap<u32, Vec<u32>, FixedState>,
}

impl PostingsMap {
    /// Notes that the series of `slot` has the label `pair`, whose name has the symbol `name`.
    pub(super) fn add(&mut self, name: u32, pair: u32, slot: u32) {
        let at = pair as usize;
        if at >= self.lists.len() {
            self.lists.resize_with(at + 1, Slots::default);
        }
        if self.lists[at].as_slice().is_empty() {
            self.by_name.entry(name).or_default().push(pair);
        }
        self.lists[at].add(slot);
    }

    /// Removes the series that `gone` names.
    pub(super) fn remove(&mut self, gone: &dyn Fn(u32) -> bool) {
        self.lists.iter_mut().for_each(|slots| slots.remove(gone));
        let lists = &self.lists;
        for pairs in self.by_name.values_mut() {
            pairs.retain(|pair| !lists[*pair as usize].as_slice().is_empty());
        }
        self.by_name.retain(|_, pairs| !pairs.is_empty());
    }

    /// The series with a label.
    pub(super) fn get(&self, pair: u32) -> &[u32] {
        self.lists.get(pair as usize).map_or(&[], Slots::as_slice)
    }

    /// The names of all labels that have series, as symbols, in no order.
    pub(super) fn names(&self) -> impl Iterator<Item = u32> {
        self.by_name.keys().copied()
    }

    /// The labels of a name that have series, with these, in no order.
    pub(super) fn of_name(&self, name: u32) -> impl Iterator<Item = (u32, &[u32])> {
        self.by_name.get(&name).into_iter().flatten().map(|pair| (*pair, self.get(*pair)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_stay_ascending_and_empty_ones_go() {
        let mut map = PostingsMap::default();
        [5, 1, 9, 3, 3].iter().for_each(|slot| map.add(7, 0, *slot));
        map.add(7, 1, 5);
        assert_eq!(map.get(0), [1, 3, 5, 9]);
        map.remove(&|slot| slot == 5 || slot == 1);
        assert_eq!(map.get(0), [3, 9]);
        assert_eq!(map.of_name(7).map(|(pair, slots)| (pair, slots.len())).collect::<Vec<_>>(), [(0, 2)]);
        map.add(7, 1, 4);
        assert_eq!(map.get(1), [4]);
        assert_eq!(map.of_name(7).count(), 2);
        map.remove(&|_| true);
        assert_eq!(map.names().count(), 0);
    }
}
