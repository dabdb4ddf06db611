//! The blocks that readers see.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};

use super::blocks::BlockSet;

/// The set of blocks, changed as a whole, and a count of the changes.
#[derive(Debug)]
pub(super) struct ShownBlocks {
    set: ArcSwap<BlockSet>,
    changes: AtomicU64,
}

impl ShownBlocks {
    pub(super) fn new(set: BlockSet) -> Self {
        ShownBlocks { set: ArcSwap::from_pointee(set), changes: AtomicU64::new(1) }
    }

    pub(super) fn load(&self) -> Guard<Arc<BlockSet>> {
        self.set.load()
    }

    pub(super) fn load_full(&self) -> Arc<BlockSet> {
        self.set.load_full()
    }

    /// Shows another set.
    pub(super) fn store(&self, set: Arc<BlockSet>) {
        self.set.store(set);
        self.note_change();
    }

    /// Shows what `change` makes of the set, which is called again where others change it at the same time.
    pub(super) fn rcu(&self, change: impl FnMut(&Arc<BlockSet>) -> Arc<BlockSet>) {
        self.set.rcu(change);
        self.note_change();
    }

    /// Counts something else that takes samples from readers. Always after it was done: who has read the count before has not seen more
    /// than it says.
    pub(super) fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// How often what readers see of samples that are no longer committed has changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }
}
