//! Cutting late samples into blocks of their own, where the range they belong to was cut before they came.
//!
//! Ordering: seal, write the blocks, show them, drop the chunks, shorten the log. They overlap with the range's first block;
//! queries merge the two, and so does compaction. No such block ends behind what was cut in order, so the newest end of a
//! block still tells up to where the head is in blocks.

use std::sync::Arc;

use model::{TimeRange, Timestamp};

use super::maintenance::{Maintenance, MaintenanceError};
use super::state::Db;
use crate::block::Block;
use crate::failpoint;
use crate::head::{LateError, SealedLate};
use crate::meta::BlockCompaction;

impl Db {
    /// Makes chunks of all late samples, so that a block which is written now holds all that belong to its range.
    pub(super) fn seal_late(&self) -> Result<Option<SealedLate>, MaintenanceError> {
        self.head.seal_late().map_err(|source| self.io_error("seal the log of late samples", source))
    }

    /// Cuts the late samples before `end` into blocks and shortens their log; everything before `end` is in blocks already
    /// but for them.
    pub(super) fn cut_late(&self, end: Timestamp, done: &mut Maintenance) -> Result<(), MaintenanceError> {
        let Some(sealed) = self.seal_late()? else { return Ok(()) };
        for range in self.head.late_ranges(self.options.min_block_ms, end) {
            self.cut_late_range(range, done)?;
        }
        failpoint::pass("late.cut").map_err(|source| self.io_error("cut late samples", source))?;
        self.head.drop_late(&sealed, TimeRange::new(Timestamp::MIN, end.saturating_sub(1)));
        self.head.shorten_late_log(&sealed).map_err(|error| match error {
            LateError::Log(source) => self.io_error("shorten the log of late samples", source),
            LateError::Chunk(error) => MaintenanceError::Chunk(error),
            LateError::File(error) => MaintenanceError::HeadChunk(error.to_string()),
        })
    }

    fn cut_late_range(&self, range: TimeRange, done: &mut Maintenance) -> Result<(), MaintenanceError> {
        let end = range.max.saturating_add(1);
        let written = self.write_block_as(&self.options.dir, range.min, end, BlockCompaction::out_of_order())?;
        let Some((path, meta)) = written else { return Ok(()) };
        let block = Arc::new(Block::open(&path)?);
        self.blocks.rcu(|blocks| Arc::new(blocks.with(&block)));
        tracing::info!(
            block = %meta.ulid, min_time = %meta.min_time, max_time = %meta.max_time, series = meta.stats.num_series,
            samples = meta.stats.num_samples, "block of late samples cut from the head"
        );
        self.metrics.compactions.inc();
        done.cut.push(meta);
        Ok(())
    }
}
