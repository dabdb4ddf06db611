//! One block of series whose chunks somebody has already, for a place of its own.
//!
//! Chunks are written as they come, so that what is in memory is the index alone: texts, label numbers, places of chunks.

use std::path::{Path, PathBuf};

use model::{Labels, Timestamp};
use storage::chunk::Chunk;

use super::symbols::{Pairs, Symbols};
use crate::block::BlockChunks;
use crate::index::IndexedChunk;
use crate::meta::{BlockCompaction, BlockMeta};

/// Why a block of series can't be written. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum SeriesBlockError {
    /// A series that doesn't come after the one before it.
    #[error("series {0} is out of order: a block takes them sorted by labels, each once")]
    SeriesOrder(Labels),
    /// Chunks that overlap, or that lie outside of the block.
    #[error("a chunk of series {0} overlaps the one before it, or lies outside of the block's range")]
    ChunkOrder(Labels),
    /// There are more different label names and values than 32 bits can number.
    #[error("too many label values: more than 32 bits can number")]
    TooMany,
    /// A file can't be written.
    #[error("cannot write a block into {dir}")]
    Io {
        /// Where.
        dir: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Writes a block of level 1 that is its own source. The same series with the same chunks make the same files and the same
/// name, wherever and whenever they are written.
pub struct SeriesBlock {
    dir: PathBuf,
    range: (Timestamp, Timestamp),
    chunks: BlockChunks,
    symbols: Symbols,
    /// Labels, and how many of `places` are up to and with this series.
    series: Vec<(Pairs, usize)>,
    places: Vec<IndexedChunk>,
    last: Option<Labels>,
}

impl std::fmt::Debug for SeriesBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeriesBlock")
            .field("dir", &self.dir)
            .field("series", &self.series.len())
            .finish_non_exhaustive()
    }
}

impl SeriesBlock {
    /// Begins a block for `[min_time, max_time)` in a folder below `dir`, which is made where it is missing.
    ///
    /// # Errors
    /// The folder can't be made.
    pub fn create(dir: &Path, min_time: Timestamp, max_time: Timestamp) -> Result<Self, SeriesBlockError> {
        let chunks = BlockChunks::create(dir, min_time, max_time, BlockCompaction::cut())
            .map_err(|source| SeriesBlockError::Io { dir: dir.to_owned(), source })?;
        Ok(SeriesBlock {
            dir: dir.to_owned(),
            range: (min_time, max_time),
            chunks,
            symbols: Symbols::default(),
            series: Vec::new(),
            places: Vec::new(),
            last: None,
        })
    }

    /// Adds the next series in order of labels; one without chunks is left out.
    ///
    /// # Errors
    /// It is out of order, or its chunks are; or the chunks can't be written.
    pub fn add(&mut self, labels: &Labels, chunks: &[Chunk]) -> Result<(), SeriesBlockError> {
        if self.last.as_ref().is_some_and(|last| last >= labels) {
            return Err(SeriesBlockError::SeriesOrder(labels.clone()));
        }
        let (Some(first), Some(last)) = (chunks.first(), chunks.last()) else { return Ok(()) };
        let apart = chunks.windows(2).all(|two| two[0].max_time < two[1].min_time);
        if !apart || first.min_time < self.range.0 || last.max_time >= self.range.1 {
            return Err(SeriesBlockError::ChunkOrder(labels.clone()));
        }
        let pairs = self.symbols.pairs(labels).ok_or(SeriesBlockError::TooMany)?;
        let dir = &self.dir;
        let failed = |source| SeriesBlockError::Io { dir: dir.clone(), source };
        self.chunks.add(chunks, &mut self.places).map_err(failed)?;
        self.series.push((pairs, self.places.len()));
        self.last = Some(labels.clone());
        Ok(())
    }

    /// Completes the block; `None`, and no block, where nothing was added. `made_of` has a part in its name, too: the number of samples that
    /// the series were made of, for example, where a block of more is not the same.
    ///
    /// # Errors
    /// The index can't be written.
    pub fn finish(self, made_of: u64) -> Result<Option<(PathBuf, BlockMeta)>, SeriesBlockError> {
        let SeriesBlock { dir, chunks, symbols, series, places, .. } = self;
        let failed = |source| SeriesBlockError::Io { dir: dir.clone(), source };
        let order = symbols.sorted();
        let mut writer = chunks.with_index(order.iter().map(|symbol| symbols.text(*symbol))).map_err(failed)?;
        drop(order);
        let ranks = symbols.ranks();
        drop(symbols);
        let (mut labels, mut begin) = (Vec::new(), 0);
        for (pairs, end) in series {
            labels.clear();
            labels.extend(pairs.iter().map(|(name, value)| (ranks[*name as usize], ranks[*value as usize])));
            writer.add_written(&labels, &places[begin..end]).map_err(failed)?;
            begin = end;
        }
        writer.finish_as(&made_of.to_be_bytes()).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use storage::chunk::xor;

    use super::*;
    use crate::block::Block;

    fn chunk(times: std::ops::Range<i64>) -> Chunk {
        let mut writer = xor::Writer::default();
        times.for_each(|time| assert!(writer.push(time, time as f64)));
        writer.finish().expect("not empty")
    }

    fn labels(name: &str) -> Labels {
        Labels::from_pairs([("__name__", name), ("zone", "a")])
    }

    fn begin(dir: &Path) -> SeriesBlock {
        SeriesBlock::create(dir, Timestamp::from_ms(0), Timestamp::from_ms(100)).expect("writable")
    }

    #[test]
    fn the_same_series_make_the_same_block_and_it_reads_back() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |place: &str, made_of: u64| {
            let mut block = begin(&dir.path().join(place));
            for name in ["a", "b", "c"] {
                let chunks = if name == "b" { vec![] } else { vec![chunk(0..10), chunk(20..30)] };
                block.add(&labels(name), &chunks).expect("in order");
            }
            block.finish(made_of).expect("writable").expect("not empty")
        };
        let ((path, meta), (_, other)) = (write("one", 40), write("two", 40));
        assert_eq!(meta, other);
        assert_ne!(write("three", 41).1.ulid, meta.ulid);
        assert_eq!((meta.stats.num_series, meta.stats.num_samples, meta.stats.num_chunks), (2, 40, 4));
        assert_eq!(meta.compaction.sources, [meta.ulid]);
        let block = std::sync::Arc::new(Block::open(&path).expect("valid"));
        let found = block.select(&[], model::TimeRange::ALL, false).expect("readable");
        let found: Vec<_> = found.map(|series| series.expect("readable").labels).collect();
        assert_eq!(found, [labels("a"), labels("c")]);
        assert!(begin(dir.path()).finish(0).expect("writable").is_none());
        let left: Vec<_> = std::fs::read_dir(dir.path()).expect("a folder").flatten().map(|e| e.file_name()).collect();
        assert_eq!(left.len(), 3, "{left:?}");
    }

    #[test]
    fn what_is_out_of_order_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let check = |second: &str, chunks: &[Chunk], want: &str| {
            let mut block = begin(dir.path());
            block.add(&labels("b"), &[chunk(0..10)]).expect("in order");
            let error = block.add(&labels(second), chunks).expect_err("out of order").to_string();
            assert!(error.contains(want), "{error}");
        };
        check("a", &[chunk(0..10)], "sorted by labels");
        check("b", &[chunk(0..10)], "sorted by labels");
        check("c", &[chunk(0..10), chunk(9..12)], "overlaps");
        check("c", &[chunk(90..101)], "outside");
        check("c", &[chunk(-1..1)], "outside");
    }
}
