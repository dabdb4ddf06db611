//! The slots of the series that have a label, in as few bytes as they need.

use crate::matching::{Numbers, Run};

/// Slots, ascending. Most labels of a large head are those of a single series. Of the others many are those of whole targets,
/// whose series came one after the other: those are kept as runs.
#[derive(Debug, Default)]
pub(super) enum Slots {
    #[default]
    None,
    One(u32),
    List(Vec<u32>),
    Runs(Vec<Run>),
}

/// From so many slots on it is worth a look whether they are runs.
const RUNS_FROM: usize = 16;

impl Slots {
    pub(super) fn numbers(&self) -> Numbers<'_> {
        match self {
            Slots::None => Numbers::from(&[][..]),
            Slots::One(slot) => Numbers::from(std::slice::from_ref(slot)),
            Slots::List(slots) => Numbers::from(&**slots),
            Slots::Runs(runs) => Numbers::Runs(runs),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Slots::None)
    }

    pub(super) fn add(&mut self, slot: u32) {
        match self {
            Slots::None => *self = Slots::One(slot),
            Slots::One(first) if *first == slot => {}
            Slots::One(first) => *self = Slots::List(vec![slot.min(*first), slot.max(*first)]),
            Slots::List(slots) => {
                if slots.len() == slots.capacity() && slots.len() >= RUNS_FROM && count_runs(slots) * 4 <= slots.len() {
                    *self = Slots::Runs(to_runs(slots.iter().copied()));
                    return self.add(slot);
                }
                // A slot that is used again comes in between; a new one comes last.
                if slots.last().is_some_and(|last| *last < slot) {
                    reserve_one(slots);
                    slots.push(slot);
                } else if let Err(at) = slots.binary_search(&slot) {
                    reserve_one(slots);
                    slots.insert(at, slot);
                }
            }
            Slots::Runs(runs) => {
                add_to_runs(runs, slot);
                if runs.len() == runs.capacity() {
                    self.choose_form();
                }
            }
        }
    }

    /// Makes a list of runs that take as much memory as one would.
    fn choose_form(&mut self) {
        let Slots::Runs(runs) = self else { return };
        let slots = Numbers::Runs(runs);
        if runs.len() * 2 > slots.len() {
            *self = Slots::List(slots.into_vec());
        }
    }

    /// Removes what `gone` names.
    pub(super) fn remove(&mut self, gone: &dyn Fn(u32) -> bool) {
        match self {
            Slots::None => {}
            Slots::One(slot) => {
                if gone(*slot) {
                    *self = Slots::None;
                }
            }
            Slots::List(slots) => {
                slots.retain(|slot| !gone(*slot));
                if slots.is_empty() {
                    *self = Slots::None;
                } else if slots.capacity() > slots.len() * 2 {
                    slots.shrink_to_fit();
                }
            }
            Slots::Runs(runs) => {
                let left = runs.iter().flat_map(|run| run.first..=run.last).filter(|slot| !gone(*slot));
                let left = to_runs(left);
                if left.is_empty() {
                    *self = Slots::None;
                } else {
                    *self = Slots::Runs(left);
                    self.choose_form();
                }
            }
        }
    }
}

/// Makes room for one more: an eighth at a time, not double, because these lists are a good part of the head's memory.
fn reserve_one<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(2 + list.len() / 8);
    }
}

fn count_runs(slots: &[u32]) -> usize {
    1 + slots.windows(2).filter(|pair| pair[1] - pair[0] > 1).count()
}

fn to_runs(slots: impl Iterator<Item = u32>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for slot in slots {
        match runs.last_mut() {
            Some(run) if run.last + 1 == slot => run.last = slot,
            _ => {
                reserve_one(&mut runs);
                runs.push(Run { first: slot, last: slot });
            }
        }
    }
    runs
}

fn add_to_runs(runs: &mut Vec<Run>, slot: u32) {
    // A slot that is used again may come anywhere; a new one comes last.
    let is_last = runs.last().is_none_or(|run| run.last < slot);
    let at = if is_last { runs.len() } else { runs.partition_point(|run| run.first <= slot) };
    let (before, behind) = runs.split_at_mut(at);
    match (before.last_mut(), behind.first_mut()) {
        (Some(before), _) if slot <= before.last => {}
        (Some(before), Some(behind)) if before.last + 1 == slot && slot + 1 == behind.first => {
            before.last = behind.last;
            runs.remove(at);
        }
        (Some(before), _) if before.last + 1 == slot => before.last = slot,
        (_, Some(behind)) if slot + 1 == behind.first => behind.first = slot,
        _ => {
            reserve_one(runs);
            runs.insert(at, Run { first: slot, last: slot });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Change {
        /// So many slots from one on, so far apart.
        Add(u32, u32, u32),
        /// What leaves this remainder when divided by the other.
        Remove(u32, u32),
    }

    fn any_change() -> impl Strategy<Value = Change> {
        prop_oneof![
            4 => (0..300_u32, 1..60_u32, 1..4_u32).prop_map(|(from, count, step)| Change::Add(from, count, step)),
            1 => (0..3_u32, 1..4_u32).prop_map(|(rest, of)| Change::Remove(rest, of)),
        ]
    }

    proptest! {
        #[test]
        fn they_are_a_set(changes in proptest::collection::vec(any_change(), 0..20)) {
            let (mut slots, mut want) = (Slots::default(), BTreeSet::new());
            for change in changes {
                match change {
                    Change::Add(from, count, step) => {
                        for slot in (0..count).map(|i| from + i * step) {
                            slots.add(slot);
                            want.insert(slot);
                        }
                    }
                    Change::Remove(rest, of) => {
                        slots.remove(&|slot| slot % of == rest);
                        want.retain(|slot| slot % of != rest);
                    }
                }
                prop_assert_eq!(slots.numbers().into_vec(), Vec::from_iter(want.iter().copied()));
                prop_assert_eq!(slots.is_empty(), want.is_empty());
                if let Slots::Runs(runs) = &slots {
                    prop_assert!(runs.is_sorted_by(|one, next| one.last + 1 < next.first), "{runs:?}");
                }
            }
        }
    }

    #[test]
    fn whole_targets_are_runs_and_scattered_series_a_list() {
        let of = |slots: &mut dyn Iterator<Item = u32>| {
            let mut out = Slots::default();
            slots.for_each(|slot| out.add(slot));
            out
        };
        assert!(matches!(of(&mut (0..1000)), Slots::Runs(runs) if runs.len() == 1));
        assert!(matches!(of(&mut (0..1000).filter(|slot| slot % 100 < 50)), Slots::Runs(runs) if runs.len() == 10));
        assert!(matches!(of(&mut (0..1000).map(|slot| slot * 2)), Slots::List(_)));
        // What begins as one may become the other.
        assert!(matches!(of(&mut (0..100).chain((100..1000).map(|slot| slot * 2))), Slots::List(_)));
        assert!(matches!(of(&mut (0..100).map(|slot| slot * 2).chain(200..1000)), Slots::Runs(_)));
    }
}
