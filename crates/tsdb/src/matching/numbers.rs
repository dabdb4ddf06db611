//! Ascending lists of numbers, each number once: what postings are.

use std::borrow::Cow;

/// Numbers that follow one another, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The lowest of them.
    pub first: u32,
    /// The highest of them.
    pub last: u32,
}

impl Run {
    /// How many numbers it has, which is at least one.
    pub(crate) fn count(self) -> usize {
        (self.last - self.first) as usize + 1
    }
}

/// A list in one of the forms that an index may hold it in.
#[derive(Debug, Clone)]
pub enum Numbers<'a> {
    /// Number by number.
    List(Cow<'a, [u32]>),
    /// As runs, ascending, with a gap after each.
    Runs(&'a [Run]),
}

impl Numbers<'_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Numbers::List(list) => list.len(),
            Numbers::Runs(runs) => runs.iter().map(|run| run.count()).sum(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        match self {
            Numbers::List(list) => list.is_empty(),
            Numbers::Runs(runs) => runs.is_empty(),
        }
    }

    /// Number by number.
    pub fn into_vec(self) -> Vec<u32> {
        match self {
            Numbers::List(list) => list.into_owned(),
            Numbers::Runs(_) => {
                let mut all = Vec::with_capacity(self.len());
                self.append_to(&mut all);
                all
            }
        }
    }

    /// Puts all of them behind what `out` has.
    pub(crate) fn append_to(&self, out: &mut Vec<u32>) {
        match self {
            Numbers::List(list) => out.extend_from_slice(list),
            Numbers::Runs(runs) => runs.iter().for_each(|run| out.extend(run.first..=run.last)),
        }
    }

    /// Keeps of `found`, which is ascending, what this list has (`present`) or doesn't have. Skips ahead in doubling steps, so a
    /// short list against a long one costs little.
    pub(super) fn keep_common(&self, found: &mut Vec<u32>, present: bool) {
        match self {
            Numbers::List(list) => {
                let mut rest = &**list;
                found.retain(|id| {
                    rest = skip_below(rest, *id);
                    (rest.first() == Some(id)) == present
                });
            }
            Numbers::Runs(runs) => {
                let mut rest = *runs;
                found.retain(|id| {
                    rest = skip_while(rest, |run| run.last < *id);
                    rest.first().is_some_and(|run| run.first <= *id) == present
                });
            }
        }
    }
}

impl From<Vec<u32>> for Numbers<'_> {
    fn from(list: Vec<u32>) -> Self {
        Numbers::List(list.into())
    }
}

impl<'a> From<&'a [u32]> for Numbers<'a> {
    fn from(list: &'a [u32]) -> Self {
        Numbers::List(list.into())
    }
}

/// The part of an ascending list that begins with the first element that is at least `id`.
pub(crate) fn skip_below(list: &[u32], id: u32) -> &[u32] {
    skip_while(list, |number| *number < id)
}

/// The part of a list that begins with the first element that isn't `below`; none behind it is.
fn skip_while<T>(list: &[T], below: impl Fn(&T) -> bool) -> &[T] {
    if !list.first().is_some_and(&below) {
        return list;
    }
    let mut step = 1;
    while step < list.len() && below(&list[step]) {
        step *= 2;
    }
    let from = step / 2;
    let within = &list[from..list.len().min(step + 1)];
    &list[from + within.partition_point(below)..]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn runs_of(set: &BTreeSet<u32>) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for number in set {
            match runs.last_mut() {
                Some(run) if run.last + 1 == *number => run.last = *number,
                _ => runs.push(Run { first: *number, last: *number }),
            }
        }
        runs
    }

    proptest! {
        #[test]
        fn both_forms_are_sets(
            set in proptest::collection::btree_set(0..120_u32, 0..60),
            other in proptest::collection::btree_set(0..120_u32, 0..60),
            present: bool,
        ) {
            let (list, runs) = (Vec::from_iter(set.iter().copied()), runs_of(&set));
            let want: Vec<u32> = other.iter().copied().filter(|number| set.contains(number) == present).collect();
            for form in [Numbers::from(&*list), Numbers::Runs(&runs)] {
                prop_assert_eq!((form.len(), form.is_empty()), (list.len(), list.is_empty()));
                let mut found = Vec::from_iter(other.iter().copied());
                form.keep_common(&mut found, present);
                prop_assert_eq!(&found, &want);
                prop_assert_eq!(form.into_vec(), list.clone());
            }
        }

        #[test]
        fn skips_to_the_first_that_is_not_below(set in proptest::collection::btree_set(0..200_u32, 0..60), id in 0..200_u32) {
            let list = Vec::from_iter(set);
            let want = &list[list.partition_point(|x| *x < id)..];
            prop_assert_eq!(skip_below(&list, id), want);
        }
    }
}
