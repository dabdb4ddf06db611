//! Who follows which series.

use model::{Labels, Matcher};
use parking_lot::{Mutex, RwLock};

use crate::wal::LogPosition;

/// So many may follow different selectors: a bit of a series each.
const FOLLOWED_MAX: usize = 8;

/// What somebody follows.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) selectors: Vec<Vec<Matcher>>,
    /// The commits behind this place were looked through for it.
    pub(super) begin: LogPosition,
    pub(super) read_at: i64,
    /// Tells it from others that had the bit before.
    pub(super) number: u64,
}

impl Selection {
    fn matches(&self, labels: &Labels) -> bool {
        self.selectors.iter().any(|selector| selector.iter().all(|matcher| matcher.matches_labels(labels)))
    }
}

/// What is followed, a place for each bit.
#[derive(Debug, Default)]
pub(in crate::head) struct Following {
    pub(super) bits: RwLock<[Option<Selection>; FOLLOWED_MAX]>,
    /// Held while somebody begins to follow, or ends.
    pub(super) changing: Mutex<u64>,
}

/// A bit that somebody was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bit {
    pub(super) at: usize,
    pub(super) number: u64,
}

impl Bit {
    pub(super) fn mask(self) -> u8 {
        1 << self.at
    }
}

impl Following {
    /// By whom a series with these labels is followed.
    pub(in crate::head) fn mask_of(&self, labels: &Labels) -> u8 {
        let bits = self.bits.read();
        let of = bits
            .iter()
            .enumerate()
            .map(|(at, bit)| u8::from(bit.as_ref().is_some_and(|selection| selection.matches(labels))) << at);
        of.fold(0, |all, one| all | one)
    }

    /// From which place on the commits were looked through for whoever has the bit, and takes note of the time; `None` if he has it no
    /// more.
    pub(super) fn begin_of(&self, bit: Bit, now: i64) -> Option<LogPosition> {
        let mut bits = self.bits.write();
        let selection = bits[bit.at].as_mut().filter(|selection| selection.number == bit.number)?;
        selection.read_at = now;
        Some(selection.begin)
    }

    /// The bit of those who follow these.
    pub(super) fn find(&self, selectors: &[Vec<Matcher>], now: i64) -> Option<Bit> {
        let mut bits = self.bits.write();
        let at = bits.iter().position(|bit| bit.as_ref().is_some_and(|one| one.selectors == selectors))?;
        let selection = bits[at].as_mut()?;
        selection.read_at = now;
        Some(Bit { at, number: selection.number })
    }
}
