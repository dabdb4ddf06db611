//! Whether a block that somebody puts there is there already with all its parts.

use std::path::Path;

use super::reader::{Block, BlockError, sound};
use crate::index::IndexedChunk;

impl Block {
    /// Opens a block that may still be on its way here: one of which a chunk file is missing or ends early, or of which the list
    /// of deletions is missing, opens but is not whole. Reads the whole index, and of each chunk file its last chunk.
    pub(crate) fn open_whole(dir: &Path) -> Result<Self, BlockError> {
        let block = Block::open(dir)?;
        let incomplete = |reason: String| BlockError::Incomplete { path: dir.to_owned(), reason };
        let name = block.meta.ulid.to_string();
        if dir.file_name().is_none_or(|folder| *folder != *name) {
            return Err(incomplete(format!("meta.json is of block {name}")));
        }
        if block.meta.stats.num_tombstones > 0 && block.tombstones.count() == 0 {
            return Err(incomplete("meta.json tells of deletions, but there are no tombstones".to_owned()));
        }
        for last in sound(&dir.join("index"), block.last_chunks())? {
            block.chunk(&last).map_err(|error| incomplete(error.to_string()))?;
        }
        Ok(block)
    }

    /// The last chunk of each chunk file, as the index knows it.
    fn last_chunks(&self) -> Result<Vec<IndexedChunk>, crate::binary::Corrupt> {
        let (mut labels, mut chunks, mut last) = (Vec::new(), Vec::new(), Vec::<IndexedChunk>::new());
        for number in self.index.series_numbers()? {
            self.index.series_into(number, &mut labels, &mut chunks)?;
            for chunk in &chunks {
                match last.iter_mut().find(|other| other.segment == chunk.segment) {
                    Some(other) if other.offset >= chunk.offset => {}
                    Some(other) => *other = *chunk,
                    None => last.push(*chunk),
                }
            }
        }
        Ok(last)
    }
}
