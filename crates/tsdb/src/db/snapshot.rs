//! A copy of the whole database as blocks, without stopping it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::maintenance::MaintenanceError;
use super::state::Db;

impl Db {
    /// Writes everything there is as blocks into `dir`, which is made: the blocks as hard links where that is possible, the
    /// head as one block more. The answer is `dir`.
    pub fn snapshot(&self, dir: &Path) -> Result<PathBuf, MaintenanceError> {
        let _alone = self.maintaining.lock();
        let failed = |source| MaintenanceError::Io { action: "write a snapshot", dir: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(failed)?;
        for block in &self.blocks.load().blocks {
            link_tree(block.dir(), &dir.join(block.meta().ulid.to_string())).map_err(failed)?;
        }
        if let Some((min, max)) = self.head.time_range() {
            self.write_block(dir, min, max.saturating_add(1))?;
        }
        Ok(dir.to_owned())
    }
}

/// Links the files of a folder, or copies what can't be linked.
fn link_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            link_tree(&entry.path(), &target)?;
        } else if fs::hard_link(entry.path(), &target).is_err() {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
