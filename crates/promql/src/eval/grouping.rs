//! Series that belong together because some of their labels are equal.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use model::{Labels, METRIC_NAME};

/// Which labels count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grouping<'a> {
    /// The labels of `by`, `without`, `on` or `ignoring`.
    pub(crate) names: &'a [String],
    /// All labels but `names` and the metric's name count.
    pub(crate) without: bool,
}

impl Grouping<'_> {
    /// Whether a label counts.
    #[inline]
    fn counts(&self, name: &str) -> bool {
        let listed = self.names.iter().any(|listed| listed == name);
        if self.without { !listed && name != METRIC_NAME } else { listed }
    }
}

/// Numbers groups in the order in which they come. Finding the group of a series allocates nothing.
#[derive(Debug)]
pub(crate) struct Groups<'a> {
    grouping: Grouping<'a>,
    hasher: FixedState,
    table: HashTable<usize>,
    labels: Vec<Labels>,
    /// The last labels and their group.
    last: Option<(Labels, usize)>,
}

impl<'a> Groups<'a> {
    /// No groups yet.
    pub(crate) fn new(grouping: Grouping<'a>) -> Self {
        Groups { grouping, hasher: FixedState::default(), table: HashTable::new(), labels: Vec::new(), last: None }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// The labels that the group's series have in common.
    pub(crate) fn labels(&self, group: usize) -> &Labels {
        &self.labels[group]
    }

    /// The group of a series, a new one if need be.
    pub(crate) fn find_or_add(&mut self, labels: &Labels) -> usize {
        if let Some((_, group)) = self.last.as_ref().filter(|(last, _)| last.is_clone_of(labels)) {
            return *group;
        }
        let group = self.look_up_or_add(labels);
        self.last = Some((labels.clone(), group));
        group
    }

    fn look_up_or_add(&mut self, labels: &Labels) -> usize {
        let hash = self.hash(labels);
        if let Some(group) = self.find_hashed(labels, hash) {
            return group;
        }
        let group = self.labels.len();
        self.labels.push(labels.filtered(|name| self.grouping.counts(name)));
        let (known, hasher, grouping) = (&self.labels, &self.hasher, self.grouping);
        self.table.insert_unique(hash, group, |at| hash_counting(hasher, grouping, &known[*at]));
        group
    }

    /// The group of a series, if there is one.
    pub(crate) fn find(&self, labels: &Labels) -> Option<usize> {
        self.find_hashed(labels, self.hash(labels))
    }

    fn find_hashed(&self, labels: &Labels, hash: u64) -> Option<usize> {
        let same =
            |at: &usize| labels.iter().filter(|(name, _)| self.grouping.counts(name)).eq(self.labels[*at].iter());
        self.table.find(hash, same).copied()
    }

    fn hash(&self, labels: &Labels) -> u64 {
        hash_counting(&self.hasher, self.grouping, labels)
    }
}

fn hash_counting(hasher: &FixedState, grouping: Grouping<'_>, labels: &Labels) -> u64 {
    let mut state = hasher.build_hasher();
    for pair in labels.iter().filter(|(name, _)| grouping.counts(name)) {
        pair.hash(&mut state);
    }
    state.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_by_and_without() {
        let series = [
            Labels::from_pairs([("__name__", "a"), ("job", "x"), ("instance", "1")]),
            Labels::from_pairs([("__name__", "b"), ("job", "x"), ("instance", "2")]),
            Labels::from_pairs([("__name__", "b"), ("job", "y"), ("instance", "1")]),
        ];
        let check = |names: &[&str], without: bool, want: &[usize]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut groups = Groups::new(Grouping { names: &names, without });
            let got: Vec<usize> = series.iter().map(|labels| groups.find_or_add(labels)).collect();
            assert_eq!(got, want);
            assert!(series.iter().zip(want).all(|(labels, group)| groups.find(labels) == Some(*group)));
        };
        check(&[], false, &[0, 0, 0]);
        check(&["job"], false, &[0, 0, 1]);
        check(&["instance"], true, &[0, 0, 1]);
        check(&[], true, &[0, 1, 2]);
        check(&["__name__"], false, &[0, 1, 1]);
    }
}
