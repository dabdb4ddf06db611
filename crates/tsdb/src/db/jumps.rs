//! A clock that jumps, and a machine that slept: both leave a gap between old samples and new ones, and nobody knows at first
//! which it was. A clock that is put right again must have cost nothing, so whatever would follow from the new times waits
//! until there is enough of them.

use std::sync::Arc;

use model::{TimeRange, Timestamp};

use super::state::Db;
use crate::block::Block;

/// Blocks must cover so much time after a gap before they make those before it too old.
const SETTLED_MS: i64 = 24 * 3_600_000;

impl Db {
    /// The next range to be cut from the head: `(begin, end)`, the end excluded.
    pub(super) fn next_cut(&self) -> Option<(Timestamp, Timestamp)> {
        let TimeRange { min, max } = self.head.cut_range()?;
        let width = self.options.min_block_ms;
        // Prometheus's rule: the newest half range is still open for samples.
        if max.as_ms().saturating_sub(min.as_ms()) <= width / 2 * 3 {
            return None;
        }
        let end = min.align_down(width).saturating_add(width);
        let first_after = self.head.first_from(end)?;
        // Behind a gap of a whole range the newest half range must have been lived through.
        let is_gap = first_after.as_ms().saturating_sub(end.as_ms()) >= width;
        let lived = max.as_ms().saturating_sub(first_after.as_ms());
        (!is_gap || lived >= width / 2).then_some((min, end))
    }

    /// Up to where late samples go into blocks although nothing else is cut: the clock is behind the blocks, and will be for
    /// long. Otherwise they go with the next cut.
    pub(super) fn late_end(&self) -> Option<Timestamp> {
        let width = self.options.min_block_ms;
        let late = self.head.late_range().filter(|_| self.head.is_ahead())?;
        let end = self.head.now().saturating_sub(width / 2).align_down(width);
        let in_blocks = self.blocks.load().end_in_order()?;
        (late.min.saturating_add(width) <= end).then(|| end.min(in_blocks))
    }

    /// The end that the retention time is counted back from: that of the newest block, but for what lies so far after all
    /// others that it would make every one of them too old; that has to cover a day first.
    pub(super) fn end_for_retention(&self, newest_first: &[Arc<Block>], retention_ms: i64) -> Option<Timestamp> {
        let newest = self.blocks.load().end_in_order()?;
        let settled_ms = SETTLED_MS.min(retention_ms);
        let mut begin = newest;
        for block in newest_first.iter().map(|block| block.meta()).filter(|meta| meta.max_time <= newest) {
            let gap_ms = begin.as_ms().saturating_sub(block.max_time.as_ms());
            if gap_ms > retention_ms && newest.as_ms().saturating_sub(begin.as_ms()) < settled_ms {
                return Some(block.max_time);
            }
            begin = begin.min(block.min_time);
        }
        Some(newest)
    }
}
