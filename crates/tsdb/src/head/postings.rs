//! The head's inverted index: for each label the ascending list of slots that have it.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::pairs::Pairs;
use super::slots::Slots;
use crate::matching::Numbers;

/// The labels of one name. Most are in order of their values, so that those with a prefix are found without looking at the
/// others; the latest wait until they are worth a merge.
#[derive(Debug, Default)]
struct Values {
    sorted: Vec<u32>,
    recent: Vec<u32>,
}

impl Values {
    fn add<'t>(&mut self, pair: u32, value: impl Fn(u32) -> &'t str) {
        self.recent.push(pair);
        if self.recent.len() > 32 + self.sorted.len() / 8 {
            self.sorted.append(&mut self.recent);
            self.sorted.sort_by(|a, b| value(*a).cmp(value(*b))); // merges two runs
            self.recent.shrink_to_fit();
        }
    }

    fn all(&self) -> impl Iterator<Item = u32> {
        self.sorted.iter().chain(&self.recent).copied()
    }

    fn with_prefix<'t>(&self, prefix: &str, value: impl Fn(u32) -> &'t str) -> impl Iterator<Item = u32> {
        let from = self.sorted.partition_point(|pair| value(*pair) < prefix);
        let rest = &self.sorted[from..];
        let found = &rest[..rest.partition_point(|pair| value(*pair).starts_with(prefix))];
        let recent = self.recent.iter().filter(move |pair| value(**pair).starts_with(prefix));
        found.iter().chain(recent).copied()
    }

    fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        self.sorted.retain(|pair| keep(*pair));
        self.recent.retain(|pair| keep(*pair));
    }
}

/// Lists by the number of the label, and the labels of each name.
#[derive(Debug, Default)]
pub(super) struct PostingsMap {
    lists: Vec<Slots>,
    /// Labels with series, by the symbol of their name.
    by_name: HashMap<u32, Values, FixedState>,
}

impl PostingsMap {
    /// Notes that the series of `slot` has the label `pair`.
    pub(super) fn add(&mut self, pairs: &Pairs, pair: u32, slot: u32) {
        let at = pair as usize;
        if at >= self.lists.len() {
            self.lists.resize_with(at + 1, Slots::default);
        }
        if self.lists[at].is_empty() {
            self.by_name.entry(pairs.get(pair).0).or_default().add(pair, |pair| pairs.text(pair).1);
        }
        self.lists[at].add(slot);
    }

    /// Removes the series that `gone` names.
    pub(super) fn remove(&mut self, gone: &dyn Fn(u32) -> bool) {
        self.lists.iter_mut().for_each(|slots| slots.remove(gone));
        let lists = &self.lists;
        self.by_name.retain(|_, values| {
            values.retain(|pair| !lists[pair as usize].is_empty());
            values.all().next().is_some()
        });
    }

    /// The series with a label.
    pub(super) fn get(&self, pair: u32) -> Numbers<'_> {
        self.lists.get(pair as usize).map_or(Numbers::from(&[][..]), Slots::numbers)
    }

    /// The names of all labels that have series, as symbols, in no order.
    pub(super) fn names(&self) -> impl Iterator<Item = u32> {
        self.by_name.keys().copied()
    }

    /// The labels of a name that have series, with these, in no order.
    pub(super) fn of_name(&self, name: u32) -> impl Iterator<Item = (u32, Numbers<'_>)> {
        self.by_name.get(&name).into_iter().flat_map(Values::all).map(|pair| (pair, self.get(pair)))
    }

    /// As `of_name`, those whose value begins with `prefix`.
    pub(super) fn of_name_with<'a>(
        &'a self,
        pairs: &'a Pairs,
        name: u32,
        prefix: &'a str,
    ) -> impl Iterator<Item = (u32, Numbers<'a>)> {
        let values = self.by_name.get(&name).into_iter();
        values
            .flat_map(move |values| values.with_prefix(prefix, |pair| pairs.text(pair).1))
            .map(|pair| (pair, self.get(pair)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_stay_ascending_and_empty_ones_go() {
        let mut pairs = Pairs::default();
        let [x, y] = ["x", "y"].map(|value| pairs.intern("a", value).expect("room"));
        let name = pairs.get(x).0;
        let mut map = PostingsMap::default();
        [5, 1, 9, 3, 3].iter().for_each(|slot| map.add(&pairs, x, *slot));
        map.add(&pairs, y, 5);
        assert_eq!(map.get(x).into_vec(), [1, 3, 5, 9]);
        map.remove(&|slot| slot == 5 || slot == 1);
        assert_eq!(map.get(x).into_vec(), [3, 9]);
        assert_eq!(map.of_name(name).map(|(pair, slots)| (pair, slots.len())).collect::<Vec<_>>(), [(x, 2)]);
        map.add(&pairs, y, 4);
        assert_eq!(map.get(y).into_vec(), [4]);
        assert_eq!(map.of_name(name).count(), 2);
        map.remove(&|_| true);
        assert_eq!(map.names().count(), 0);
    }

    #[test]
    fn values_are_found_by_their_beginning() {
        let mut pairs = Pairs::default();
        let mut map = PostingsMap::default();
        for i in 0..500_u32 {
            let pair =
                pairs.intern("pod", &format!("{}-{i}", ["db", "web", "web-canary"][i as usize % 3])).expect("room");
            map.add(&pairs, pair, i);
        }
        let name = pairs.symbols().find("pod").expect("there");
        for (prefix, want) in [("", 500), ("web", 333), ("web-canary-", 166), ("db-0", 1), ("x", 0)] {
            let found: Vec<_> = map.of_name_with(&pairs, name, prefix).map(|(pair, _)| pairs.text(pair).1).collect();
            assert_eq!(found.len(), want, "{prefix}");
            assert!(found.iter().all(|value| value.starts_with(prefix)));
        }
    }
}
