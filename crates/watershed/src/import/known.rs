//! Which series a line means, told by the bytes of its series alone.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

const NOBODY: u32 = u32::MAX;

struct Known {
    start: usize,
    len: u32,
    /// What came after this the last time.
    next: u32,
    series: u32,
}

/// The series of lines that came before. In nearly every text the same lines follow each other again and again, or a line
/// comes again and again: both are tried before the table is asked.
pub(crate) struct KnownSeries {
    text: Vec<u8>,
    entries: Vec<Known>,
    by_hash: HashTable<(u64, u32)>,
    last: u32,
}

impl KnownSeries {
    pub(crate) fn new() -> Self {
        KnownSeries { text: Vec::new(), entries: Vec::new(), by_hash: HashTable::new(), last: NOBODY }
    }

    fn is(&self, entry: u32, raw: &[u8]) -> bool {
        let known = &self.entries[entry as usize];
        known.len as usize == raw.len() && self.text[known.start..known.start + raw.len()] == *raw
    }

    /// The series of a line.
    #[inline]
    pub(crate) fn find(&mut self, raw: &[u8]) -> Option<u32> {
        if self.last != NOBODY {
            let next = self.entries[self.last as usize].next;
            for guess in [next, self.last] {
                if guess != NOBODY && self.is(guess, raw) {
                    self.last = guess;
                    return Some(self.entries[guess as usize].series);
                }
            }
        }
        self.find_by_hash(raw)
    }

    fn find_by_hash(&mut self, raw: &[u8]) -> Option<u32> {
        let hash = xxh3_64(raw);
        let (_, entry) = *self.by_hash.find(hash, |(other, entry)| *other == hash && self.is(*entry, raw))?;
        self.follow(entry);
        Some(self.entries[entry as usize].series)
    }

    fn follow(&mut self, entry: u32) {
        if let Some(last) = self.entries.get_mut(self.last as usize) {
            last.next = entry;
        }
        self.last = entry;
    }

    /// Remembers a line that was not found. Lines beyond what 32 bits can number are not remembered, only slower.
    pub(crate) fn add(&mut self, raw: &[u8], series: u32) {
        let (Ok(entry), Ok(len)) = (u32::try_from(self.entries.len()), u32::try_from(raw.len())) else { return };
        if entry == NOBODY {
            return;
        }
        self.entries.push(Known { start: self.text.len(), len, next: NOBODY, series });
        self.text.extend_from_slice(raw);
        let hash = xxh3_64(raw);
        self.by_hash.insert_unique(hash, (hash, entry), |(hash, _)| *hash);
        self.follow(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_added_in_any_order() {
        let mut known = KnownSeries::new();
        let lines: Vec<String> = (0..50).map(|i| format!("m{{i=\"{i}\"}}")).collect();
        for order in [1, 7, 1, 11, 3, 0] {
            for step in 0..200 {
                let at = step * order % lines.len();
                let raw = lines[at].as_bytes();
                match known.find(raw) {
                    Some(series) => assert_eq!(series as usize, at),
                    None => known.add(raw, at as u32),
                }
            }
        }
        assert_eq!(known.find(b"m{i=\"50\"}"), None);
        assert_eq!(known.find(b""), None);
    }
}
