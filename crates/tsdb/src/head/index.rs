//! Which series the head has: their labels, finding them by labels and by matchers.

use std::cmp::Ordering;
use std::convert::Infallible;

use hashbrown::HashTable;
use model::{Labels, LabelsHasher};

use super::pairs::{Pair, Pairs};
use super::postings::PostingsMap;
use super::rows::{Row, Rows};
use super::symbols::Symbols;
use crate::matching::{Numbers, Postings, sort_union};

/// A series of the index.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// The series' number in the log; 0 where nobody is.
    reference: u64,
    labels: Row,
}

/// Names a series: its place in the head, and its number in the log to tell it from one that had the place before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) slot: u32,
    pub(super) reference: u64,
}

/// The labels of all series of the head. Slots are places that may be used again when a series is gone.
#[derive(Debug, Default)]
pub(super) struct HeadIndex {
    pairs: Pairs,
    /// By slot.
    entries: Vec<Entry>,
    /// The labels of all series as numbers of `pairs`. Those of removed series stay until all is made anew.
    labels: Rows,
    /// How many of `labels` are of removed series.
    unused: usize,
    free: Vec<u32>,
    by_labels: HashTable<Located>,
    postings: PostingsMap,
    last_reference: u64,
    /// How many times series were removed.
    removals: u64,
    /// The labels of the series that was added last.
    newest: Row,
    /// Those of one that is being added.
    row: Vec<u32>,
}

/// A slot with half the hash of its labels, so that the table can grow without reading labels.
#[derive(Debug, Clone, Copy)]
struct Located {
    hash: u32,
    slot: u32,
}

/// Spreads the half that is kept over all bits.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The half of a hash that is kept.
fn half(hash: u64) -> u32 {
    hash as u32
}

impl HeadIndex {
    /// The series with exactly these labels.
    pub(super) fn find(&self, labels: &Labels) -> Option<Place> {
        self.find_hashed(half(labels.stable_hash()), &labels.iter())
    }

    fn find_hashed<'a>(
        &'a self,
        hash: u32,
        labels: &(impl Iterator<Item = (&'a str, &'a str)> + Clone),
    ) -> Option<Place> {
        let has_labels = |slot: u32| self.pairs(slot).eq(labels.clone());
        let found = self.by_labels.find(spread(hash), |at| at.hash == hash && has_labels(at.slot))?;
        self.place(found.slot)
    }

    /// Where the series of a slot is.
    pub(super) fn place(&self, slot: u32) -> Option<Place> {
        let entry = self.entries.get(slot as usize).filter(|entry| entry.reference != 0)?;
        Some(Place { slot, reference: entry.reference })
    }

    /// The number that the next series should get.
    pub(super) fn next_reference(&self) -> u64 {
        self.last_reference + 1
    }

    /// The highest number of a series so far.
    pub(super) fn last_reference(&self) -> u64 {
        self.last_reference
    }

    /// How many times series were removed: as long as it is the same, a slot is nobody else's.
    pub(super) fn removals(&self) -> u64 {
        self.removals
    }

    /// Never gives out a number up to this one.
    pub(super) fn reserve_references(&mut self, up_to: u64) {
        self.last_reference = self.last_reference.max(up_to);
    }

    /// Adds a series that isn't here; `None` where 32 bits of slots or labels or 4 GiB of label text are full.
    pub(super) fn add(&mut self, labels: &Labels, reference: u64) -> Option<Place> {
        self.add_hashed(half(labels.stable_hash()), labels.iter(), reference)
    }

    /// The series with these labels, which are sorted by name, none twice and none empty; if it isn't here, it is added under this
    /// number. `None` as for `add`.
    pub(super) fn find_or_add(
        &mut self,
        hasher: &mut LabelsHasher,
        labels: &[(&str, &str)],
        reference: u64,
    ) -> Option<Place> {
        let hash = half(hasher.hash(labels.iter().copied()));
        self.find_hashed(hash, &labels.iter().copied())
            .or_else(|| self.add_hashed(hash, labels.iter().copied(), reference))
    }

    fn add_hashed<'a>(
        &mut self,
        hash: u32,
        labels: impl Iterator<Item = (&'a str, &'a str)>,
        reference: u64,
    ) -> Option<Place> {
        self.find_numbers(labels)?;
        let slot = match self.free.last() {
            Some(slot) => *slot,
            None => u32::try_from(self.entries.len()).ok()?,
        };
        let row = self.labels.push(&self.row)?;
        if self.free.pop().is_none() {
            self.entries.push(Entry::default());
        }
        for pair in &self.row {
            self.postings.add(&self.pairs, *pair, slot);
        }
        self.entries[slot as usize] = Entry { reference, labels: row };
        self.newest = row;
        self.by_labels.insert_unique(spread(hash), Located { hash, slot }, |at| spread(at.hash));
        self.reserve_references(reference);
        Some(Place { slot, reference })
    }

    /// Puts the numbers of these labels into `row`. Series that are added one after the other mostly share labels: one that the last
    /// series had, too, need not be looked up.
    fn find_numbers<'a>(&mut self, labels: impl Iterator<Item = (&'a str, &'a str)>) -> Option<()> {
        self.row.clear();
        let mut like = self.labels.get(self.newest);
        for (name, value) in labels {
            let pair = match label_of_name(&self.pairs, &mut like, name) {
                Some(pair) if self.pairs.text(pair).1 == value => pair,
                Some(pair) => self.pairs.intern_value(self.pairs.get(pair).0, value)?,
                None => self.pairs.intern(name, value)?,
            };
            self.row.push(pair);
        }
        Some(())
    }

    /// Removes series. Where much is gone, symbols and tables are made anew, so that the memory comes back.
    pub(super) fn remove(&mut self, slots: &[u32]) {
        if slots.is_empty() {
            return;
        }
        self.removals += 1;
        for slot in slots {
            let entry = std::mem::take(&mut self.entries[*slot as usize]);
            self.unused += entry.labels.len();
        }
        if self.unused * 4 > self.labels.len() {
            self.rebuild();
            return;
        }
        let entries = &self.entries;
        let gone = |slot: u32| entries[slot as usize].reference == 0;
        self.by_labels.retain(|at| !gone(at.slot));
        self.postings.remove(&gone);
        self.free.extend_from_slice(slots);
        self.free.sort_unstable_by(|a, b| b.cmp(a)); // the lowest is taken first
    }

    fn rebuild(&mut self) {
        let old = std::mem::take(&mut self.pairs);
        let old_labels = std::mem::take(&mut self.labels);
        let hashes: Vec<Located> =
            self.by_labels.iter().filter(|at| self.entries[at.slot as usize].reference != 0).copied().collect();
        let (mut pairs, mut postings) = (Pairs::default(), PostingsMap::default());
        let mut labels = Rows::default();
        let mut renumbered: Vec<Option<u32>> = vec![None; old.len()];
        self.free.clear();
        for (slot, entry) in self.entries.iter_mut().enumerate() {
            let slot = slot as u32;
            if entry.reference == 0 {
                self.free.push(slot);
                continue;
            }
            self.row.clear();
            for pair in old_labels.get(entry.labels) {
                let renumbered = renumbered[*pair as usize].get_or_insert_with(|| {
                    let (name, value) = old.text(*pair);
                    pairs.intern(name, value).expect("a part of the old text fits where all of it did")
                });
                postings.add(&pairs, *renumbered, slot);
                self.row.push(*renumbered);
            }
            entry.labels = labels.push(&self.row).expect("a part of the old rows fits where all of them did");
        }
        self.free.reverse(); // the lowest is taken first
        (self.pairs, self.postings, self.labels, self.unused) = (pairs, postings, labels, 0);
        self.newest = Row::default();
        self.by_labels = HashTable::with_capacity(hashes.len());
        for located in hashes {
            self.by_labels.insert_unique(spread(located.hash), located, |at| spread(at.hash));
        }
    }

    /// How many series there are.
    pub(super) fn len(&self) -> usize {
        self.by_labels.len()
    }

    /// All series, by slot.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        let series = self.entries.iter().enumerate().filter(|(_, entry)| entry.reference != 0);
        series.map(|(slot, entry)| Place { slot: slot as u32, reference: entry.reference })
    }

    /// The labels of a slot as numbers of labels, sorted by name.
    pub(super) fn numbers(&self, slot: u32) -> &[u32] {
        let entry = self.entries.get(slot as usize).copied().unwrap_or_default();
        self.labels.get(entry.labels)
    }

    /// How many labels have had a number.
    pub(super) fn label_count(&self) -> usize {
        self.pairs.len()
    }

    /// The label with this number, as symbols.
    pub(super) fn label(&self, number: u32) -> Pair {
        self.pairs.get(number)
    }

    /// The label with this number, as text.
    pub(super) fn label_text(&self, number: u32) -> (&str, &str) {
        self.pairs.text(number)
    }

    /// The labels of a slot as text, sorted by name.
    pub(super) fn pairs(&self, slot: u32) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.numbers(slot).iter().map(|number| self.label_text(*number))
    }

    /// The labels of a slot.
    pub(super) fn labels(&self, slot: u32) -> Labels {
        Labels::from_sorted(self.pairs(slot))
    }

    /// The strings.
    pub(super) fn symbols(&self) -> &Symbols {
        self.pairs.symbols()
    }

    /// The names of all labels, in no order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.postings.names().map(|name| self.symbols().get(name))
    }

    /// The values of a label with the slots that have them, in no order.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = (&str, Numbers<'_>)> {
        let name = self.symbols().find(name);
        name.into_iter()
            .flat_map(|name| self.postings.of_name(name))
            .map(|(pair, slots)| (self.pairs.text(pair).1, slots))
    }
}

/// The label with this name among `row`, which loses what comes before it. Both are sorted by name.
fn label_of_name(pairs: &Pairs, row: &mut &[u32], name: &str) -> Option<u32> {
    while let Some((pair, rest)) = row.split_first() {
        match pairs.text(*pair).0.cmp(name) {
            Ordering::Less => *row = rest,
            Ordering::Equal => return Some(*pair),
            Ordering::Greater => return None,
        }
    }
    None
}

impl Postings for HeadIndex {
    type Error = Infallible;

    fn all(&self) -> Result<Numbers<'_>, Infallible> {
        Ok(self.places().map(|place| place.slot).collect::<Vec<_>>().into())
    }

    fn with_label(&self, name: &str, value: &str) -> Result<Numbers<'_>, Infallible> {
        Ok(self.pairs.find(name, value).map_or(Numbers::from(&[][..]), |pair| self.postings.get(pair)))
    }

    fn with_values(
        &self,
        name: &str,
        prefix: &str,
        accepts: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Vec<u32>, Infallible> {
        let mut out = Vec::new();
        if let Some(name) = self.symbols().find(name) {
            for (pair, slots) in self.postings.of_name_with(&self.pairs, name, prefix) {
                if accepts(self.pairs.text(pair).1) {
                    slots.append_to(&mut out);
                }
            }
        }
        sort_union(&mut out);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use model::Matcher;

    use super::*;
    use crate::matching::matching_series;

    fn labels(i: usize) -> Labels {
        Labels::from_pairs([("__name__", "m".to_owned()), ("i", i.to_string())])
    }

    #[test]
    fn finds_adds_and_removes() {
        for removed_percent in [10, 60] {
            let mut index = HeadIndex::default();
            for i in 0..100 {
                let reference = index.next_reference();
                assert_eq!(index.find(&labels(i)), None);
                let place = index.add(&labels(i), reference).expect("room");
                assert_eq!(index.find(&labels(i)), Some(place));
            }
            let gone: Vec<u32> = (0..removed_percent).collect();
            index.remove(&gone);
            assert_eq!(index.len(), 100 - gone.len());
            assert_eq!((index.find(&labels(3)), index.labels(99)), (None, labels(99)));
            let Ok(all) = matching_series(&index, &[Matcher::equal("__name__", "m")]);
            assert_eq!(all, (removed_percent..100).collect::<Vec<_>>());
            // A freed slot is used again, under another number.
            let reference = index.next_reference();
            assert_eq!(index.add(&labels(500), reference), Some(Place { slot: 0, reference: 101 }));
            let Ok(all) = matching_series(&index, &[Matcher::equal("__name__", "m")]);
            assert_eq!(all.first(), Some(&0));
        }
    }
}
