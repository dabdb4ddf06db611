//! Writing a snapshot.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::basis::Basis;
use super::directory::{Snapshot, remove_others};
use super::record::{encode_exemplar_list, encode_tombstones};
use crate::durable;
use crate::failpoint;
use crate::wal::{LogPosition, LoggedExemplar, LoggedTombstone, Wal, WalCompression};

/// So many bytes are collected before they are written.
const FLUSH_BYTES: usize = 1 << 20;
/// So many tombstones or exemplars go into one record.
const LIST_MAX: usize = 10_000;

/// A snapshot in the making: series first, then [`SnapshotWriter::finish`]. Dropped before, nothing of it is left.
pub(crate) struct SnapshotWriter {
    dir: PathBuf,
    snapshot: Snapshot,
    log: Wal,
    waiting: Vec<u8>,
    /// Where each record of `waiting` ends.
    ends: Vec<usize>,
    records: u64,
    is_finished: bool,
}

impl SnapshotWriter {
    /// Begins the snapshot of the moment `at` in the data directory `dir`.
    pub(crate) fn create(
        dir: &Path,
        at: LogPosition,
        segment_bytes: u64,
        compression: WalCompression,
    ) -> io::Result<Self> {
        failpoint::pass("snapshot.begin")?;
        let snapshot = Snapshot::new(dir, at);
        durable::remove_dir_if_exists(&snapshot.unfinished())?;
        let log = Wal::open(&snapshot.unfinished(), segment_bytes, compression)?;
        let (dir, waiting, ends) = (dir.to_owned(), Vec::new(), Vec::new());
        Ok(SnapshotWriter { dir, snapshot, log, waiting, ends, records: 0, is_finished: false })
    }

    /// Adds a record, which `encode` appends.
    pub(crate) fn add(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        encode(&mut self.waiting);
        self.ends.push(self.waiting.len());
        self.records += 1;
    }

    /// Writes what waits, if it is much. Call it where no lock is held.
    pub(crate) fn flush_much(&mut self) -> io::Result<()> {
        if self.waiting.len() < FLUSH_BYTES { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> io::Result<()> {
        failpoint::pass("snapshot.write")?;
        let mut batch = self.log.batch();
        let mut start = 0;
        for end in self.ends.drain(..) {
            batch.add(&self.waiting[start..end])?;
            start = end;
        }
        self.waiting.clear();
        batch.write().map(drop)
    }

    /// Adds what comes behind the series, syncs everything and gives the snapshot its name; the others go then.
    pub(crate) fn finish(
        mut self,
        stones: &[LoggedTombstone],
        exemplars: &[LoggedExemplar],
        mut basis: Basis,
    ) -> io::Result<Snapshot> {
        if stones.is_empty() {
            self.add(|out| encode_tombstones(out, &[]));
        }
        for stones in stones.chunks(LIST_MAX) {
            self.add(|out| encode_tombstones(out, stones));
            self.flush_much()?;
        }
        for exemplars in exemplars.chunks(LIST_MAX) {
            self.add(|out| encode_exemplar_list(out, exemplars));
            self.flush_much()?;
        }
        self.flush()?;
        self.log.end_page()?;
        let unfinished = self.snapshot.unfinished();
        basis.records = self.records;
        basis.write(&unfinished)?;
        self.log.sync()?;
        failpoint::pass("snapshot.rename.before")?;
        self.snapshot.remove()?;
        fs::rename(&unfinished, &self.snapshot.path)?;
        self.is_finished = true;
        durable::sync_dir(&self.dir)?;
        failpoint::pass("snapshot.rename.after")?;
        remove_others(&self.dir, self.snapshot.at)?;
        Ok(self.snapshot.clone())
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        if !self.is_finished {
            // It must not hold room that the log needs. If it can't be removed now, the next start does it.
            let _ = durable::remove_dir_if_exists(&self.snapshot.unfinished());
        }
    }
}
