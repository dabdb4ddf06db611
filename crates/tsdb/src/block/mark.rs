//! Thanos's `no-compact-mark.json`: compaction leaves the block alone. Written where compaction failed on a block, so that it
//! is not tried again; whoever has repaired the block deletes the file and takes `failed` out of `meta.json`.

use std::io;

use model::Timestamp;
use serde::Serialize;

use super::reader::{Block, BlockError, NO_COMPACT_MARK, at};
use crate::durable;

const VERSION: u32 = 1;
/// Ours among Thanos's reasons.
const REASON: &str = "unreadable-block";

#[derive(Serialize)]
struct Mark<'a> {
    id: String,
    version: u32,
    details: &'a str,
    /// Seconds since the epoch.
    no_compact_time: i64,
    reason: &'static str,
}

impl Block {
    /// Marks the block as one that compaction leaves alone, in its folder and in `meta.json` as Prometheus does; gives it back
    /// so marked.
    pub(crate) fn marked(&self, details: &str, now: Timestamp) -> Result<Block, BlockError> {
        let mut marked = self.left_alone();
        marked.meta.compaction.failed = true;
        let mark = Mark {
            id: self.meta.ulid.to_string(),
            version: VERSION,
            details,
            no_compact_time: now.as_ms().div_euclid(1000),
            reason: REASON,
        };
        let path = self.dir.join(NO_COMPACT_MARK);
        let json = serde_json::to_vec_pretty(&mark).map_err(io::Error::other);
        at(&path, json.and_then(|json| durable::replace_file(&path, &json)))?;
        marked.write_meta()?;
        Ok(marked)
    }

    /// The block as one that compaction leaves alone, without telling the disk.
    pub(crate) fn left_alone(&self) -> Block {
        let mut block = self.clone();
        block.no_compact = true;
        block
    }

    /// Marks the block as one whose end says nothing of how far the head is in blocks, as Prometheus marks blocks of late samples; gives
    /// it back so marked.
    pub(crate) fn marked_out_of_order(&self) -> Result<Block, BlockError> {
        let mut marked = self.clone();
        marked.meta.compaction.mark_out_of_order();
        marked.write_meta()?;
        Ok(marked)
    }

    /// Writes `meta.json` anew.
    pub(super) fn write_meta(&self) -> Result<(), BlockError> {
        let path = self.dir.join("meta.json");
        at(&path, durable::replace_file(&path, &self.meta.to_json()))
    }
}
