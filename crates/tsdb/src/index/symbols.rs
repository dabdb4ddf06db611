//! The strings of an index, by number.

use std::ops::Range;

use bytes::Bytes;

use super::format::{corrupt, section};
use crate::binary::{Corrupt, Cursor};

/// Every so-manieth string's place is remembered; the ones between are found by walking.
const STEP: usize = 8;

/// Reads strings by number without decoding the whole table.
#[derive(Debug, Clone)]
pub(super) struct Symbols {
    file: Bytes,
    content: Range<usize>,
    count: usize,
    places: Vec<u32>,
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
        Ok(Symbols { content, count, places, file })
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
        let number = usize::try_from(number).ok().filter(|n| *n < self.count).ok_or_else(error)?;
        let content = &self.file[self.content.clone()];
        let mut cursor = Cursor::new(&content[self.places[number / STEP] as usize..]);
        for _ in 0..number % STEP {
            cursor.text().ok_or_else(error)?;
        }
        std::str::from_utf8(cursor.text().ok_or_else(error)?).map_err(|_| error())
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
