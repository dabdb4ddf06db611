//! A copy of the whole database as blocks, without stopping it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::maintenance::MaintenanceError;
use super::state::Db;

impl Db {
    /// A new name for a snapshot's folder, in Prometheus's form: the time to the second, then 16 hexadecimal digits.
    pub fn snapshot_name(&self) -> String {
        let now = self.clock.now();
        let whole_secs = now.align_down(1000).to_rfc3339().replace(['-', ':'], "");
        let content = [now.as_ms() as u64, self.head_stats().samples_appended];
        let hash = content.iter().fold(0, |hash, part| xxh3_64_with_seed(&part.to_be_bytes(), hash));
        format!("{whole_secs}-{hash:016x}")
    }

    /// Writes what there is as blocks into `dir`, which is made: the blocks as hard links where that is possible, with `head`
    /// the head as one block more. The answer is `dir`. Waits for a compaction that is under way.
    pub fn snapshot(&self, dir: &Path, head: bool) -> Result<PathBuf, MaintenanceError> {
        self.wait_for_history()?;
        let _no_compaction = self.compacting.lock();
        let _no_cut = self.maintaining.lock();
        let failed = |source| MaintenanceError::Io { action: "write a snapshot", dir: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(failed)?;
        for block in &self.blocks.load().blocks {
            link_tree(block.dir(), &dir.join(block.meta().ulid.to_string())).map_err(failed)?;
        }
        if let Some((min, max)) = self.head.time_range().filter(|_| head) {
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
