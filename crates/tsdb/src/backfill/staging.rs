//! A folder for blocks that are not complete yet.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use model::Timestamp;

use crate::block::UNFINISHED_SUFFIX;
use crate::durable;
use crate::meta::{BlockId, BlockMeta};

/// Collects blocks, and moves them to where they belong all at once. Dropped before that, it takes them with it.
#[derive(Debug)]
pub(super) struct Staging {
    target: PathBuf,
    dir: PathBuf,
}

impl Staging {
    /// Makes `target`, and the folder in it. The folder's name is that of an unfinished block, so that whoever opens the
    /// directory after a crash cleans up.
    pub(super) fn create(target: &Path) -> io::Result<Self> {
        fs::create_dir_all(target)?;
        let name = BlockId::from_content(Timestamp::from_ms(0), u128::from(std::process::id()));
        let dir = target.join(format!("{name}{UNFINISHED_SUFFIX}"));
        durable::remove_dir_if_exists(&dir)?;
        fs::create_dir(&dir)?;
        Ok(Staging { target: target.to_owned(), dir })
    }

    /// Where the blocks will be.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Where to write blocks.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Gives the blocks their place. A block that is there already has the same name because it has the same content.
    pub(super) fn publish(self, blocks: &[BlockMeta]) -> io::Result<()> {
        for block in blocks {
            let place = self.target.join(block.ulid.to_string());
            if !place.exists() {
                fs::rename(self.dir.join(block.ulid.to_string()), place)?;
            }
        }
        durable::sync_dir(&self.target)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = durable::remove_dir_if_exists(&self.dir) {
            tracing::warn!(dir = %self.dir.display(), %error, "cannot remove unfinished blocks");
        }
    }
}
