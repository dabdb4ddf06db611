//! The head as a whole: its parts, its times, and how it sheds what has gone into blocks.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use model::{Clock, Timestamp};
use parking_lot::{Mutex, RwLock};

use super::exemplars::ExemplarRing;
use super::feed::commits::CommitFeed;
use super::index::HeadIndex;
use super::late::log::LateLog;
use super::metadata::MetadataTable;
use super::notes::Notes;
use super::order::Order;
use super::pages::Pages;
use super::storing::Storing;
use super::tombstones::HeadTombstones;
use crate::head_chunks::{self, HeadChunks, LoadedChunks};
use crate::metrics::Metrics;
use crate::wal::{CheckpointFilter, LogPosition, Wal, WalCompression, list_segments, write_checkpoint};

/// What a head needs to know.
#[derive(Debug, Clone)]
pub(crate) struct HeadOptions {
    /// The width of the blocks that are cut from it; no chunk crosses such a border.
    pub(crate) chunk_range_ms: i64,
    pub(crate) wal_segment_bytes: u64,
    pub(crate) wal_compression: WalCompression,
    /// How many exemplars are kept.
    pub(crate) max_exemplars: usize,
    /// How much older than the newest a late sample or exemplar may be, 0 for not at all.
    pub(crate) out_of_order_window_ms: i64,
    /// Samples that lie further after the clock are refused, 0 for none.
    pub(crate) max_future_ms: i64,
    /// The data directory, if chunk snapshots are written to it and read from it.
    pub(crate) snapshot_dir: Option<PathBuf>,
}

/// See the module above for the locks and their order.
pub(crate) struct Head {
    pub(super) options: HeadOptions,
    pub(super) barrier: RwLock<()>,
    pub(super) wal: Wal,
    /// Late samples have a log of their own.
    pub(super) late: LateLog,
    /// The full chunks.
    pub(super) chunks: HeadChunks,
    /// What was found in their files at start, till replay takes it.
    pub(super) loaded: Mutex<LoadedChunks>,
    pub(super) gate: RwLock<()>,
    pub(super) index: RwLock<HeadIndex>,
    /// Behind `index`.
    pub(super) order: Order,
    pub(super) pages: Pages,
    /// Older samples are refused: they are in blocks.
    min_valid: AtomicI64,
    /// The clock was put back and has not caught up before this time, `i64::MIN` where it never was.
    pub(super) ahead_until: AtomicI64,
    /// The oldest sample's time, `i64::MAX` while there is none.
    min_time: AtomicI64,
    /// The newest sample's time, `i64::MIN` while there is none.
    max_time: AtomicI64,
    chunk_count: AtomicI64,
    /// Series that are gone from memory but may be named by segments up to this number.
    pub(super) gone: Mutex<HashMap<u64, u64>>,
    /// Second numbers that the log has for series: each with the number that the series goes by. Kept as long as the series
    /// lives, because samples that are still needed may be logged under either.
    pub(super) aliases: Mutex<HashMap<u64, u64>>,
    closing: AtomicBool,
    pub(super) exemplars: Mutex<ExemplarRing>,
    pub(super) metadata: RwLock<MetadataTable>,
    pub(super) notes: Notes,
    pub(super) feed: CommitFeed,
    /// `HeadOptions::out_of_order_window_ms`, as it is now.
    out_of_order_window_ms: AtomicI64,
    clock: Arc<dyn Clock>,
    pub(super) tombstones: HeadTombstones,
    pub(super) storing: Storing,
    pub(super) metrics: Metrics,
}

impl Head {
    /// An empty head over log and head chunks in the data directory `dir`; their content is taken in by a [`super::Replay`].
    pub(crate) fn open(
        dir: &Path,
        options: HeadOptions,
        min_valid: Timestamp,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> io::Result<Self> {
        let (chunks, loaded) = head_chunks::open(&dir.join("chunks_head"), min_valid.as_ms())?;
        let wal = Wal::open(&dir.join("wal"), options.wal_segment_bytes, options.wal_compression)?;
        let late = LateLog::open(&dir.join("wbl"), options.wal_segment_bytes, options.wal_compression)?;
        let feed = CommitFeed::new(LogPosition { segment: wal.current_segment(), offset: 0 });
        let exemplars = ExemplarRing::new(options.max_exemplars, options.out_of_order_window_ms);
        metrics.max_exemplars.set(exemplars.capacity() as i64);
        Ok(Head {
            out_of_order_window_ms: AtomicI64::new(options.out_of_order_window_ms),
            options,
            barrier: RwLock::new(()),
            wal,
            late,
            chunks,
            loaded: Mutex::new(loaded),
            gate: RwLock::new(()),
            index: RwLock::new(HeadIndex::default()),
            order: Order::default(),
            pages: Pages::default(),
            min_valid: AtomicI64::new(min_valid.as_ms()),
            ahead_until: AtomicI64::new(i64::MIN),
            min_time: AtomicI64::new(i64::MAX),
            max_time: AtomicI64::new(i64::MIN),
            chunk_count: AtomicI64::new(0),
            gone: Mutex::new(HashMap::new()),
            aliases: Mutex::new(HashMap::new()),
            closing: AtomicBool::new(false),
            exemplars: Mutex::new(exemplars),
            metadata: RwLock::default(),
            notes: Notes::default(),
            feed,
            clock,
            tombstones: HeadTombstones::default(),
            storing: Storing::default(),
            metrics,
        })
    }

    /// The log.
    pub(crate) fn wal(&self) -> &Wal {
        &self.wal
    }

    /// The oldest time that a block of its own doesn't cover.
    pub(super) fn min_valid(&self) -> i64 {
        self.min_valid.load(Ordering::SeqCst)
    }

    /// The oldest time that an append may have: nothing that is in blocks, and nothing older than half a block before the
    /// newest sample, because the range it would go into may be cut at any moment. `newest` is the newest time that any may have.
    pub(super) fn oldest_appendable(&self, newest: Timestamp) -> i64 {
        self.min_valid().max(self.newest_believed(newest).saturating_sub(self.options.chunk_range_ms / 2))
    }

    /// The newest time that an append may have now: a target whose clock is wrong must not make everybody else's samples
    /// too old.
    pub(super) fn newest_appendable(&self) -> Timestamp {
        match self.options.max_future_ms {
            0 => Timestamp::MAX,
            ahead => self.now().saturating_add(ahead),
        }
    }

    /// What the clock shows.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How much older than the newest a late sample may be, in milliseconds.
    pub(super) fn out_of_order_window_ms(&self) -> i64 {
        self.out_of_order_window_ms.load(Ordering::SeqCst)
    }

    /// Changes how much older than the newest a late sample or exemplar may be.
    pub(crate) fn set_out_of_order_window(&self, window_ms: i64) {
        self.out_of_order_window_ms.store(window_ms, Ordering::SeqCst);
        self.exemplars.lock().set_window(window_ms);
    }

    /// The newest sample's time, `i64::MIN` while there is none.
    pub(super) fn newest_time(&self) -> i64 {
        self.max_time.load(Ordering::SeqCst)
    }

    /// The times of the oldest and the newest sample; `None` while there is none.
    pub(crate) fn time_range(&self) -> Option<(Timestamp, Timestamp)> {
        let (min, max) = (self.min_time.load(Ordering::SeqCst), self.max_time.load(Ordering::SeqCst));
        (min <= max).then_some((Timestamp::from_ms(min), Timestamp::from_ms(max)))
    }

    /// Takes note of times that have been added.
    pub(super) fn widen(&self, min: i64, max: i64) {
        self.min_time.fetch_min(min, Ordering::SeqCst);
        self.max_time.fetch_max(max, Ordering::SeqCst);
        self.show_times();
    }

    fn show_times(&self) {
        if let Some((min, max)) = self.time_range() {
            self.metrics.head_min_time.set(min.as_ms());
            self.metrics.head_max_time.set(max.as_ms());
        }
    }

    /// How many chunks there are.
    pub(super) fn chunk_count(&self) -> u64 {
        self.chunk_count.load(Ordering::SeqCst).max(0) as u64
    }

    /// Counts chunks that were begun.
    pub(super) fn add_chunks(&self, count: u64) {
        self.change_chunks(count as i64);
        self.metrics.head_chunks_created.inc_by(count);
    }

    /// The count is that of the states, give or take those of commits under way.
    pub(super) fn change_chunks(&self, by: i64) {
        if by != 0 {
            let before = self.chunk_count.fetch_add(by, Ordering::SeqCst);
            self.metrics.head_chunks.set(before + by);
        }
    }

    /// Counts chunks that are gone.
    pub(super) fn remove_chunks(&self, count: u64) {
        self.change_chunks(-(count as i64));
        self.metrics.head_chunks_removed.inc_by(count);
    }

    /// Reading the history ends early.
    pub(crate) fn begin_closing(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// From now on no sample before `time` can appear. Waits for commits under way.
    pub(crate) fn forbid_before(&self, time: Timestamp) {
        let _alone = self.barrier.write();
        self.min_valid.fetch_max(time.as_ms(), Ordering::SeqCst);
    }

    /// Drops the chunks before `time`, which must be in blocks that readers see already, and the series that are left with
    /// nothing.
    pub(crate) fn drop_before(&self, time: Timestamp) {
        let first_file = self.drop_chunks_before(time);
        self.delete_chunk_files_before(first_file);
        self.metrics.head_truncations.inc();
    }

    /// The answer is the lowest number of a file that is still needed.
    fn drop_chunks_before(&self, time: Timestamp) -> Option<u32> {
        let segment = self.wal.current_segment();
        let _alone = self.gate.write();
        let mut index = self.index.write();
        let (mut empty, mut dropped, mut oldest) = (Vec::new(), 0, i64::MAX);
        let mut deleted_from = time;
        let mut first_file: Option<u32> = None;
        let mut gone = self.gone.lock();
        let mut slot = 0_u32;
        for page in self.pages.snapshot().iter() {
            let mut states = page.lock();
            for (at, state) in states.iter_mut().enumerate().filter(|(_, state)| state.reference != 0) {
                dropped += state.truncate(time.as_ms());
                // A chunk that reaches over `time` stays whole; what it has before that counts as gone all the same.
                let first = state.first_time().unwrap_or(i64::MAX);
                oldest = oldest.min(first.max(time.as_ms()));
                // What was deleted of it must not come back.
                deleted_from = deleted_from.min(Timestamp::from_ms(first));
                first_file = first_file.into_iter().chain(state.first_file()).min();
                if state.chunk_count() == 0 && state.pending == 0 {
                    gone.insert(state.reference, segment);
                    *state = Default::default();
                    empty.push(slot + at as u32);
                }
            }
            slot += super::pages::PAGE_SERIES;
        }
        // After a crash late samples from before `time` may be here again though a block has what was left of them.
        let deleted_from = self.late.range().map_or(deleted_from, |late| late.min.min(deleted_from));
        self.tombstones.drop_before(deleted_from, |series| !gone.contains_key(&series));
        self.feed.recent.lock().forget_slots(|slot| empty.binary_search(&slot).is_ok());
        index.remove(&empty);
        let mut metadata = self.metadata.write();
        empty.iter().for_each(|slot| metadata.forget(*slot));
        drop(metadata);
        self.min_time.store(oldest, Ordering::SeqCst);
        if oldest == i64::MAX {
            self.max_time.store(i64::MIN, Ordering::SeqCst);
        }
        self.show_times();
        self.remove_chunks(dropped as u64);
        self.metrics.head_series.set(index.len() as i64);
        self.metrics.head_series_removed.inc_by(empty.len() as u64);
        first_file
    }

    /// Replaces the older two thirds of the log's complete segments by a checkpoint. The rest stays as it is, so a sample is
    /// seldom written anew.
    pub(crate) fn truncate_wal(&self, keep_from: Timestamp) -> io::Result<bool> {
        self.note_commit_times()?;
        self.wal.next_segment()?;
        let segments = list_segments(self.wal.dir())?;
        let (Some(first), Some(current)) = (segments.first(), segments.last()) else { return Ok(false) };
        let complete = current.index.saturating_sub(1).saturating_sub(first.index);
        let last = first.index + complete * 2 / 3;
        if last <= first.index {
            return Ok(false);
        }
        let living = self.living_references();
        let lives = |series: &u64| living.binary_search(series).is_ok();
        let aliases = self.aliases.lock().clone();
        let gone = {
            let mut gone = self.gone.lock();
            for (alias, _) in aliases.iter().filter(|(_, series)| !lives(series)) {
                gone.entry(*alias).or_insert(current.index);
            }
            gone.clone()
        };
        let keep_series = |series: u64| {
            lives(&series)
                || aliases.get(&series).is_some_and(lives)
                || gone.get(&series).is_some_and(|until| *until > last)
        };
        let filter = CheckpointFilter { min_time: keep_from, keep_series: &keep_series };
        let HeadOptions { wal_segment_bytes, wal_compression, .. } = self.options;
        write_checkpoint(self.wal.dir(), last, wal_segment_bytes, wal_compression, &filter)?;
        self.wal.delete_through(last)?;
        self.gone.lock().retain(|_, until| *until > last);
        self.aliases.lock().retain(|_, series| lives(series));
        Ok(true)
    }

    fn living_references(&self) -> Vec<u64> {
        let mut living: Vec<u64> = self.index.read().places().map(|place| place.reference).collect();
        living.sort_unstable();
        living
    }
}
