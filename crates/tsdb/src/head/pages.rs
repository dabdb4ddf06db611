//! The states of all series, in pages with a lock each.
//!
//! While the history of before the start is being read, a page may be shorter than what the index knows of: those series have
//! got no samples since.

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::{Mutex, MutexGuard};

use super::series::SeriesState;

/// So many series share a lock. Series of one target are created together and lie together, so a commit locks each page
/// once, and two targets seldom meet.
pub(super) const PAGE_SERIES: u32 = 256;

type Page = Mutex<Vec<SeriesState>>;
/// The pages as they stood at some moment; later ones only have more.
pub(super) type PageList = Vec<Arc<Page>>;

/// Where a slot's state lies.
pub(super) const fn page_of(slot: u32) -> (usize, usize) {
    ((slot / PAGE_SERIES) as usize, (slot % PAGE_SERIES) as usize)
}

/// All pages. Pages are only added, by whoever holds the index for writing.
#[derive(Debug, Default)]
pub(super) struct Pages {
    list: ArcSwap<PageList>,
}

impl Pages {
    /// The pages as they stand.
    pub(super) fn snapshot(&self) -> Arc<PageList> {
        self.list.load_full()
    }

    /// Calls `act` with the state of a slot, if the slot exists.
    pub(super) fn with<T>(&self, slot: u32, act: impl FnOnce(&mut SeriesState) -> T) -> Option<T> {
        let (page, at) = page_of(slot);
        let list = self.list.load();
        let mut states = list.get(page)?.lock();
        states.get_mut(at).map(act)
    }

    /// Makes the pages of so many slots, with no states in them.
    pub(super) fn extend_to(&self, slots: usize) {
        let pages = slots.div_ceil(PAGE_SERIES as usize);
        if pages > self.list.load().len() {
            let mut longer = PageList::clone(&self.list.load());
            longer.resize_with(pages, Arc::default);
            self.list.store(Arc::new(longer));
        }
    }

    /// Puts a state into a slot. The index must be held for writing.
    pub(super) fn put(&self, slot: u32, state: SeriesState) {
        let (page, at) = page_of(slot);
        self.extend_to(slot as usize + 1);
        let list = self.list.load();
        let mut states = list[page].lock();
        if states.len() <= at {
            let room = PAGE_SERIES as usize - states.len();
            states.reserve_exact(room);
            states.resize_with(at + 1, SeriesState::default);
        }
        states[at] = state;
    }
}

/// Visits slots one after the other and locks each page once for a run of slots in it.
pub(super) struct PageCursor<'a> {
    list: &'a PageList,
    locked: Option<(usize, MutexGuard<'a, Vec<SeriesState>>)>,
}

impl<'a> PageCursor<'a> {
    pub(super) fn new(list: &'a PageList) -> Self {
        PageCursor { list, locked: None }
    }

    /// The state of a slot; `None` where the slot is newer than the list.
    pub(super) fn get(&mut self, slot: u32) -> Option<&mut SeriesState> {
        let (page, at) = page_of(slot);
        if self.locked.as_ref().is_none_or(|(locked, _)| *locked != page) {
            self.unlock(); // before the next is locked
            self.locked = Some((page, self.list.get(page)?.lock()));
        }
        self.locked.as_mut()?.1.get_mut(at)
    }

    /// Lets go of the page that is locked, if one is.
    pub(super) fn unlock(&mut self) {
        self.locked = None;
    }
}
