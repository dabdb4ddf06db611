//! Writing a block: everything into a folder that no reader looks at, then one rename.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use model::Timestamp;
use storage::chunk::Chunk;
use xxhash_rust::xxh3::Xxh3;

use super::mapped::map_file;
use crate::chunks::{ChunkWriter, SEGMENT_BYTES_MAX};
use crate::durable;
use crate::failpoint;
use crate::figures::ChunkFigures;
use crate::index::{IndexFile, IndexWriter, IndexedChunk, SeriesLabels};
use crate::meta::{BlockCompaction, BlockId, BlockMeta, BlockStats};
use crate::tombstones::Tombstones;

/// What an unfinished block's folder ends with. Prometheus deletes such folders at start, and so do we.
pub(crate) const UNFINISHED_SUFFIX: &str = ".tmp-for-creation";
/// The extension of a folder that is being deleted; such ones go at start, too.
const DELETION_SUFFIX: &str = "tmp-for-deletion";

/// The index file of an unfinished block; hashes what is written.
struct IndexOut {
    path: PathBuf,
    out: BufWriter<File>,
    hash: Xxh3,
}

impl Write for IndexOut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl IndexFile for IndexOut {
    /// Mapped as far as it is written; what follows is only appended.
    fn content(&mut self) -> io::Result<Bytes> {
        self.out.flush()?;
        map_file(&self.path)
    }
}

/// An unfinished block's folder. It goes away with this unless it got its name: a full disk gets its room back.
struct Unfinished {
    dir: PathBuf,
    named: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.named
            && let Err(error) = durable::remove_dir_if_exists(&self.dir)
        {
            tracing::warn!(dir = %self.dir.display(), %error, "cannot delete an unfinished block, the next start will");
        }
    }
}

/// The first half of a block: its chunks, of which each series' come together, in order of the series' labels.
pub(crate) struct BlockChunks {
    parent: PathBuf,
    min_time: Timestamp,
    max_time: Timestamp,
    compaction: BlockCompaction,
    chunks: ChunkWriter,
    stats: BlockStats,
    figures: ChunkFigures,
    unfinished: Unfinished,
}

impl BlockChunks {
    /// Begins a block in `parent` for `[min_time, max_time)`. It says of itself where it comes from; without sources it is its
    /// own source.
    pub(crate) fn create(
        parent: &Path,
        min_time: Timestamp,
        max_time: Timestamp,
        compaction: BlockCompaction,
    ) -> io::Result<Self> {
        // The final name depends on the content, so the folder has a name of its range and ancestry until then.
        let mut hash = Xxh3::new();
        hash.update(&min_time.as_ms().to_be_bytes());
        compaction.hash_ancestry(&mut hash);
        let dir = parent.join(format!("{}{UNFINISHED_SUFFIX}", BlockId::from_content(max_time, hash.digest128())));
        durable::remove_dir_if_exists(&dir)?;
        fs::create_dir_all(dir.join("chunks"))?;
        let unfinished = Unfinished { dir, named: false };
        let chunks = ChunkWriter::new(&unfinished.dir.join("chunks"), SEGMENT_BYTES_MAX);
        let (stats, figures) = (BlockStats::default(), ChunkFigures::default());
        let parent = parent.to_owned();
        Ok(BlockChunks { parent, min_time, max_time, compaction, chunks, stats, figures, unfinished })
    }

    /// Writes the chunks of the next series, of which there must be at least one; adds their places to `places`.
    pub(crate) fn add(&mut self, chunks: &[Chunk], places: &mut Vec<IndexedChunk>) -> io::Result<()> {
        failpoint::pass("block.write")?;
        for chunk in chunks {
            places.push(self.chunks.write(chunk.min_time, chunk.max_time, chunk.encoding, &chunk.data)?);
            self.figures.count(chunk);
            let samples = chunk.sample_count() as u64;
            self.stats.num_samples += samples;
            match chunk.encoding.is_of_floats() {
                true => self.stats.num_float_samples += samples,
                false => self.stats.num_histogram_samples += samples,
            }
        }
        self.stats.num_chunks += chunks.len() as u64;
        self.stats.num_series += 1;
        Ok(())
    }

    /// The block with an index, which begins with its label names and values, sorted. Chunks may still come.
    pub(crate) fn with_index<'s>(self, symbols: impl Iterator<Item = &'s str> + Clone) -> io::Result<BlockWriter> {
        let path = self.unfinished.dir.join("index");
        let out = BufWriter::with_capacity(1 << 20, File::create(&path)?);
        let index = IndexWriter::new(IndexOut { path, out, hash: Xxh3::new() }, symbols)?;
        Ok(BlockWriter { chunks: self, index, places: Vec::new() })
    }
}

/// Writes one block.
pub(crate) struct BlockWriter {
    chunks: BlockChunks,
    index: IndexWriter<IndexOut>,
    places: Vec<IndexedChunk>,
}

impl BlockWriter {
    /// Begins a block in `parent` for `[min_time, max_time)` whose label names and values are `symbols`, sorted. It says of itself
    /// where it comes from; without sources it is its own source.
    pub(crate) fn with_ancestry<'s>(
        parent: &Path,
        min_time: Timestamp,
        max_time: Timestamp,
        compaction: BlockCompaction,
        symbols: impl Iterator<Item = &'s str> + Clone,
    ) -> io::Result<Self> {
        BlockChunks::create(parent, min_time, max_time, compaction)?.with_index(symbols)
    }

    /// Adds the next series in order of labels; one without chunks is left out.
    pub(crate) fn add(&mut self, labels: &SeriesLabels, chunks: &[Chunk]) -> io::Result<()> {
        if chunks.is_empty() {
            return Ok(());
        }
        self.places.clear();
        self.chunks.add(chunks, &mut self.places)?;
        self.index.add_series(labels, &self.places)
    }

    /// Adds the next series in order of labels to the index, its chunks having been written before.
    pub(crate) fn add_written(&mut self, labels: &SeriesLabels, places: &[IndexedChunk]) -> io::Result<()> {
        self.index.add_series(labels, places)
    }

    /// What the chunks so far are like.
    pub(crate) fn figures(&self) -> ChunkFigures {
        self.chunks.figures.clone()
    }

    /// Completes the block and gives it its name; `None`, and no block, where nothing was added.
    pub(crate) fn finish(self) -> io::Result<Option<(PathBuf, BlockMeta)>> {
        self.finish_as(&[])
    }

    /// The same with a name that tells blocks of the same content from each other that differ in something else.
    pub(crate) fn finish_as(self, something_else: &[u8]) -> io::Result<Option<(PathBuf, BlockMeta)>> {
        let BlockChunks { parent, min_time, max_time, compaction, chunks, stats, mut unfinished, .. } = self.chunks;
        if stats.num_series == 0 {
            return Ok(None);
        }
        let chunk_hash = chunks.finish()?;
        let IndexOut { out, mut hash, .. } = self.index.finish()?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        hash.update(&chunk_hash.to_be_bytes());
        // Never the name of a parent, not even where the content is the same.
        compaction.hash_ancestry(&mut hash);
        hash.update(something_else);
        let id = BlockId::from_content(max_time, hash.digest128());
        let meta = BlockMeta::new(id, min_time, max_time, stats, compaction);
        let dir = &unfinished.dir;
        durable::write_file(&dir.join("tombstones"), &Tombstones::default().encode())?;
        durable::write_file(&dir.join("meta.json"), &meta.to_json())?;
        durable::sync_dir(&dir.join("chunks"))?;
        durable::sync_dir(dir)?;
        let target = parent.join(id.to_string());
        failpoint::pass("block.rename.before")?;
        // The same name is the same content: a cut that was repeated after a crash. The old one loses its name at once, so that
        // a death can't leave half of it under that name.
        let replaced = target.with_extension(DELETION_SUFFIX);
        if target.exists() {
            durable::remove_dir_if_exists(&replaced)?;
            fs::rename(&target, &replaced)?;
        }
        fs::rename(dir, &target)?;
        // A failure from here on takes the block away again: nobody has seen it, and what it stands for may change until the
        // next attempt.
        unfinished.dir.clone_from(&target);
        durable::remove_dir_if_exists(&replaced)?;
        failpoint::pass("block.rename.after")?;
        durable::sync_dir(&parent)?;
        unfinished.named = true;
        Ok(Some((target, meta)))
    }
}
