//! The head's inverted index: for each label the ascending list of slots that have it.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

type Map<V> = HashMap<u32, V, FixedState>;

/// Slots, ascending. Most labels of a large head are those of a single series.
#[derive(Debug)]
pub(super) enum Slots {
    One(u32),
    Many(Vec<u32>),
}

impl Slots {
    pub(super) fn as_slice(&self) -> &[u32] {
        match self {
            Slots::One(slot) => std::slice::from_ref(slot),
            Slots::Many(slots) => slots,
        }
    }

    fn add(&mut self, slot: u32) {
        match self {
            Slots::One(first) if *first == slot => {}
            Slots::One(first) => *self = Slots::Many(vec![slot.min(*first), slot.max(*first)]),
            // A slot that is used again comes in between; a new one comes last.
            Slots::Many(slots) if slots.last().is_some_and(|last| *last < slot) => slots.push(slot),
            Slots::Many(slots) => {
                if let Err(at) = slots.binary_search(&slot) {
                    slots.insert(at, slot);
                }
            }
        }
    }

    /// Removes what `gone` names; tells whether anything is left.
    fn remove(&mut self, gone: &dyn Fn(u32) -> bool) -> bool {
        match self {
            Slots::One(slot) => !gone(*slot),
            Slots::Many(slots) => {
                slots.retain(|slot| !gone(*slot));
                if slots.capacity() > slots.len() * 2 {
                    slots.shrink_to_fit();
                }
                !slots.is_empty()
            }
        }
    }
}

/// Lists by name, then value, both as symbols.
#[derive(Debug, Default)]
pub(super) struct PostingsMap {
    names: Map<Map<Slots>>,
}

impl PostingsMap {
    pub(super) fn add(&mut self, name: u32, value: u32, slot: u32) {
        self.names
            .entry(name)
            .or_default()
            .entry(value)
            .and_modify(|slots| slots.add(slot))
            .or_insert(Slots::One(slot));
    }

    pub(super) fn remove(&mut self, gone: &dyn Fn(u32) -> bool) {
        for values in self.names.values_mut() {
            values.retain(|_, slots| slots.remove(gone));
            if values.capacity() > values.len() * 4 {
                values.shrink_to_fit();
            }
        }
        self.names.retain(|_, values| !values.is_empty());
    }

    pub(super) fn get(&self, name: u32, value: u32) -> &[u32] {
        self.names.get(&name).and_then(|values| values.get(&value)).map_or(&[], Slots::as_slice)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = u32> {
        self.names.keys().copied()
    }

    /// The values of a name with their slots, in no order.
    pub(super) fn values(&self, name: u32) -> impl Iterator<Item = (u32, &[u32])> {
        self.names.get(&name).into_iter().flatten().map(|(value, slots)| (*value, slots.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_stay_ascending_and_empty_ones_go() {
        let mut map = PostingsMap::default();
        [5, 1, 9, 3, 3].iter().for_each(|slot| map.add(0, 0, *slot));
        map.add(0, 1, 5);
        assert_eq!(map.get(0, 0), [1, 3, 5, 9]);
        map.remove(&|slot| slot == 5 || slot == 1);
        assert_eq!(map.get(0, 0), [3, 9]);
        assert!(map.get(0, 1).is_empty());
        map.remove(&|_| true);
        assert_eq!(map.names().count(), 0);
    }
}
