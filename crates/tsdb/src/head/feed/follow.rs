//! Beginning to follow, and ending.

use model::Matcher;

use super::following::{Bit, Selection};
use crate::head::index::Place;
use crate::head::pages::PageCursor;
use crate::head::state::Head;
use crate::matching::matching_series;
use crate::wal::LogPosition;

/// Who has not read for so long, in milliseconds, has gone away.
const IDLE_MS: i64 = 10 * 60_000;

impl Head {
    /// The bit of those who follow these series, which is set in all of them if nobody did; `None` where all bits are given away.
    pub(super) fn follow_selectors(&self, selectors: &[Vec<Matcher>]) -> Option<Bit> {
        let now = self.now().as_ms();
        let mut last_number = self.feed.following.changing.lock();
        if let Some(bit) = self.feed.following.find(selectors, now) {
            return Some(bit);
        }
        self.end_idle(now);
        let at = self.feed.following.bits.read().iter().position(Option::is_none)?;
        *last_number += 1;
        let number = *last_number;
        // Series that are made from here on have the bit from the beginning; its commits count from when all others have it.
        let begin = LogPosition { segment: u64::MAX, offset: 0 };
        let selection = Selection { selectors: selectors.to_vec(), begin, read_at: now, number };
        self.feed.following.bits.write()[at] = Some(selection);
        let bit = Bit { at, number };
        let places: Vec<Place> = {
            let index = self.index.read();
            let matching = selectors.iter().flat_map(|selector| {
                let Ok(slots) = matching_series(&*index, selector);
                slots
            });
            matching.filter_map(|slot| index.place(slot)).collect()
        };
        let _alone = self.gate.write();
        let begin = self.feed.recent.lock().settled();
        let pages = self.pages.snapshot();
        let mut cursor = PageCursor::new(&pages);
        for place in places {
            if let Some(state) = cursor.get(place.slot).filter(|state| state.reference == place.reference) {
                state.followed |= bit.mask();
            }
        }
        drop(cursor);
        if let Some(selection) = self.feed.following.bits.write()[at].as_mut() {
            selection.begin = begin;
        }
        Some(bit)
    }

    /// Gives back the bits of those who have gone away.
    pub(crate) fn end_idle_followers(&self) {
        let _changing = self.feed.following.changing.lock();
        self.end_idle(self.now().as_ms());
    }

    fn end_idle(&self, now: i64) {
        // Nobody makes a series meanwhile, which might get a bit that nobody has any more.
        let _index = self.index.read();
        let mut ended = 0_u8;
        let is_idle = |selection: &mut Selection| (now - selection.read_at).abs() > IDLE_MS;
        for (at, bit) in self.feed.following.bits.write().iter_mut().enumerate() {
            ended |= u8::from(bit.take_if(is_idle).is_some()) << at;
        }
        if ended == 0 {
            return;
        }
        for page in self.pages.snapshot().iter() {
            page.lock().iter_mut().for_each(|state| state.followed &= !ended);
        }
        if self.feed.following.bits.read().iter().all(Option::is_none) {
            self.feed.recent.lock().clear();
        }
    }
}
