//! From the numbers that the log gives to series to their slots.

use std::cell::Cell;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

const PAGE: u64 = 1024;
const NOBODY: u32 = u32::MAX;

/// Slots by number. Numbers are given out one after the other and the log names neighbours together, so a page of them is
/// found once for many; a plain map took a third of a replay.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    places: HashMap<u64, u32, FixedState>,
    pages: Vec<Box<[u32; PAGE as usize]>>,
    /// The page that was looked at last, and where it is.
    last: Cell<Option<(u64, u32)>>,
}

impl Numbering {
    /// Notes the slot of a number.
    pub(super) fn set(&mut self, number: u64, slot: u32) {
        let page = number / PAGE;
        let at = *self.places.entry(page).or_insert_with(|| {
            self.pages.push(Box::new([NOBODY; PAGE as usize]));
            (self.pages.len() - 1) as u32
        });
        self.pages[at as usize][(number % PAGE) as usize] = slot;
    }

    /// The slot of a number.
    #[inline]
    pub(super) fn get(&self, number: u64) -> Option<u32> {
        let page = number / PAGE;
        let at = match self.last.get() {
            Some((last, at)) if last == page => at,
            _ => {
                let at = *self.places.get(&page)?;
                self.last.set(Some((page, at)));
                at
            }
        };
        let slot = self.pages[at as usize][(number % PAGE) as usize];
        (slot != NOBODY).then_some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_set() {
        let mut numbering = Numbering::default();
        for (slot, number) in [1, 2, 1023, 1024, 5_000_000_000].into_iter().enumerate() {
            numbering.set(number, slot as u32);
        }
        let found: Vec<_> = [5_000_000_000, 1, 3, 1024, 1023, 2048].map(|number| numbering.get(number)).into();
        assert_eq!(found, [Some(4), Some(0), None, Some(3), Some(2), None]);
    }
}
