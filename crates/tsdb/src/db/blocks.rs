//! The blocks of a directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Timestamp;

use crate::block::{Block, BlockError, UNFINISHED_SUFFIX};
use crate::durable;
use crate::failpoint;
use crate::meta::BlockId;

/// The blocks that could be opened, oldest first, and the folders that could not.
#[derive(Debug, Clone, Default)]
pub(super) struct BlockSet {
    pub(super) blocks: Vec<Arc<Block>>,
    pub(super) set_aside: Vec<PathBuf>,
}

impl BlockSet {
    /// Opens all blocks of `dir`. One that can't be opened is set aside: told, counted, left as it is; the others go on.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let mut set = BlockSet::default();
        for path in block_folders(dir)? {
            match Block::open(&path) {
                Ok(block) => set.blocks.push(Arc::new(block)),
                Err(error) => set.put_aside(path, &error),
            }
        }
        set.without_replaced();
        Ok(set)
    }

    /// Tells and counts a folder that holds no block which can be opened.
    pub(super) fn put_aside(&mut self, path: PathBuf, error: &BlockError) {
        tracing::error!(block = %path.display(), %error, "block set aside: it cannot be opened");
        self.set_aside.push(path);
    }

    /// Leaves out, and deletes, blocks that a compaction has replaced, and those that Prometheus found to be empty: a crash may
    /// have kept them, or somebody put them back.
    pub(super) fn without_replaced(&mut self) {
        let replaced: Vec<BlockId> = self.blocks.iter().flat_map(replaced_by).collect();
        let (gone, mut kept): (Vec<_>, Vec<_>) = self
            .blocks
            .drain(..)
            .partition(|block| block.meta().compaction.deletable || replaced.contains(&block.meta().ulid));
        for block in gone {
            delete(&block);
        }
        sort(&mut kept);
        self.blocks = kept;
    }

    /// The set with one block more.
    pub(super) fn with(&self, block: &Arc<Block>) -> Self {
        self.replaced(&[block.meta().ulid], Some(block))
    }

    /// The set without some blocks and with another in their place.
    pub(super) fn replaced(&self, gone: &[BlockId], block: Option<&Arc<Block>>) -> Self {
        let mut blocks = self.blocks.clone();
        blocks.retain(|other| !gone.contains(&other.meta().ulid));
        blocks.extend(block.cloned());
        sort(&mut blocks);
        BlockSet { blocks, set_aside: self.set_aside.clone() }
    }

    /// The set with the block of the same name changed; as it is where there is none.
    pub(super) fn with_changed(&self, changed: &Arc<Block>) -> Self {
        let change = |block: &Arc<Block>| {
            if block.meta().ulid == changed.meta().ulid { Arc::clone(changed) } else { Arc::clone(block) }
        };
        BlockSet { blocks: self.blocks.iter().map(change).collect(), set_aside: self.set_aside.clone() }
    }

    /// How many blocks are left alone: not opened, or not compacted.
    pub(super) fn left_alone(&self) -> usize {
        self.set_aside.len() + self.blocks.iter().filter(|block| block.no_compact()).count()
    }

    /// Up to where the head is in blocks: the newest end of a block that was not made of late samples alone, nor put there by
    /// others.
    pub(super) fn end_in_order(&self) -> Option<Timestamp> {
        let in_order = self.blocks.iter().filter(|block| !block.meta().compaction.is_out_of_order());
        in_order.map(|block| block.meta().max_time).max()
    }

    /// Whether a block ends after what the head has given to blocks. Only one that others have put there does.
    pub(super) fn reaches_into_head(&self, block: &Block) -> bool {
        self.end_in_order().is_none_or(|end| block.meta().max_time > end)
    }

    /// The bytes of all blocks.
    pub(super) fn byte_len(&self) -> u64 {
        self.blocks.iter().map(|block| block.byte_len()).sum()
    }
}

/// The folders that have the name of a block. Costs reading the directory's names.
pub(super) fn block_folders(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let is_block = entry.file_name().to_str().is_some_and(|name| name.parse::<BlockId>().is_ok());
        if is_block && entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

fn sort(blocks: &mut [Arc<Block>]) {
    blocks.sort_by_key(|block| (block.meta().min_time, block.meta().max_time, block.meta().ulid));
}

/// The parents of a block; never itself, whatever it says.
fn replaced_by(block: &Arc<Block>) -> impl Iterator<Item = BlockId> {
    let parents = block.meta().compaction.parents.iter().map(|parent| parent.ulid);
    parents.filter(|parent| *parent != block.meta().ulid)
}

/// Deletes a block's folder: first it loses its name, so that half a block is never seen. Readers that still walk it keep
/// their mappings. A failure is told; the next start tries again. The answer is whether the name is gone.
pub(super) fn delete(block: &Block) -> bool {
    let doomed = block.dir().with_extension("tmp-for-deletion");
    let result = failpoint::pass("block.delete.before")
        .and_then(|()| fs::rename(block.dir(), &doomed))
        .and_then(|()| failpoint::pass("block.delete.renamed"))
        .and_then(|()| durable::remove_dir_if_exists(&doomed));
    if let Err(error) = result {
        tracing::warn!(block = %block.dir().display(), %error, "cannot delete block");
    }
    !block.dir().exists()
}

/// Deletes what a crash left half made or half deleted, and nothing else.
pub(super) fn remove_unfinished(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let id = name.strip_suffix(UNFINISHED_SUFFIX).or_else(|| name.strip_suffix(".tmp-for-deletion"));
        if id.is_some_and(|id| id.parse::<BlockId>().is_ok()) {
            durable::remove_dir_if_exists(&path)?;
        }
    }
    Ok(())
}
