//! What is in a data directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Matcher, TimeRange};
use storage::{SeriesIter, SeriesSet, merge_sets};

use super::error::InspectError;
use super::head::HeadContent;
use super::progress::Progress;
use crate::block::Block;
use crate::meta::{BlockId, BlockMeta};

/// All of them must match.
pub type Matchers = Vec<Matcher>;

/// A folder with a block's name that holds no block that can be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The folder.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// A note in a block's folder about what must or must not happen to it, such as `deletion-mark.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The file's name.
    pub name: String,
    /// The reason that it gives; empty where it gives none.
    pub reason: String,
}

/// A block as a list shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockSummary {
    /// What it says of itself.
    pub meta: BlockMeta,
    /// The bytes of its files, as Prometheus counts them: meta, index, chunks, tombstones.
    pub bytes: u64,
    /// Notes in its folder.
    pub marks: Vec<Mark>,
}

/// A data directory, opened for reading.
#[derive(Debug)]
pub struct Inspection {
    dir: PathBuf,
    blocks: Vec<Arc<Block>>,
    set_aside: Vec<SetAside>,
    unfinished: Vec<PathBuf>,
}

pub(super) fn read_dir(dir: &Path) -> Result<Vec<fs::DirEntry>, InspectError> {
    let failed = |source| InspectError::Io { path: dir.to_owned(), source };
    let mut entries: Vec<_> = fs::read_dir(dir).map_err(failed)?.collect::<io::Result<_>>().map_err(failed)?;
    entries.sort_unstable_by_key(fs::DirEntry::file_name);
    Ok(entries)
}

impl Inspection {
    /// Opens all blocks of a directory. What can't be opened is in [`Inspection::set_aside`].
    ///
    /// # Errors
    /// The directory can't be listed, or has neither a block nor a log.
    pub fn open(dir: &Path) -> Result<Self, InspectError> {
        let mut found =
            Inspection { dir: dir.to_owned(), blocks: Vec::new(), set_aside: Vec::new(), unfinished: Vec::new() };
        for entry in read_dir(dir)? {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if !path.is_dir() {
                continue;
            }
            if name.parse::<BlockId>().is_err() {
                let stem = name.split_once('.').map_or("", |(stem, _)| stem);
                if stem.parse::<BlockId>().is_ok() {
                    found.unfinished.push(path);
                }
                continue;
            }
            match Block::open(&path) {
                Ok(block) => found.blocks.push(Arc::new(block)),
                // The owner of the directory may have deleted it just now.
                Err(_) if !path.exists() => {}
                Err(error) => found.set_aside.push(SetAside { path, reason: error.to_string() }),
            }
        }
        if found.blocks.is_empty() && found.set_aside.is_empty() && found.unfinished.is_empty() && !found.has_head() {
            return Err(InspectError::NoData { path: dir.to_owned() });
        }
        found.blocks.sort_by_key(|block| (block.meta().min_time, block.meta().max_time, block.meta().ulid));
        Ok(found)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The blocks, oldest first.
    pub fn blocks(&self) -> Vec<BlockSummary> {
        let summary = |block: &Arc<Block>| BlockSummary {
            meta: block.meta().clone(),
            bytes: block_bytes(block.dir()),
            marks: marks(block.dir()),
        };
        self.blocks.iter().map(summary).collect()
    }

    /// Folders with a block's name that can't be opened as one.
    pub fn set_aside(&self) -> &[SetAside] {
        &self.set_aside
    }

    /// Folders of blocks that were never finished or are half deleted. The owner removes them when it starts.
    pub fn unfinished(&self) -> &[PathBuf] {
        &self.unfinished
    }

    /// Whether there is a log, and so perhaps a head.
    pub fn has_head(&self) -> bool {
        self.dir.join("wal").is_dir()
    }

    /// The samples that are in no block yet, from the logs. Costs memory in proportion to them.
    pub fn head(&self, progress: &mut dyn Progress) -> Result<HeadContent, InspectError> {
        let in_blocks = self
            .blocks
            .iter()
            .filter(|block| !block.meta().compaction.is_out_of_order())
            .map(|block| block.meta().max_time)
            .max();
        HeadContent::read(&self.dir, in_blocks, progress)
    }

    pub(super) fn block(&self, name: &str) -> Result<&Arc<Block>, InspectError> {
        let error = |reason: String| InspectError::Block { name: name.to_owned(), reason };
        if let Some(block) = self.blocks.iter().find(|block| block.meta().ulid.to_string() == name) {
            return Ok(block);
        }
        let aside = self.set_aside.iter().find(|aside| aside.path.file_name().is_some_and(|file| file == name));
        Err(error(aside.map_or_else(|| format!("not found in {}", self.dir.display()), |aside| aside.reason.clone())))
    }

    /// The newest block's name, if there is a block.
    pub fn last_block(&self) -> Option<BlockId> {
        self.blocks.last().map(|block| block.meta().ulid)
    }

    /// The series that match any of several lists of matchers, sorted by labels, with the chunks that touch the range: those
    /// of the blocks, and those of `head` where it is given. Blocks are read as the answer is walked. Every series comes once;
    /// its chunks may overlap, and decoding merges them.
    pub fn select(
        &self,
        any_of: &[Matchers],
        range: TimeRange,
        head: Option<&HeadContent>,
    ) -> Result<SeriesIter, InspectError> {
        let mut sets = Vec::new();
        for matchers in any_of {
            for block in self.blocks.iter().filter(|block| block.meta().range().overlaps(range)) {
                let series = block.select(matchers, range, false)?;
                sets.push(SeriesSet { series, warnings: Vec::new() });
            }
            sets.extend(head.map(|head| SeriesSet::from_sorted(head.select(matchers, range))));
        }
        Ok(merge_sets(sets, 0).series)
    }
}

/// The bytes of the files of a block that Prometheus counts.
fn block_bytes(dir: &Path) -> u64 {
    let len = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let files = ["meta.json", "index", "tombstones"].iter().map(|name| len(&dir.join(name))).sum::<u64>();
    let chunks = fs::read_dir(dir.join("chunks")).into_iter().flatten().flatten();
    files + chunks.map(|entry| len(&entry.path())).sum::<u64>()
}

/// The notes in a block's folder: `*-mark.json`, with the reason, or the details, that they give.
fn marks(dir: &Path) -> Vec<Mark> {
    let mut marks = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with("-mark.json") {
            continue;
        }
        let json: serde_json::Value =
            fs::read(entry.path()).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let given: Vec<&str> = ["reason", "details"].iter().filter_map(|key| json.get(key)?.as_str()).collect();
        marks.push(Mark { name, reason: given.join(": ") });
    }
    marks.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    marks
}
