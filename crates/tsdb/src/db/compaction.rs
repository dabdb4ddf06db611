//! Compaction: blocks become fewer and wider, and lose what was deleted from them.
//!
//! One step is one merge. Steps work beside appends, queries and the cutting of the head: they hold a lock of their own and
//! change the set of blocks at one moment, when the new block is complete and open.
//!
//! Crash: the new block gets its name when all its files are synced, then it is shown to readers in place of its parents, and only
//! then are they deleted. A start that finds both deletes the parents, because the new block names them. A parent that is deleted
//! wholly leaves no new block; until its folder is gone its tombstones say so.
//!
//! It never halts: a block that can't be read is marked and left alone, queries still read of it what can be read, and the next
//! step plans without it. What can't be written is tried again later.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::blocks::delete;
use super::maintenance::MaintenanceError;
use super::plan::{Candidate, plan, ranges};
use super::state::Db;
use crate::block::{Block, BlockError, MergeError, merge_blocks};
use crate::meta::{BlockCompaction, BlockId, BlockMeta};

/// What a step of compaction did.
#[derive(Debug, Clone, PartialEq)]
pub enum Compaction {
    /// Blocks were replaced by one, or by none where everything in them was deleted.
    Replaced {
        /// The blocks that are gone.
        parents: Vec<BlockId>,
        /// What took their place.
        block: Option<Box<BlockMeta>>,
    },
    /// A block can't be read; it is marked and left alone from now on.
    SetAside(BlockId),
    /// Everything in the blocks was deleted, but they stay with their tombstones till a newer block is cut: the newest block's end
    /// is where the log begins to count, and without it the log would bring back what was deleted.
    Kept(Vec<BlockId>),
    /// The database is being closed.
    Stopped,
}

impl Db {
    /// One step of compaction; `None` where there is nothing to do for now. Call it again until then, on a thread where it may take
    /// minutes. A step ends early, leaving everything as it was, when [`Db::close`] is called.
    pub fn compact(&self) -> Result<Option<Compaction>, MaintenanceError> {
        let _alone = self.compacting.lock();
        if self.closing.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let blocks = self.plan_compaction();
        if blocks.is_empty() {
            return Ok(None);
        }
        self.metrics.compactions_triggered.inc();
        if blocks.len() > 1 && blocks.windows(2).any(|two| two[1].meta().min_time < two[0].meta().max_time) {
            self.metrics.vertical_compactions.inc();
        }
        let metas: Vec<&BlockMeta> = blocks.iter().map(|block| block.meta()).collect();
        let done = self.replace(&blocks, BlockCompaction::of_merged(&metas))?;
        Ok(Some(done).filter(|done| !matches!(done, Compaction::Kept(_))))
    }

    fn plan_compaction(&self) -> Vec<Arc<Block>> {
        let set = self.blocks.load();
        let held = self.held.read();
        let is_held = |block: &Block| held.as_ref().is_some_and(|held| held(block.meta().ulid));
        // What was put there and ends after the head's last cut waits: merged with others, its end would count as theirs.
        let blocks: Vec<&Arc<Block>> = set.blocks.iter().filter(|block| !set.reaches_into_head(block)).collect();
        let candidates: Vec<Candidate<'_>> = blocks
            .iter()
            .map(|block| Candidate { meta: block.meta(), excluded: block.no_compact() || is_held(block) })
            .collect();
        let ranges = ranges(self.options.min_block_ms, self.options.max_block_ms);
        plan(&candidates, &ranges).into_iter().map(|at| Arc::clone(blocks[at])).collect()
    }

    /// Writes every block that has something deleted anew without it. Blocks that can't be read or written are left as they
    /// are.
    ///
    /// # Errors
    /// The first block that could not be written; the others have been done.
    pub fn clean_tombstones(&self) -> Result<(), MaintenanceError> {
        let _alone = self.compacting.lock();
        let start = Instant::now();
        let mut result = Ok(());
        for block in &self.blocks.load_full().blocks {
            if block.tombstones().count() == 0 || block.no_compact() {
                continue;
            }
            let cleaned = self.replace(&[Arc::clone(block)], BlockCompaction::of_cleaned(block.meta()));
            if cleaned.is_err() && result.is_ok() {
                result = cleaned.map(|_| ());
            }
        }
        self.metrics.tombstone_cleanup_seconds.observe(start.elapsed().as_secs_f64());
        result
    }

    /// Puts one block in the place of `parents`.
    fn replace(&self, parents: &[Arc<Block>], compaction: BlockCompaction) -> Result<Compaction, MaintenanceError> {
        self.delete_undeleted()?;
        let ids: Vec<BlockId> = parents.iter().map(|block| block.meta().ulid).collect();
        *self.busy.lock() = ids.clone();
        let start = Instant::now();
        self.metrics.compaction_populating.set(1);
        let merged = merge_blocks(&self.options.dir, parents, compaction, &|| self.closing.load(Ordering::Relaxed));
        self.metrics.compaction_populating.set(0);
        let done = match merged {
            Ok((written, figures)) => {
                self.metrics.add_chunk_figures(&figures);
                match written {
                    None if self.ends_the_blocks(parents) => Ok(Compaction::Kept(ids)),
                    written => self.publish(parents, written.map(|(path, _)| path).as_deref(), start),
                }
            }
            Err(MergeError::Stopped) => Ok(Compaction::Stopped),
            Err(MergeError::Unreadable { block, reason }) => Ok(self.set_aside(block, &reason)),
            Err(MergeError::Write(source)) => Err(self.io_error("write a compacted block", source)),
        };
        self.busy.lock().clear();
        match &done {
            Ok(Compaction::Replaced { .. }) => {
                self.metrics.compactions.inc();
                self.metrics.compaction_seconds.observe(start.elapsed().as_secs_f64());
            }
            Ok(Compaction::Kept(_) | Compaction::Stopped) => {}
            Ok(Compaction::SetAside(_)) | Err(_) => {
                self.metrics.compactions_failed.inc();
            }
        }
        self.show_blocks();
        done
    }

    /// Whether one of these says up to where the head is in blocks.
    fn ends_the_blocks(&self, parents: &[Arc<Block>]) -> bool {
        parents.iter().map(|block| block.meta().max_time).max() >= self.blocks.load().end_in_order()
    }

    /// Tries again to delete blocks that were replaced. Nothing else may be replaced before they are gone: as long as the block that
    /// names them as its parents is there, a start does not take them for data.
    fn delete_undeleted(&self) -> Result<(), MaintenanceError> {
        let mut undeleted = self.undeleted.lock();
        undeleted.retain(|block| !delete(block));
        match undeleted.first() {
            None => Ok(()),
            Some(block) => {
                let reason = format!("block {} was replaced and is still there", block.meta().ulid);
                Err(self.io_error("delete a block", io::Error::other(reason)))
            }
        }
    }

    /// Shows the new block in the place of its parents, then deletes these.
    fn publish(
        &self,
        parents: &[Arc<Block>],
        path: Option<&std::path::Path>,
        start: Instant,
    ) -> Result<Compaction, MaintenanceError> {
        let block = path.map(|path| Block::open(path).map(Arc::new)).transpose();
        self.metrics.reloads.inc();
        let block = block.inspect_err(|_| {
            self.metrics.reload_failures.inc();
        })?;
        let ids: Vec<BlockId> = parents.iter().map(|parent| parent.meta().ulid).collect();
        self.blocks.rcu(|set| Arc::new(set.replaced(&ids, block.as_ref())));
        let meta = block.map(|block| Box::new(block.meta().clone()));
        let seconds = start.elapsed().as_secs_f64();
        match &meta {
            Some(meta) => tracing::info!(
                block = %meta.ulid, level = meta.compaction.level, parents = parents.len(), series = meta.stats.num_series,
                samples = meta.stats.num_samples, seconds, "blocks compacted"
            ),
            None => tracing::info!(parents = parents.len(), seconds, "blocks deleted: everything in them was deleted"),
        }
        self.undeleted.lock().extend(parents.iter().filter(|parent| !delete(parent)).cloned());
        Ok(Compaction::Replaced { parents: ids, block: meta })
    }

    /// Marks a block that can't be read, so that compaction goes on without it, also after a restart.
    fn set_aside(&self, id: BlockId, reason: &str) -> Compaction {
        tracing::error!(block = %id, reason, "block set aside from compaction: it cannot be read");
        let set = self.blocks.load_full();
        if let Some(block) = set.blocks.iter().find(|block| block.meta().ulid == id) {
            let marked = block.marked(reason, self.clock.now()).unwrap_or_else(|error: BlockError| {
                tracing::error!(block = %id, %error, "cannot mark the block: it is left alone until the next start");
                block.left_alone()
            });
            self.show_changed(marked);
        }
        Compaction::SetAside(id)
    }

    /// Puts a changed block in the place of the one with the same name, if that is still there.
    pub(super) fn show_changed(&self, block: Block) {
        let block = Arc::new(block);
        self.blocks.rcu(|set| Arc::new(set.with_changed(&block)));
    }
}
