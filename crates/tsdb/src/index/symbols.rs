//! The strings of an index, by number.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::format::{corrupt, section};
use crate::binary::{Corrupt, Cursor};

/// Every so-manieth string's place is remembered; the ones between are found by walking.
const STEP: usize = 32;
/// So many strings' places are remembered from the last look-ups; the memory is taken at the first one.
const FOUND: usize = 4096;

/// Reads strings by number without decoding the whole table.
#[derive(Debug, Clone)]
pub(super) struct Symbols {
    file: Bytes,
    content: Range<usize>,
    count: usize,
    places: Vec<u32>,
    found: Arc<Found>,
}

/// Where strings stand that were looked up lately: neighbouring series have most of their strings in common.
#[derive(Debug, Default)]
struct Found(OnceLock<Box<[AtomicU64]>>);

impl Found {
    /// A string's place, which `find` finds where it isn't known. A slot holds the number, counted from 1, and the place.
    #[inline]
    fn place(&self, number: u32, find: impl FnOnce() -> Option<u32>) -> Option<u32> {
        let slots = self.0.get_or_init(|| (0..FOUND).map(|_| AtomicU64::new(0)).collect());
        let (slot, tag) = (&slots[number as usize % FOUND], u64::from(number) + 1);
        let known = slot.load(Ordering::Relaxed);
        if known >> 32 == tag {
            return Some(known as u32);
        }
        let place = find()?;
        slot.store(tag << 32 | u64::from(place), Ordering::Relaxed);
        Some(place)
    }
}

impl Symbols {
    pub(super) fn open(file: Bytes, offset: u64) -> Result<Self, Corrupt> {
        let content = section(&file, offset, true)?;
        let error = |at: usize| corrupt(content.start + at, "broken symbol table");
        let mut cursor = Cursor::new(&file[content.clone()]);
        let count = cursor.be32().ok_or_else(|| error(0))? as usize;
        // Every string takes at least a byte, so the count can't ask for more memory than the section justifies.
        let mut places = Vec::with_capacity(count.min(content.len()).div_ceil(STEP));
        for i in 0..count {
            let at = cursor.position();
            if i % STEP == 0 {
                places.push(u32::try_from(at).map_err(|_| error(at))?);
            }
            cursor.text().ok_or_else(|| error(at))?;
        }
        Ok(Symbols { content, count, places, file, found: Arc::default() })
    }

    /// All strings in order of their numbers.
    pub(super) fn iter(&self) -> SymbolWalk<'_> {
        SymbolWalk { cursor: Cursor::new(&self.file[self.content.start + 4..self.content.end]), rest: self.count }
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn get(&self, number: u64) -> Result<&str, Corrupt> {
        let error = || corrupt(self.content.start, format!("no valid symbol {number} among {}", self.count));
        let number = u32::try_from(number).ok().filter(|n| (*n as usize) < self.count).ok_or_else(error)?;
        let place = self.found.place(number, || self.walk_to(number)).ok_or_else(error)?;
        let mut cursor = Cursor::new(&self.file[self.content.clone()][place as usize..]);
        std::str::from_utf8(cursor.text().ok_or_else(error)?).map_err(|_| error())
    }

    /// The place of a string, found by walking from the last one that is remembered.
    fn walk_to(&self, number: u32) -> Option<u32> {
        let start = self.places[number as usize / STEP];
        let mut cursor = Cursor::new(&self.file[self.content.clone()][start as usize..]);
        for _ in 0..number as usize % STEP {
            cursor.text()?;
        }
        Some(start + cursor.position() as u32)
    }
}

/// Walks the strings of an index in order. `open` has checked that they are there; one that is no UTF-8 ends the walk.
#[derive(Debug, Clone)]
pub(crate) struct SymbolWalk<'a> {
    cursor: Cursor<'a>,
    rest: usize,
}

impl<'a> Iterator for SymbolWalk<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.rest = self.rest.checked_sub(1)?;
        std::str::from_utf8(self.cursor.text()?).ok()
    }
}
