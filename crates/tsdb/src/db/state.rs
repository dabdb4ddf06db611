//! Opening, closing, and telling what there is.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use model::{Clock, Timestamp};
use parking_lot::{Mutex, RwLock};
use prometheus_client::registry::Registry;
use storage::{Appendable, Appender};

use super::blocks::{BlockSet, remove_unfinished};
use crate::head::{CardinalityStats, Head, HeadOptions, HeadStats, ReplayReport, Transaction};
use crate::lock::DirLock;
use crate::meta::{BlockId, BlockMeta};
use crate::metrics::{KindLabel, Metrics};
use crate::options::{OpenError, Options};

/// A database on a directory: takes samples, answers questions, and keeps itself in order when it is told to (`maintain`).
///
/// Crash: whatever a commit returned `Ok` for has been handed to the system and survives the death of the process. A power
/// cut may take what the system had not written to disk yet, see `docs/format/wal.md`.
pub struct Db {
    pub(super) options: Options,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) head: Arc<Head>,
    pub(super) blocks: ArcSwap<BlockSet>,
    pub(super) metrics: Metrics,
    /// Held by whoever changes blocks that are there: one merge or deletion at a time. Taken before `maintaining`.
    pub(super) compacting: Mutex<()>,
    /// Held by whoever takes samples out of the head or deletes what is beyond the retention.
    pub(super) maintaining: Mutex<()>,
    /// The blocks that are being compacted.
    pub(super) busy: Mutex<Vec<BlockId>>,
    /// Compaction ends early.
    pub(super) closing: AtomicBool,
    /// Says of a block that it must stay as it is.
    pub(super) held: RwLock<Option<Held>>,
    _lock: DirLock,
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
        let io_error = |source: io::Error| OpenError::Io { dir: dir.clone(), source };
        fs::create_dir_all(&dir).map_err(io_error)?;
        let lock = DirLock::take(&dir)?;
        remove_unfinished(&dir).map_err(io_error)?;
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
        };
        let min_valid = in_blocks.unwrap_or(Timestamp::MIN);
        let head = Head::open(&dir, head_options, min_valid, Arc::clone(&clock), metrics.clone()).map_err(io_error)?;
        let start = Instant::now();
        let report = head.replay().map_err(io_error)?;
        head.drop_before(min_valid);
        tell_replay(&report, &metrics, start);
        let db = Db {
            options,
            clock,
            head: Arc::new(head),
            blocks: ArcSwap::from_pointee(blocks),
            metrics,
            compacting: Mutex::new(()),
            maintaining: Mutex::new(()),
            busy: Mutex::default(),
            closing: AtomicBool::new(false),
            held: RwLock::default(),
            _lock: lock,
        };
        db.metrics.retention_limit_bytes.set(i64::try_from(db.options.retention_bytes).unwrap_or(i64::MAX));
        db.metrics.retention_limit_seconds.set(db.options.retention_ms / 1000);
        db.metrics.reloads.inc();
        db.compare_with_clock();
        db.show_blocks();
        Ok(Arc::new(db))
    }

    /// Tells a person when the stored samples are newer than the clock: samples of now may be refused until it catches up.
    fn compare_with_clock(&self) {
        let now = self.clock.now();
        if let Some((_, newest)) = self.head.time_range().filter(|(_, newest)| *newest > now) {
            let ahead_ms = newest.as_ms() - now.as_ms();
            tracing::warn!(
                ahead_ms,
                "the newest stored sample is ahead of the clock: older samples are refused till then"
            );
        }
    }

    /// Ends a compaction that is under way, and lets no further one begin: what was written of it is dropped, its parents stay.
    pub fn stop_compaction(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Syncs the log to disk and ends compaction. Otherwise the database may be used on; this is what a clean stop does before it
    /// lets go.
    pub fn close(&self) -> io::Result<()> {
        self.head.flush_chunks();
        self.stop_compaction();
        self.head.wal().sync()
    }

    /// The head in numbers.
    pub fn head_stats(&self) -> HeadStats {
        self.head.stats()
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

fn tell_replay(report: &ReplayReport, metrics: &Metrics, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    metrics.replay_seconds.set(seconds);
    metrics.wal_corruptions.inc_by(report.damages);
    metrics.mmap_chunks_loaded.inc_by(report.chunks);
    metrics.mmap_chunk_corruptions.inc_by(report.chunk_damages);
    if report.chunks_refused > 0 {
        let chunks = report.chunks_refused;
        tracing::warn!(
            chunks,
            "head chunks in encodings that this version does not read: their samples were taken from the log"
        );
    }
    if report.chunks_unknown_series > 0 {
        tracing::debug!(series = report.chunks_unknown_series, "head chunks of series that the log no longer has");
    }
    for (kind, count) in &report.unread {
        metrics.wal_unread_records.get_or_create(&KindLabel { kind }).inc_by(*count);
        tracing::warn!(
            kind,
            count,
            "the write-ahead log holds records that this version does not read: they are kept in the log, not shown"
        );
    }
    if report.unknown_series > 0 {
        tracing::warn!(samples = report.unknown_series, "samples of unknown series in the write-ahead log");
    }
    tracing::info!(
        segments = report.segments,
        series = report.series,
        samples = report.samples,
        seconds,
        "write-ahead log replayed"
    );
}

impl Appendable for Db {
    fn appender(&self) -> Box<dyn Appender> {
        Box::new(Transaction::new(Arc::clone(&self.head)))
    }
}
