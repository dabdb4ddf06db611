//! The log of a head: appended to by commits, cut from behind by checkpoints.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::{Mutex, MutexGuard};

use super::format::WalCompression;
use super::position::LogPosition;
use super::segments::{checkpoint_path, list_checkpoints, list_segments, segment_path};
use super::writer::SegmentWriter;
use crate::durable;
use crate::failpoint;

/// The write-ahead log.
pub(crate) struct Wal {
    dir: PathBuf,
    writer: Mutex<SegmentWriter>,
    /// Where the log ended when it was last synced by `sync_written`. Locked before `writer`.
    synced: Mutex<Option<Written>>,
}

/// How far the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Written {
    segment: u64,
    position: u64,
}

/// Records that are written together. While a batch is open nobody else writes.
pub(crate) struct Batch<'a> {
    writer: MutexGuard<'a, SegmentWriter>,
}

impl Batch<'_> {
    /// Adds a record.
    pub(crate) fn add(&mut self, record: &[u8]) -> io::Result<()> {
        self.writer.add(record)
    }

    /// Where the log ends.
    pub(crate) fn end(&self) -> LogPosition {
        LogPosition { segment: self.writer.index(), offset: self.writer.position() }
    }

    /// Writes all records in one call; the answer is the bytes written. After a failure none of them is in the log.
    pub(crate) fn write(&mut self) -> io::Result<usize> {
        self.writer.flush()
    }
}

impl Batch<'_> {
    /// Takes the bytes of the last write back, if nothing has been written since.
    pub(crate) fn take_back(&mut self, bytes: usize) -> io::Result<()> {
        self.writer.take_back(bytes)
    }
}

impl Drop for Batch<'_> {
    /// What was not written is forgotten.
    fn drop(&mut self) {
        self.writer.discard();
    }
}

impl Wal {
    /// Continues the log in `dir` with a new segment, as Prometheus does: a segment that may end in a torn record is never
    /// appended to.
    pub(crate) fn open(dir: &Path, segment_bytes: u64, compression: WalCompression) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let checkpoint = list_checkpoints(dir)?.last().map(|c| c.index);
        let last = list_segments(dir)?.last().map(|s| s.index).max(checkpoint);
        let writer = SegmentWriter::create(dir, last.map_or(0, |last| last + 1), segment_bytes, compression)?;
        Ok(Wal { dir: dir.to_owned(), writer: Mutex::new(writer), synced: Mutex::new(None) })
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Begins a batch; waits for those of others.
    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch { writer: self.writer.lock() }
    }

    /// The number of the segment that is written to.
    pub(crate) fn current_segment(&self) -> u64 {
        self.writer.lock().index()
    }

    /// Begins a new segment, so that all before it are complete.
    pub(crate) fn next_segment(&self) -> io::Result<()> {
        self.writer.lock().next_segment()
    }

    /// Syncs complete segments without holding up commits; the answer is how many. What could not be synced is tried again by
    /// the next call.
    pub(crate) fn sync_complete_segments(&self) -> io::Result<usize> {
        let files = self.writer.lock().take_unsynced();
        let count = files.len();
        if count > 0 {
            self.sync_files(files)?;
            durable::sync_dir(&self.dir)?;
        }
        Ok(count)
    }

    /// Syncs all that is written, without holding up commits; tells whether there was anything to sync.
    pub(crate) fn sync_written(&self) -> io::Result<bool> {
        let mut synced = self.synced.lock();
        let (complete, current, written) = {
            let mut writer = self.writer.lock();
            let written = Written { segment: writer.index(), position: writer.position() };
            if *synced == Some(written) {
                return Ok(false);
            }
            (writer.take_unsynced(), writer.file().try_clone()?, written)
        };
        self.sync_files(complete)?;
        current.sync_data()?;
        if synced.is_none_or(|before| before.segment != written.segment) {
            durable::sync_dir(&self.dir)?;
        }
        *synced = Some(written);
        Ok(true)
    }

    fn sync_files(&self, mut files: Vec<File>) -> io::Result<()> {
        while let Some(file) = files.last() {
            if let Err(error) = file.sync_all() {
                self.writer.lock().give_back(files);
                return Err(error);
            }
            files.pop();
        }
        Ok(())
    }

    /// Fills the page that is written to up with zeros, so that what follows can be read from there on; the answer is where.
    pub(crate) fn end_page(&self) -> io::Result<LogPosition> {
        let mut writer = self.writer.lock();
        writer.end_page()?;
        Ok(LogPosition { segment: writer.index(), offset: writer.position() })
    }

    /// Syncs everything.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.writer.lock().sync()?;
        durable::sync_dir(&self.dir)
    }

    /// Deletes the segments and checkpoints that the checkpoint of `last` replaces.
    pub(crate) fn delete_through(&self, last: u64) -> io::Result<()> {
        for segment in list_segments(&self.dir)?.iter().filter(|segment| segment.index <= last) {
            failpoint::pass("checkpoint.delete.before")?;
            fs::remove_file(segment_path(&self.dir, segment.index))?;
        }
        failpoint::pass("checkpoint.delete.between")?;
        for checkpoint in list_checkpoints(&self.dir)?.iter().filter(|checkpoint| checkpoint.index < last) {
            fs::remove_dir_all(checkpoint_path(&self.dir, checkpoint.index))?;
        }
        failpoint::pass("checkpoint.delete.after")
    }
}
