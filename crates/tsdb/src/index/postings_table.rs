//! Finds the postings of a label without holding all labels in memory.

use std::ops::Range;

use bytes::Bytes;

use super::format::{corrupt, section};
use crate::binary::{Corrupt, Cursor};

/// Every so-manieth value's place is remembered; the ones between are found by walking.
const STEP: usize = 32;

/// The postings offset table: (name, value) → offset, sorted.
#[derive(Debug, Clone)]
pub(super) struct PostingsTable {
    file: Bytes,
    content: Range<usize>,
    names: Vec<Name>,
}

/// The entries of one label name, which stand together.
#[derive(Debug, Clone)]
struct Name {
    name: Box<str>,
    count: usize,
    /// Where every STEPth of its entries stands.
    places: Vec<u32>,
}

/// One entry.
struct Entry<'a> {
    name: &'a [u8],
    value: &'a [u8],
    offset: u64,
}

fn next_entry<'a>(cursor: &mut Cursor<'a>) -> Option<Entry<'a>> {
    if cursor.uvarint()? != 2 {
        return None; // the number of strings in the key
    }
    Some(Entry { name: cursor.text()?, value: cursor.text()?, offset: cursor.uvarint()? })
}

impl PostingsTable {
    pub(super) fn open(file: Bytes, offset: u64) -> Result<Self, Corrupt> {
        let content = section(&file, offset, true)?;
        let error = |at: usize| corrupt(content.start + at, "broken postings offset table");
        let mut cursor = Cursor::new(&file[content.clone()]);
        let count = cursor.be32().ok_or_else(|| error(0))?;
        let mut names: Vec<Name> = Vec::new();
        for _ in 0..count {
            let at = cursor.position();
            let entry = next_entry(&mut cursor).ok_or_else(|| error(at))?;
            if names.last().is_none_or(|last| last.name.as_bytes() != entry.name) {
                let name = std::str::from_utf8(entry.name).map_err(|_| error(at))?;
                if names.last().is_some_and(|last| *last.name > *name) {
                    return Err(error(at));
                }
                names.push(Name { name: name.into(), count: 0, places: Vec::new() });
            }
            let Some(name) = names.last_mut() else { return Err(error(at)) };
            if name.count % STEP == 0 {
                name.places.push(u32::try_from(at).map_err(|_| error(at))?);
            }
            name.count += 1;
        }
        Ok(PostingsTable { content, names, file })
    }

    /// The label names, sorted; the empty name stands for all series.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &*name.name)
    }

    /// How many values a label has.
    pub(super) fn value_count(&self, name: &str) -> usize {
        self.name(name).map_or(0, |name| name.count)
    }

    fn name(&self, name: &str) -> Option<&Name> {
        let at = self.names.binary_search_by(|n| (*n.name).cmp(name)).ok()?;
        self.names.get(at)
    }

    fn broken(&self, at: u32) -> Corrupt {
        corrupt(self.content.start + at as usize, "broken entry of the postings offset table")
    }

    fn cursor_at(&self, place: u32) -> Cursor<'_> {
        Cursor::new(&self.file[self.content.start + place as usize..self.content.end])
    }

    /// The offset of the postings of a label, `None` where no series has it.
    pub(super) fn find(&self, name: &str, value: &str) -> Result<Option<u64>, Corrupt> {
        let Some(name) = self.name(name) else { return Ok(None) };
        let group = self.group_of(name, value)?;
        let place = name.places[group];
        let mut cursor = self.cursor_at(place);
        for _ in 0..STEP.min(name.count - group * STEP) {
            let entry = next_entry(&mut cursor).ok_or_else(|| self.broken(place))?;
            if entry.value >= value.as_bytes() {
                return Ok((entry.value == value.as_bytes()).then_some(entry.offset));
            }
        }
        Ok(None)
    }

    /// The last remembered place whose value is not after `value`, or the first.
    fn group_of(&self, name: &Name, value: &str) -> Result<usize, Corrupt> {
        let (mut low, mut high) = (0, name.places.len());
        while low + 1 < high {
            let middle = (low + high) / 2;
            let place = name.places[middle];
            let entry = next_entry(&mut self.cursor_at(place)).ok_or_else(|| self.broken(place))?;
            if entry.value <= value.as_bytes() { low = middle } else { high = middle }
        }
        Ok(low)
    }

    /// Calls `visit` with each value of a label that begins with `prefix` and the offset of its postings, in order, until
    /// it says `false`.
    pub(super) fn walk_values(
        &self,
        name: &str,
        prefix: &str,
        visit: &mut dyn FnMut(&str, u64) -> Result<bool, Corrupt>,
    ) -> Result<(), Corrupt> {
        let Some(name) = self.name(name) else { return Ok(()) };
        let group = self.group_of(name, prefix)?;
        let place = name.places[group];
        let mut cursor = self.cursor_at(place);
        for _ in group * STEP..name.count {
            let entry = next_entry(&mut cursor).ok_or_else(|| self.broken(place))?;
            let value = std::str::from_utf8(entry.value).map_err(|_| self.broken(place))?;
            if value < prefix {
                continue;
            }
            if !value.starts_with(prefix) || !visit(value, entry.offset)? {
                break;
            }
        }
        Ok(())
    }
}
