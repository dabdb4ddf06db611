//! Opening, closing, and telling what there is.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use model::{Clock, Timestamp};
use parking_lot::{Mutex, RwLock};
use prometheus_client::registry::Registry;
use storage::{Appendable, Appender};

use super::blocks::{BlockSet, remove_unfinished};
use super::shown::ShownBlocks;
use super::unopened::Unopened;
use crate::block::Block;
use crate::chunk_snapshot;
use crate::head::{CardinalityStats, Head, HeadOptions, HeadStats, Loading, Transaction};
use crate::lock::DirLock;
use crate::meta::{BlockId, BlockMeta};
use crate::metrics::Metrics;
use crate::options::{OpenError, Options, Retention};

/// A database on a directory: takes samples, answers questions, and keeps itself in order when it is told to (`maintain`).
///
/// Crash: whatever a commit returned `Ok` for has been handed to the system and survives the death of the process. A power
/// cut may take what the system had not written to disk yet, see `docs/format/wal.md`.
pub struct Db {
    pub(super) options: Options,
    /// What the options say at first.
    pub(super) retention: RwLock<Retention>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) head: Arc<Head>,
    pub(super) loading: Loading,
    pub(super) blocks: ShownBlocks,
    pub(super) metrics: Metrics,
    /// Held by whoever changes blocks that are there: one merge or deletion at a time. Taken before `maintaining`.
    pub(super) compacting: Mutex<()>,
    /// Held by whoever takes samples out of the head or deletes what is beyond the retention.
    pub(super) maintaining: Mutex<()>,
    /// The blocks that are being compacted.
    pub(super) busy: Mutex<Vec<BlockId>>,
    /// Folders that others have put there and that can't be opened, as they were at the last look.
    pub(super) unopened: Mutex<Unopened>,
    /// Blocks that were replaced and could not be deleted yet.
    pub(super) undeleted: Mutex<Vec<Arc<Block>>>,
    /// Compaction ends early.
    pub(super) closing: AtomicBool,
    /// Says of a block that it must stay as it is.
    pub(super) held: RwLock<Option<Held>>,
    lock: DirLock,
}

/// Tells whether a block must stay.
type Held = Box<dyn Fn(BlockId) -> bool + Send + Sync>;

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").field("dir", &self.options.dir).finish_non_exhaustive()
    }
}

impl Db {
    /// Opens a directory, which may come from Prometheus, and takes in its log. Blocks that can't be opened are set aside.
    pub fn open(options: Options, clock: Arc<dyn Clock>, registry: &mut Registry) -> Result<Arc<Self>, OpenError> {
        options.check()?;
        let dir = options.dir.clone();
        let io_error = |source: io::Error| OpenError::io(&dir, source);
        fs::create_dir_all(&dir).map_err(io_error)?;
        let lock = DirLock::take(&dir)?;
        remove_unfinished(&dir).map_err(io_error)?;
        chunk_snapshot::remove_unfinished(&dir).map_err(io_error)?;
        let blocks = BlockSet::open(&dir).map_err(io_error)?;
        let in_blocks = blocks.end_in_order();
        let metrics = Metrics::new(registry);
        let head_options = HeadOptions {
            chunk_range_ms: options.min_block_ms,
            wal_segment_bytes: options.wal_segment_bytes,
            wal_compression: options.wal_compression,
            max_exemplars: options.max_exemplars,
            out_of_order_window_ms: options.out_of_order_window_ms,
            max_future_ms: options.max_future_ms,
            snapshot_dir: options.chunk_snapshot.then(|| dir.clone()),
        };
        let min_valid = in_blocks.unwrap_or(Timestamp::MIN);
        let head = Head::open(&dir, head_options, min_valid, Arc::clone(&clock), metrics.clone()).map_err(io_error)?;
        let retention = Retention { ms: options.retention_ms, bytes: options.retention_bytes };
        let db = Arc::new(Db {
            options,
            retention: RwLock::new(retention),
            clock,
            head: Arc::new(head),
            loading: Loading::default(),
            blocks: ShownBlocks::new(blocks),
            metrics,
            compacting: Mutex::new(()),
            maintaining: Mutex::new(()),
            busy: Mutex::default(),
            unopened: Mutex::default(),
            undeleted: Mutex::default(),
            closing: AtomicBool::new(false),
            held: RwLock::default(),
            lock,
        });
        db.metrics.clean_start.set(i64::from(!db.lock.found_file()));
        db.set_retention(retention);
        db.metrics.reloads.inc();
        db.show_blocks();
        Db::load(&db, min_valid)?;
        Ok(db)
    }

    /// Ends a compaction that is under way, and lets no further one begin: what was written of it is dropped, its parents stay.
    pub fn stop_compaction(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Syncs the log to disk, leaves a chunk snapshot behind where the options say so, and ends compaction. Otherwise the database
    /// may be used on; this is what a clean stop does before it lets go.
    pub fn close(&self) -> io::Result<()> {
        self.head.begin_closing();
        self.loading.wait();
        self.head.flush_chunks();
        self.stop_compaction();
        self.head.wal().sync()?;
        self.head.late_log().map_or(Ok(()), |log| log.sync())?;
        if self.loading.is_done() {
            self.head.leave_snapshot();
        }
        self.lock.mark_clean();
        Ok(())
    }

    /// The head in numbers.
    pub fn head_stats(&self) -> HeadStats {
        self.head.stats()
    }

    /// Whether the last commit could not be written to the log, because the disk is full for example; false again with the first that can.
    pub fn storing_fails(&self) -> bool {
        self.head.storing_fails()
    }

    /// What makes the head large, the `limit` largest of each kind.
    pub fn status(&self, limit: usize) -> CardinalityStats {
        self.head.cardinality(limit)
    }

    /// Keeps a block as it is, beyond the retention and uncompacted, for as long as `held` says so. A global holds what isn't in the bucket yet: a
    /// bucket that is away costs disk, not data.
    pub fn hold_blocks(&self, held: impl Fn(BlockId) -> bool + Send + Sync + 'static) {
        *self.held.write() = Some(Box::new(held));
    }

    /// The blocks that are open, oldest first.
    pub fn blocks(&self) -> Vec<BlockMeta> {
        self.blocks.load().blocks.iter().map(|block| block.meta().clone()).collect()
    }

    /// The folders of blocks that could not be opened.
    pub fn blocks_set_aside(&self) -> Vec<std::path::PathBuf> {
        self.blocks.load().set_aside.clone()
    }

    /// The options it was opened with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The bytes of all blocks, of the log and of the head's chunks.
    pub fn disk_bytes(&self) -> u64 {
        self.head_disk_bytes() + self.blocks.load().byte_len()
    }

    /// The bytes of what is not in blocks: the logs and the head's chunks.
    pub(super) fn head_disk_bytes(&self) -> u64 {
        ["wal", "wbl", "chunks_head"].iter().map(|name| tree_bytes(&self.options.dir.join(name))).sum()
    }

    /// Brings the metrics of blocks up to date.
    pub(super) fn show_blocks(&self) {
        let blocks = self.blocks.load();
        self.metrics.blocks_loaded.set(blocks.blocks.len() as i64);
        self.metrics.blocks_bytes.set(blocks.byte_len() as i64);
        self.metrics.blocks_set_aside.set(blocks.left_alone() as i64);
        self.metrics.lowest_timestamp.set(self.oldest().map_or(0, Timestamp::as_ms));
        self.metrics.wal_segment_current.set(self.head.wal().current_segment() as i64);
    }

    /// The oldest time there may be a sample of.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        let head = self.head.whole_range().map(|range| range.min);
        let blocks = self.blocks.load().blocks.iter().map(|block| block.meta().min_time).min();
        head.into_iter().chain(blocks).min()
    }
}

/// The bytes of the files of a folder and of the folders in it; what can't be read counts nothing.
fn tree_bytes(dir: &Path) -> u64 {
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => tree_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    fs::read_dir(dir).into_iter().flatten().flatten().map(size).sum()
}

impl Appendable for Db {
    fn appender(&self) -> Box<dyn Appender> {
        Box::new(Transaction::new(Arc::clone(&self.head), self.loading.is_done()))
    }

    fn note(&self, name: &str) -> Option<Vec<u8>> {
        self.head.note(name)
    }

    fn notes(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        self.head.notes_with_prefix(prefix)
    }
}
