//! Late samples on their way into the head, and the log that they have of their own.
//!
//! Order of a commit that has late samples: the records of series that are new (to the write-ahead log), then the late samples
//! (here), then everything else (to the write-ahead log), then all of it into memory under one gate. If the last write
//! fails, the late samples are taken back. A death between the writes leaves late samples of a commit that never
//! returned, which nobody was promised to be without.
//!
//! A marker says that all the log has of a series before it lies in head chunks. It is written behind the chunk, and nobody
//! adds late samples between the two, because commits with late samples go one after the other.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use model::{TimeRange, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use storage::chunk::Value;

use super::pages::PageCursor;
use super::series::{SeriesState, Verdict};
use super::state::Head;
use crate::wal::{
    LoggedHistogram, LoggedMarker, LoggedSample, Wal, WalCompression, encode_histograms, encode_markers, encode_samples,
};

/// The log of late samples; there is none before the first of them.
pub(super) struct LateLog {
    dir: PathBuf,
    segment_bytes: u64,
    compression: WalCompression,
    log: OnceLock<Wal>,
    /// Held from before a commit's late samples are logged until they are in place.
    commits: Mutex<()>,
    range: Mutex<Option<TimeRange>>,
}

/// What is written to the log.
pub(super) enum LatePart<'a> {
    Samples(&'a [LateSample]),
    Markers(&'a [LoggedMarker]),
}

/// A late sample of a transaction.
#[derive(Debug, Clone)]
pub(super) struct LateSample {
    pub(super) slot: u32,
    /// The series' number in the log.
    pub(super) series: u64,
    pub(super) time: i64,
    pub(super) value: Value,
}

impl LateLog {
    /// The log in `dir`, which is continued if it is there.
    pub(super) fn open(dir: &Path, segment_bytes: u64, compression: WalCompression) -> io::Result<Self> {
        let (log, dir) = (OnceLock::new(), dir.to_owned());
        let late = LateLog { dir, segment_bytes, compression, log, commits: Mutex::new(()), range: Mutex::new(None) };
        if late.dir.is_dir() {
            late.log_or_create()?;
        }
        Ok(late)
    }

    /// The log, if there is one.
    pub(super) fn log(&self) -> Option<&Wal> {
        self.log.get()
    }

    /// Waits for commits with late samples, and keeps others away.
    pub(super) fn lock(&self) -> MutexGuard<'_, ()> {
        self.commits.lock()
    }

    fn log_or_create(&self) -> io::Result<&Wal> {
        if let Some(log) = self.log.get() {
            return Ok(log);
        }
        let log = Wal::open(&self.dir, self.segment_bytes, self.compression)?;
        Ok(self.log.get_or_init(|| log))
    }

    /// Writes what is given, in this order, in one call; the answer is the bytes. After a failure nothing of it is there.
    pub(super) fn write(&self, parts: &[LatePart<'_>]) -> io::Result<usize> {
        let mut batch = self.log_or_create()?.batch();
        let mut record = Vec::new();
        for part in parts {
            match part {
                LatePart::Markers(markers) => encode_markers(&mut record, markers),
                LatePart::Samples(samples) => {
                    let (floats, histograms) = logged(samples);
                    encode_samples(&mut record, &floats);
                    encode_histograms(&histograms, |record| batch.add(record))?;
                }
            }
            if !record.is_empty() {
                batch.add(&record)?;
            }
            record.clear();
        }
        batch.write()
    }

    /// The times of all late samples; `None` where there are none.
    pub(super) fn range(&self) -> Option<TimeRange> {
        *self.range.lock()
    }
}

/// Takes note of times of late samples.
fn widen(range: &mut Option<TimeRange>, other: TimeRange) {
    let all = range.map_or(other, |range| TimeRange::new(range.min.min(other.min), range.max.max(other.max)));
    *range = Some(all);
}

fn logged(samples: &[LateSample]) -> (Vec<LoggedSample>, Vec<LoggedHistogram>) {
    let (mut floats, mut histograms) = (Vec::new(), Vec::new());
    for LateSample { series, time, value, .. } in samples {
        let (series, time) = (*series, Timestamp::from_ms(*time));
        match value {
            Value::Float(value) => floats.push(LoggedSample { series, time, value: *value }),
            Value::Histogram(histogram) => {
                histograms.push(LoggedHistogram { series, time, histogram: histogram.clone() });
            }
        }
    }
    (floats, histograms)
}

/// A commit that has late samples, from before they are logged until they are in place.
pub(super) struct LateCommit<'a> {
    head: &'a Head,
    written: usize,
    _alone: MutexGuard<'a, ()>,
}

impl Head {
    /// Begins the late part of a commit; waits for those of others.
    pub(super) fn late_commit(&self) -> LateCommit<'_> {
        LateCommit { head: self, written: 0, _alone: self.late.lock() }
    }

    /// The oldest time that a late sample may have; `None` where none are taken.
    pub(super) fn oldest_late(&self) -> Option<i64> {
        let window = Some(self.out_of_order_window_ms()).filter(|window| *window > 0)?;
        Some(self.newest_time().saturating_sub(window))
    }

    /// What becomes of a sample that can't be appended because it is older than the newest.
    pub(super) fn judge_late(&self, state: &SeriesState, time: i64, value: &Value) -> Verdict {
        match self.oldest_late() {
            None => Verdict::OutOfOrder,
            Some(oldest) if time < oldest => Verdict::BeyondWindow,
            Some(_) => match state.late_verdict(time, value, &self.chunks) {
                Verdict::Fits => Verdict::Late,
                verdict => verdict,
            },
        }
    }

    /// Takes note of times of late samples.
    pub(super) fn widen_late(&self, range: TimeRange) {
        widen(&mut self.late.range.lock(), range);
    }

    /// The times of late samples, now that some are gone.
    pub(super) fn set_late_range(&self, range: Option<TimeRange>) {
        *self.late.range.lock() = range;
    }

    /// The times of all samples, late ones included; `None` while there is none.
    pub(crate) fn whole_range(&self) -> Option<TimeRange> {
        let mut range = self.time_range().map(|(min, max)| TimeRange::new(min, max));
        if let Some(late) = self.late.range() {
            widen(&mut range, late);
        }
        range
    }
}

impl LateCommit<'_> {
    /// Logs late samples. Series that have enough of them for a chunk get it first, with a marker for those that are logged
    /// so far.
    pub(super) fn log(&mut self, samples: &[LateSample]) -> io::Result<()> {
        let markers = self.fill(samples);
        let flushed = if markers.is_empty() { Ok(()) } else { self.head.chunks.flush() };
        let markers = match flushed {
            Ok(()) => &markers[..],
            Err(error) => {
                tracing::warn!(%error, "cannot write head chunks: late samples stay in their log");
                &[]
            }
        };
        self.written = self.head.late.write(&[LatePart::Markers(markers), LatePart::Samples(samples)])?;
        self.head.metrics.wbl_written_bytes.inc_by(self.written as u64);
        Ok(())
    }

    fn fill(&self, samples: &[LateSample]) -> Vec<LoggedMarker> {
        let pages = self.head.pages.snapshot();
        let mut cursor = PageCursor::new(&pages);
        let (mut markers, mut more) = (Vec::new(), 0);
        for sample in samples {
            let Some(state) = cursor.get(sample.slot) else { continue };
            let series = state.reference;
            let before = state.chunk_count();
            if state.late().is_some_and(|late| late.is_full())
                && let Some(place) = state.late_mut().fill(series, &self.head.cutting())
            {
                markers.push(LoggedMarker { series, chunk: place.as_u64() });
                more += (state.chunk_count() - before) as u64;
            }
        }
        self.head.add_chunks(more);
        markers
    }

    /// Takes the logged samples back, because another part of the commit could not be logged.
    pub(super) fn take_back(&mut self) {
        let taken = self.head.late.log().map_or(Ok(()), |log| log.batch().take_back(self.written));
        if let Err(error) = taken {
            tracing::error!(%error, "late samples of a commit that failed stay in their log");
        }
    }

    /// Puts the samples in place; the caller holds the gate. The answer is how many were new.
    pub(super) fn put(&self, samples: Vec<LateSample>) -> u64 {
        let pages = self.head.pages.snapshot();
        let mut cursor = PageCursor::new(&pages);
        let (mut range, mut taken, mut chunks) = (None, 0, 0);
        for LateSample { slot, time, value, .. } in samples {
            let Some(state) = cursor.get(slot) else { continue };
            state.pending -= 1;
            let before = state.chunk_count();
            if state.late_mut().insert(time, value) {
                let time = Timestamp::from_ms(time);
                widen(&mut range, TimeRange::new(time, time));
                taken += 1;
                chunks += (state.chunk_count() - before) as u64;
            }
        }
        drop(cursor);
        if let Some(range) = range {
            self.head.widen_late(range);
        }
        self.head.add_chunks(chunks);
        taken
    }
}
