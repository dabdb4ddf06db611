//! Deleting series: what matches is marked as deleted in blocks and head, and no longer read from then on. Its bytes go when the
//! blocks are compacted or cleaned. As in Prometheus, label names and values are shown until then.

use model::{Matcher, TimeRange};

use super::maintenance::{Maintenance, MaintenanceError};
use super::state::Db;

impl Db {
    /// Deletes the samples of the matching series within `range`; of the head, those that are there now. Waits for a compaction
    /// that is under way.
    ///
    /// # Errors
    /// A block that can't be read or a file that can't be written. What was deleted before stays deleted; ask again.
    pub fn delete_series(&self, matchers: &[Matcher], range: TimeRange) -> Result<(), MaintenanceError> {
        self.wait_for_history()?;
        let _no_compaction = self.compacting.lock();
        let _no_cut = self.maintaining.lock();
        // Late samples of ranges that are in blocks go there first: their deletion can't be told by the log of the head, which
        // forgets such times.
        if let Some(end) = self.blocks.load().end_in_order() {
            self.cut_late(end, &mut Maintenance::default())?;
        }
        for block in &self.blocks.load_full().blocks {
            if block.meta().range().overlaps(range)
                && let Some(changed) =
                    block.delete(matchers, range).map_err(|error| MaintenanceError::Delete(error.to_string()))?
            {
                self.show_changed(changed);
            }
        }
        // Whatever its times are: where the last cut went through a chunk, the head still has what is in a block.
        let deleted = self.head.delete(matchers, range);
        self.blocks.note_change();
        deleted.map_err(|source| self.io_error("log a deletion", source))
    }
}
