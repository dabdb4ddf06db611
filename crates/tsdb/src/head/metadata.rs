//! What is known of the metrics behind series: type, unit, help. A text is held once, however many series share it; a series
//! costs four bytes, and nothing where nobody hands metadata over.

use std::sync::Arc;

use hashbrown::HashTable;
use model::Metadata;
use xxhash_rust::xxh3::Xxh3Default;

/// Metadata by series.
#[derive(Debug, Default)]
pub(super) struct MetadataTable {
    /// What there is, by number; numbers begin with 1.
    known: Vec<Option<Known>>,
    /// Numbers that may be used again.
    free: Vec<u32>,
    by_content: HashTable<u32>,
    /// The number of each slot's metadata, 0 where nothing is known.
    by_slot: Vec<u32>,
}

#[derive(Debug)]
struct Known {
    metadata: Arc<Metadata>,
    /// How many series have it.
    series: u32,
}

fn hash(metadata: &Metadata) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut hasher = Xxh3Default::new();
    metadata.hash(&mut hasher);
    hasher.finish()
}

fn at(known: &[Option<Known>], number: u32) -> Option<&Known> {
    known.get((number as usize).checked_sub(1)?)?.as_ref()
}

impl MetadataTable {
    /// What is known of the series in a slot.
    pub(super) fn get(&self, slot: u32) -> Option<&Arc<Metadata>> {
        let number = *self.by_slot.get(slot as usize)?;
        at(&self.known, number).map(|known| &known.metadata)
    }

    /// Sets the metadata of the series in a slot.
    pub(super) fn set(&mut self, slot: u32, metadata: &Metadata) {
        if self.get(slot).is_some_and(|known| **known == *metadata) {
            return;
        }
        self.forget(slot);
        let number = self.intern(metadata);
        let slot = slot as usize;
        if slot >= self.by_slot.len() {
            self.by_slot.resize(slot + 1, 0);
        }
        self.by_slot[slot] = number;
    }

    /// The number of this metadata, with one series more.
    fn intern(&mut self, metadata: &Metadata) -> u32 {
        let hash_of = hash(metadata);
        let same = |number: &u32| at(&self.known, *number).is_some_and(|known| *known.metadata == *metadata);
        if let Some(number) = self.by_content.find(hash_of, same).copied() {
            if let Some(known) = &mut self.known[number as usize - 1] {
                known.series += 1;
            }
            return number;
        }
        let known = Some(Known { metadata: Arc::new(metadata.clone()), series: 1 });
        let number = match self.free.pop() {
            Some(number) => {
                self.known[number as usize - 1] = known;
                number
            }
            None => {
                self.known.push(known);
                self.known.len() as u32
            }
        };
        let all = &self.known;
        self.by_content
            .insert_unique(hash_of, number, |other| at(all, *other).map_or(0, |known| hash(&known.metadata)));
        number
    }

    /// Forgets what is known of the series in a slot; it is gone, or it gets other metadata.
    pub(super) fn forget(&mut self, slot: u32) {
        let Some(number) = self.by_slot.get_mut(slot as usize).map(std::mem::take).filter(|number| *number > 0) else {
            return;
        };
        let Some(known) = &mut self.known[number as usize - 1] else { return };
        known.series -= 1;
        if known.series == 0 {
            if let Ok(entry) = self.by_content.find_entry(hash(&known.metadata), |other| *other == number) {
                entry.remove();
            }
            self.known[number as usize - 1] = None;
            self.free.push(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use model::MetricType;

    use super::*;

    fn help(text: &str) -> Metadata {
        Metadata { kind: MetricType::Counter, unit: String::new(), help: text.to_owned() }
    }

    #[test]
    fn series_of_a_metric_share_a_text() {
        let mut table = MetadataTable::default();
        assert_eq!(table.get(0), None);
        for slot in [3, 4, 70] {
            table.set(slot, &help("Busy."));
        }
        assert!(Arc::ptr_eq(table.get(3).expect("known"), table.get(70).expect("known")));
        assert_eq!(table.get(5), None);
        table.set(4, &help("Idle."));
        assert_eq!(table.get(4).map(|m| m.help.as_str()), Some("Idle."));
        assert_eq!(table.known.iter().flatten().count(), 2);
    }

    #[test]
    fn a_text_goes_with_its_last_series() {
        let mut table = MetadataTable::default();
        for round in 0..10 {
            for slot in 0..5 {
                table.set(slot, &help(&format!("round {round}")));
                table.set(slot, &help(&format!("round {round}")));
            }
        }
        assert_eq!((table.known.iter().flatten().count(), table.by_content.len()), (1, 1));
        (0..5).for_each(|slot| table.forget(slot));
        table.forget(99);
        assert_eq!((table.known.iter().flatten().count(), table.by_content.len(), table.known.len()), (0, 0, 2));
        assert_eq!(table.get(0), None);
    }
}
