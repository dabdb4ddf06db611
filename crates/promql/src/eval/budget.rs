//! How many bytes queries may hold: each of them, and all of a process together.
//!
//! What is counted are decoded samples, columns and results at 16 bytes a sample, and the labels of series that are kept. What encodes
//! an answer comes on top of it, and what the storage reads from files that are mapped.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A query takes from what all may hold in steps of this many bytes.
const STEP: u64 = 64 << 10;

/// What all queries of a process may hold together.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    /// 0 for anything.
    max: u64,
    held: AtomicU64,
}

impl Budget {
    /// At most `max` bytes, 0 for any number.
    pub(crate) fn new(max: u64) -> Self {
        Budget { max, held: AtomicU64::new(0) }
    }

    /// How many bytes are held.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }
}

/// What one query holds, given back at its end.
#[derive(Debug, Default)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    /// 0 for anything.
    max: u64,
    /// Whether it is counted and never refused because of others: an alert must not wait for a dashboard.
    is_spared: bool,
    held: Cell<u64>,
    /// What was taken from the budget for it.
    taken: Cell<u64>,
}

/// A query holds more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyBytes {
    /// How many bytes the query would hold.
    pub held: u64,
    /// How many all queries would hold, where that is what is too much.
    pub held_by_all: Option<u64>,
    /// How many there may be.
    pub max: u64,
}

impl Share {
    /// At most `max` bytes for this query, 0 for any number.
    pub(crate) fn new(budget: Arc<Budget>, max: u64, is_spared: bool) -> Self {
        Share { budget, max, is_spared, held: Cell::new(0), taken: Cell::new(0) }
    }

    /// Takes note that so many more bytes are held.
    pub(crate) fn grow(&self, bytes: u64) -> Result<(), TooManyBytes> {
        let held = self.held.get().saturating_add(bytes);
        self.held.set(held);
        if self.max > 0 && held > self.max {
            return Err(TooManyBytes { held, held_by_all: None, max: self.max });
        }
        let taken = self.taken.get();
        if held <= taken {
            return Ok(());
        }
        let more = (held - taken).next_multiple_of(STEP);
        self.taken.set(taken + more);
        let all = self.budget.held.fetch_add(more, Ordering::Relaxed) + more;
        let max = self.budget.max;
        if max > 0 && all > max && !self.is_spared {
            return Err(TooManyBytes { held, held_by_all: Some(all), max });
        }
        Ok(())
    }

    /// Takes note that so many bytes are held no longer.
    pub(crate) fn shrink(&self, bytes: u64) {
        let held = self.held.get().saturating_sub(bytes);
        self.held.set(held);
        // A query that reads series after series doesn't give back and take again for each.
        let spare = self.taken.get() - held.next_multiple_of(STEP).min(self.taken.get());
        if spare > self.taken.get() / 2 && spare > 16 * STEP {
            self.taken.set(self.taken.get() - spare);
            self.budget.held.fetch_sub(spare, Ordering::Relaxed);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.taken.get(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_bounded_alone_and_with_others_and_gives_all_back() {
        let budget = Arc::new(Budget::new(10 * STEP));
        let share = |max: u64, is_spared: bool| Share::new(Arc::clone(&budget), max, is_spared);
        let one = share(8 * STEP, false);
        assert_eq!(one.grow(6 * STEP), Ok(()));
        let over = TooManyBytes { held: 9 * STEP, held_by_all: None, max: 8 * STEP };
        assert_eq!(one.grow(3 * STEP), Err(over));
        one.shrink(3 * STEP);
        let other = share(0, false);
        assert_eq!(other.grow(4 * STEP), Ok(()));
        let over = TooManyBytes { held: 4 * STEP + 1, held_by_all: Some(11 * STEP), max: 10 * STEP };
        assert_eq!(other.grow(1), Err(over));
        let rule = share(0, true);
        assert_eq!(rule.grow(100 * STEP), Ok(()));
        assert_eq!(budget.held(), 111 * STEP);
        rule.shrink(100 * STEP);
        assert_eq!(budget.held(), 11 * STEP, "much that is free is given back before the end");
        drop((one, other, rule));
        assert_eq!(budget.held(), 0);
    }

    proptest::proptest! {
        #[test]
        fn what_is_taken_covers_what_is_held(steps in proptest::collection::vec((0..40 * STEP, 0..40 * STEP), 0..60)) {
            let budget = Arc::new(Budget::new(0));
            let share = Share::new(Arc::clone(&budget), 0, false);
            for (grow, shrink) in steps {
                proptest::prop_assert!(share.grow(grow).is_ok());
                share.shrink(shrink);
                proptest::prop_assert!(share.held.get() <= budget.held());
            }
            drop(share);
            proptest::prop_assert_eq!(budget.held(), 0);
        }
    }
}
