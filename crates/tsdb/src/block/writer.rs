//! Writing a block: everything into a folder that no reader looks at, then one rename.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use model::Timestamp;
use storage::chunk::Chunk;
use xxhash_rust::xxh3::Xxh3;

use crate::chunks::{ChunkWriter, SEGMENT_BYTES_MAX};
use crate::durable;
use crate::index::{IndexWriter, SeriesLabels};
use crate::meta::{BlockId, BlockMeta, BlockStats};
use crate::tombstones::Tombstones;

/// What an unfinished block's folder ends with. Prometheus deletes such folders at start, and so do we.
pub(crate) const UNFINISHED_SUFFIX: &str = ".tmp-for-creation";

/// Hashes what goes through.
struct Hashing<W> {
    out: W,
    hash: Xxh3,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes one block of level 1.
pub(crate) struct BlockWriter {
    parent: PathBuf,
    dir: PathBuf,
    min_time: Timestamp,
    max_time: Timestamp,
    chunks: ChunkWriter,
    index: IndexWriter<Hashing<BufWriter<File>>>,
    stats: BlockStats,
}

impl BlockWriter {
    /// Begins a block in `parent` for `[min_time, max_time)` whose label names and values are `symbols`, sorted.
    pub(crate) fn create(
        parent: &Path,
        min_time: Timestamp,
        max_time: Timestamp,
        symbols: Vec<String>,
    ) -> io::Result<Self> {
        // The final name depends on the content, so the folder has a name of its range until then.
        let range_id = BlockId::from_content(max_time, u128::from(min_time.as_ms() as u64));
        let dir = parent.join(format!("{range_id}{UNFINISHED_SUFFIX}"));
        durable::remove_dir_if_exists(&dir)?;
        fs::create_dir_all(dir.join("chunks"))?;
        let index_file = BufWriter::with_capacity(1 << 20, File::create(dir.join("index"))?);
        let index = IndexWriter::new(Hashing { out: index_file, hash: Xxh3::new() }, symbols)?;
        let chunks = ChunkWriter::new(&dir.join("chunks"), SEGMENT_BYTES_MAX);
        let parent = parent.to_owned();
        Ok(BlockWriter { parent, dir, min_time, max_time, chunks, index, stats: BlockStats::default() })
    }

    /// Adds the next series in order of labels; one without chunks is left out.
    pub(crate) fn add(&mut self, labels: &SeriesLabels, chunks: &[Chunk]) -> io::Result<()> {
        if chunks.is_empty() {
            return Ok(());
        }
        let mut places = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            places.push(self.chunks.write(chunk.min_time, chunk.max_time, chunk.encoding, &chunk.data)?);
            self.stats.num_samples += chunk.sample_count() as u64;
        }
        self.stats.num_chunks += chunks.len() as u64;
        self.stats.num_series += 1;
        self.index.add_series(labels, &places)
    }

    /// Completes the block and gives it its name; `None`, and no block, where nothing was added.
    pub(crate) fn finish(self) -> io::Result<Option<(PathBuf, BlockMeta)>> {
        if self.stats.num_series == 0 {
            fs::remove_dir_all(&self.dir)?;
            return Ok(None);
        }
        let chunk_hash = self.chunks.finish()?;
        let Hashing { out, mut hash } = self.index.finish()?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        hash.update(&chunk_hash.to_be_bytes());
        let id = BlockId::from_content(self.max_time, hash.digest128());
        let meta = BlockMeta::level_one(id, self.min_time, self.max_time, self.stats);
        durable::write_file(&self.dir.join("tombstones"), &Tombstones::empty_file())?;
        durable::write_file(&self.dir.join("meta.json"), &meta.to_json())?;
        durable::sync_dir(&self.dir.join("chunks"))?;
        durable::sync_dir(&self.dir)?;
        let target = self.parent.join(id.to_string());
        // The same name is the same content: a cut that was repeated after a crash.
        durable::remove_dir_if_exists(&target)?;
        fs::rename(&self.dir, &target)?;
        durable::sync_dir(&self.parent)?;
        Ok(Some((target, meta)))
    }
}
