//! Noticing what others did to the directory while it is open: blocks that were put beside ours, by `create-blocks-from`, by a copy
//! or a restore, and blocks that somebody deleted.
//!
//! Where nothing has changed it costs reading the directory's names. A new folder is taken in when it is a whole block; one that
//! isn't gets time for as long as its files change from one look to the next, and is set aside then. Also what is set aside is tried
//! again when its files change.
//!
//! The newest end of a block says up to where the head is in blocks, so a start reads nothing of the log before it. A block
//! from elsewhere that ends later is therefore marked, before it is shown, as Prometheus marks blocks of late samples:
//! otherwise what the head holds of its range would be lost at the next start, in Prometheus as well as here.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::blocks::{BlockSet, block_folders};
use super::maintenance::Maintenance;
use super::state::Db;
use super::unopened::Look;
use crate::block::{Block, BlockError};

impl Db {
    /// Takes in what was put there and lets go of what is gone. `compacting` and `maintaining` must be held: nobody of us makes or
    /// deletes blocks meanwhile.
    pub(super) fn rescan(&self, done: &mut Maintenance) -> io::Result<()> {
        let folders = block_folders(&self.options.dir)?;
        let before = self.blocks.load_full();
        let mut set = BlockSet::clone(&before);
        set.blocks.retain(|block| {
            let stays = folders.iter().any(|folder| *folder == block.dir());
            if !stays {
                tracing::warn!(block = %block.meta().ulid, "block is gone from the directory: it is no longer shown");
                done.vanished.push(block.meta().ulid);
            }
            stays
        });
        set.set_aside.retain(|folder| folders.contains(folder));
        let unopened = self.unopened_of(&set, folders);
        for folder in &unopened {
            self.look_at(folder.clone(), &mut set, done);
        }
        self.unopened.lock().keep(&unopened);
        let changed = !done.found.is_empty() || !done.vanished.is_empty();
        if changed {
            self.metrics.reloads.inc();
            set.without_replaced();
            done.found.retain(|meta| set.blocks.iter().any(|block| block.meta().ulid == meta.ulid));
        }
        if changed || set.set_aside != before.set_aside {
            self.blocks.store(Arc::new(set));
        }
        Ok(())
    }

    /// The folders that are not open, without those that are waiting for their deletion.
    fn unopened_of(&self, set: &BlockSet, mut folders: Vec<PathBuf>) -> Vec<PathBuf> {
        let undeleted = self.undeleted.lock();
        let is_known = |folder: &PathBuf| set.blocks.iter().chain(&*undeleted).any(|block| block.dir() == *folder);
        folders.retain(|folder| !is_known(folder));
        folders
    }

    /// Opens a folder, unless it could not be opened before and is as it was then.
    fn look_at(&self, folder: PathBuf, set: &mut BlockSet, done: &mut Maintenance) {
        let look = self.unopened.lock().look(&folder);
        let is_aside = set.set_aside.contains(&folder);
        if is_aside && look != Look::Changed {
            return;
        }
        match self.take_in(&folder, set) {
            Ok(block) => {
                let meta = block.meta().clone();
                tracing::info!(
                    block = %meta.ulid, min_time = %meta.min_time, max_time = %meta.max_time, series = meta.stats.num_series,
                    samples = meta.stats.num_samples, "block found in the directory: it is shown from now on"
                );
                set.set_aside.retain(|aside| *aside != folder);
                set.blocks.push(Arc::new(block));
                done.found.push(meta);
            }
            Err(error) if look == Look::Same => {
                self.metrics.reload_failures.inc();
                set.put_aside(folder, &error);
            }
            Err(error) => {
                let path = folder.display();
                tracing::info!(block = %path, %error, "block found in the directory that is not whole: waiting for the rest");
            }
        }
    }

    /// Opens a block from elsewhere and sees to it that it hides nothing of the head from the next start.
    fn take_in(&self, folder: &std::path::Path, set: &BlockSet) -> Result<Block, BlockError> {
        let block = Block::open_whole(folder)?;
        if set.reaches_into_head(&block) && !block.meta().compaction.is_out_of_order() {
            return block.marked_out_of_order();
        }
        Ok(block)
    }
}
