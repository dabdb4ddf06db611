//! Keeping the directory in order: noticing what others did to it, cutting blocks, shortening the log, forgetting what is too old.
//!
//! Ordering of a cut: forbid samples before its end, write the block, show it to readers, drop its samples from the head, and
//! only then shorten the log. A crash at any point leaves every sample in a block, in the log, or in both; replay skips what
//! blocks hold.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use model::{TimeRange, Timestamp};
use storage::chunk::ChunkError;

use super::state::Db;
use crate::block::{Block, BlockError, BlockWriter};
use crate::failpoint;
use crate::head::CutError;
use crate::meta::{BlockCompaction, BlockId, BlockMeta};

/// What a maintenance step did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Maintenance {
    /// Blocks that were cut from the head.
    pub cut: Vec<BlockMeta>,
    /// Blocks that were deleted because they are too old or too much.
    pub deleted: Vec<BlockId>,
    /// Whether old segments of the log were replaced by a checkpoint.
    pub checkpointed: bool,
    /// Blocks that others have put into the directory.
    pub found: Vec<BlockMeta>,
    /// Blocks that are gone from the directory without our doing.
    pub vanished: Vec<BlockId>,
}

/// Why a maintenance step failed. Nothing is lost, and the next step tries again.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// A file or folder can't be written.
    #[error("cannot {action} in {dir}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// The data directory.
        dir: std::path::PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A chunk in memory can't be read.
    #[error("cannot cut a block: {0}")]
    Chunk(#[from] ChunkError),
    /// A full chunk of the head can't be read from its file.
    #[error("cannot cut a block: head chunk: {0}")]
    HeadChunk(String),
    /// Something can't be deleted.
    #[error("cannot delete series: {0}")]
    Delete(String),
    /// What the log has of before the start could not be read: nothing is cut or deleted, so that nothing gets lost.
    #[error("the log in {dir} could not be read at start, so it stays as it is: {reason}")]
    History {
        /// The data directory.
        dir: std::path::PathBuf,
        /// Why.
        reason: String,
    },
    /// The block that was just written can't be opened.
    #[error("cannot open the block that was just written: {0}")]
    Reopen(String),
}

impl From<CutError> for MaintenanceError {
    fn from(error: CutError) -> Self {
        match error {
            CutError::Chunk(error) => MaintenanceError::Chunk(error),
            CutError::File(error) => MaintenanceError::HeadChunk(error.to_string()),
        }
    }
}

impl From<BlockError> for MaintenanceError {
    fn from(error: BlockError) -> Self {
        MaintenanceError::Reopen(error.to_string())
    }
}

impl Db {
    /// One step of maintenance; call it again and again, every minute or, with small blocks, more often. Works on the calling
    /// thread, for seconds if there is a block to cut.
    pub fn maintain(&self) -> Result<Maintenance, MaintenanceError> {
        let compaction_rests = self.compacting.try_lock();
        let _alone = self.maintaining.lock();
        let mut done = Maintenance::default();
        if let Some(compaction_rests) = compaction_rests {
            self.rescan(&mut done).map_err(|source| self.io_error("look for blocks", source))?;
            drop(compaction_rests);
        }
        let start = Instant::now();
        self.head.flush_chunks();
        self.head.forget_chunk_pages();
        self.head.end_idle_followers();
        let late = self.head.late_log().map_or(Ok(0), |log| log.sync_complete_segments());
        match self.head.wal().sync_complete_segments().and_then(|synced| Ok(synced + late?)) {
            Ok(0) => {}
            Ok(_) => self.metrics.wal_fsync_seconds.observe(start.elapsed().as_secs_f64()),
            Err(source) => {
                self.metrics.wal_syncs_failed.inc();
                return Err(self.io_error("sync the log", source));
            }
        }
        if !self.loading.has_ended() {
            return Ok(done); // a block is cut, and the log shortened, when everything is there
        }
        self.wait_for_history()?;
        while let Some((min, end)) = self.next_cut() {
            self.cut_through(min, end, &mut done)?;
        }
        let late_end = if done.cut.is_empty() { self.late_end() } else { self.blocks.load().end_in_order() };
        if let Some(end) = late_end {
            self.cut_late(end, &mut done)?;
            self.shorten_log(&mut done)?;
        }
        self.retain(&mut done);
        self.show_blocks();
        Ok(done)
    }

    /// Cuts everything before `end` into blocks, however little it is. Blocks end where `maintain` would end them, the last
    /// one at `end`.
    pub fn flush_head(&self, end: Timestamp) -> Result<Maintenance, MaintenanceError> {
        self.wait_for_history()?;
        let _alone = self.maintaining.lock();
        let mut done = Maintenance::default();
        while let Some((min, _)) = self.head.time_range().filter(|(min, _)| *min < end) {
            let aligned = min.align_down(self.options.min_block_ms).saturating_add(self.options.min_block_ms);
            self.cut_through(min, aligned.min(end), &mut done)?;
        }
        if let Some(end) = self.blocks.load().end_in_order().filter(|_| !done.cut.is_empty()) {
            self.cut_late(end, &mut done)?;
            self.shorten_log(&mut done)?;
        }
        self.show_blocks();
        Ok(done)
    }

    pub(super) fn io_error(&self, action: &'static str, source: io::Error) -> MaintenanceError {
        MaintenanceError::Io { action, dir: self.options.dir.clone(), source }
    }

    /// Moves `[min, end)` from the head into a block.
    fn cut_through(&self, min: Timestamp, end: Timestamp, done: &mut Maintenance) -> Result<(), MaintenanceError> {
        let start = Instant::now();
        self.metrics.compactions_triggered.inc();
        self.head.forbid_before(end);
        let sealed = self.seal_late()?;
        let written = self.write_block(&self.options.dir, min, end);
        if written.is_err() {
            self.metrics.compactions_failed.inc();
        }
        if let Some((path, meta)) = written? {
            self.metrics.reloads.inc();
            let block = Arc::new(Block::open(&path).inspect_err(|_| {
                self.metrics.reload_failures.inc();
            })?);
            self.blocks.rcu(|blocks| Arc::new(blocks.with(&block)));
            tracing::info!(
                block = %meta.ulid, min_time = %meta.min_time, max_time = %meta.max_time, series = meta.stats.num_series,
                samples = meta.stats.num_samples, seconds = start.elapsed().as_secs_f64(), "block cut from the head"
            );
            done.cut.push(meta);
        }
        self.metrics.compactions.inc();
        self.metrics.compaction_seconds.observe(start.elapsed().as_secs_f64());
        failpoint::pass("cut.truncate.before").map_err(|source| self.io_error("truncate the head", source))?;
        if let Some(sealed) = sealed {
            self.head.drop_late(&sealed, TimeRange::new(min, end.saturating_sub(1)));
        }
        self.head.drop_before(end);
        failpoint::pass("cut.truncate.after").map_err(|source| self.io_error("truncate the head", source))
    }

    /// Writes what the head has of `[min, end)` as a block into `parent`.
    pub(super) fn write_block(
        &self,
        parent: &std::path::Path,
        min: Timestamp,
        end: Timestamp,
    ) -> Result<Option<(std::path::PathBuf, BlockMeta)>, MaintenanceError> {
        self.write_block_as(parent, min, end, BlockCompaction::cut())
    }

    /// The same with an ancestry.
    pub(super) fn write_block_as(
        &self,
        parent: &std::path::Path,
        min: Timestamp,
        end: Timestamp,
        compaction: BlockCompaction,
    ) -> Result<Option<(std::path::PathBuf, BlockMeta)>, MaintenanceError> {
        let mut cut = self.head.cut(TimeRange::new(min, end.saturating_sub(1)));
        let symbols = std::mem::take(&mut cut.symbols);
        let failed = |source| self.io_error("write a block", source);
        let mut writer = BlockWriter::with_ancestry(parent, min, end, compaction, symbols.iter().map(String::as_str))
            .map_err(failed)?;
        drop(symbols);
        let mut labels = Vec::new();
        for series in &cut.series {
            labels.clear();
            labels.extend(cut.labels(series));
            writer.add(&labels, &self.head.cut_remaining(&cut, series)?).map_err(failed)?;
        }
        self.metrics.add_chunk_figures(&writer.figures());
        writer.finish().map_err(failed)
    }

    fn shorten_log(&self, done: &mut Maintenance) -> Result<(), MaintenanceError> {
        let Some(keep_from) = self.blocks.load().end_in_order() else { return Ok(()) };
        self.metrics.wal_truncations.inc();
        match self.head.truncate_wal(keep_from) {
            Ok(checkpointed) => {
                done.checkpointed = checkpointed;
                self.metrics.checkpoint_creations.inc_by(u64::from(checkpointed));
                Ok(())
            }
            Err(source) => {
                self.metrics.wal_truncations_failed.inc();
                self.metrics.checkpoint_creations_failed.inc();
                Err(self.io_error("shorten the log", source))
            }
        }
    }
}
