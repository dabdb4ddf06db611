//! The log that late samples have of their own: `wbl/`. See `docs/format/wbl.md`.
//!
//! A marker in it says that all it has of a series before lies in head chunks. It is written behind the chunk, and nobody adds
//! late samples between the two, because commits with late samples go one after the other.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use model::{TimeRange, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use storage::chunk::Value;

use crate::wal::{
    LoggedHistogram, LoggedMarker, LoggedSample, Wal, WalCompression, encode_histograms, encode_markers, encode_samples,
};

/// The log of late samples; there is none before the first of them.
pub(in crate::head) struct LateLog {
    dir: PathBuf,
    segment_bytes: u64,
    compression: WalCompression,
    log: OnceLock<Wal>,
    /// Held from before a commit's late samples are logged until they are in place.
    commits: Mutex<()>,
    range: Mutex<Option<TimeRange>>,
}

/// What is written to the log.
pub(in crate::head) enum LatePart<'a> {
    Samples(&'a [LateSample]),
    Markers(&'a [LoggedMarker]),
}

/// A late sample of a transaction.
#[derive(Debug, Clone)]
pub(in crate::head) struct LateSample {
    pub(in crate::head) slot: u32,
    /// The series' number in the log.
    pub(in crate::head) series: u64,
    pub(in crate::head) time: i64,
    pub(in crate::head) value: Value,
}

impl LateLog {
    /// The log in `dir`, which is continued if it is there.
    pub(in crate::head) fn open(dir: &Path, segment_bytes: u64, compression: WalCompression) -> io::Result<Self> {
        let (log, dir) = (OnceLock::new(), dir.to_owned());
        let late = LateLog { dir, segment_bytes, compression, log, commits: Mutex::new(()), range: Mutex::new(None) };
        if late.dir.is_dir() {
            late.log_or_create()?;
        }
        Ok(late)
    }

    /// The log, if there is one.
    pub(in crate::head) fn log(&self) -> Option<&Wal> {
        self.log.get()
    }

    /// Waits for commits with late samples, and keeps others away.
    pub(in crate::head) fn lock(&self) -> MutexGuard<'_, ()> {
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
    pub(in crate::head) fn write(&self, parts: &[LatePart<'_>]) -> io::Result<usize> {
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
    pub(in crate::head) fn range(&self) -> Option<TimeRange> {
        *self.range.lock()
    }

    /// Takes note of times of late samples.
    pub(in crate::head) fn widen(&self, range: TimeRange) {
        widen(&mut self.range.lock(), range);
    }

    /// The times of late samples, now that some are gone.
    pub(in crate::head) fn set_range(&self, range: Option<TimeRange>) {
        *self.range.lock() = range;
    }
}

/// Takes note of more times.
pub(in crate::head) fn widen(range: &mut Option<TimeRange>, other: TimeRange) {
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
