//! The journal: what must survive a kill -9, one record per line, in `alert/journal` of the data directory.
//!
//! Ordering: a record is written to the file before what it says is acknowledged or acted upon again. Crash: a line that was
//! cut by a crash fails its checksum and is left out; everything before it counts. The file is rewritten (to a new file,
//! synced, renamed) when it is opened and when it has grown to twice what it must hold, so its size is bounded by the
//! state it describes. The layout is told in `docs/format/alert-journal.md`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::lines;
use crate::notification_log::Entry;
use crate::silence::Silence;
use crate::word::Word;

/// The first line of the file.
const HEADER: &str = "watershed-alert-journal 1\n";
/// The file grows by at least this much before it is rewritten.
const SLACK_BYTES: u64 = 1 << 20;

/// One line of the journal. The last record about a thing counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    /// The name of this instance among its peers.
    Instance(String),
    /// What a source says of an alert now.
    Alert(Word),
    /// A notification that was delivered.
    Sent(Entry),
    /// A silence as it is now.
    Silence(Silence),
}

/// Why the journal can't be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system refused.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// The file is not a journal, or one of another version.
    #[error("{path} is not an alert journal of version 1")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
}

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
    rewrite_at: u64,
    /// A write failed; the file may end in half a line and has to be rewritten before it takes more.
    damaged: bool,
}

/// What was read from a journal.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Recovered {
    /// The records in the order they were written.
    pub records: Vec<Record>,
    /// How many lines were unreadable, a torn last one included.
    pub unreadable: usize,
}

/// Reads the text of a journal. `None`: it isn't one.
pub(crate) fn read(content: &[u8]) -> Option<Recovered> {
    let mut recovered = Recovered::default();
    if content.is_empty() {
        return Some(recovered);
    }
    for line in content.strip_prefix(HEADER.as_bytes())?.split_inclusive(|b| *b == b'\n') {
        match lines::read(line) {
            Some(record) => recovered.records.push(record),
            None => recovered.unreadable += 1,
        }
    }
    Some(recovered)
}

impl Journal {
    /// Opens the journal of a data directory, creating both where they are missing. The answer has what was in it; the
    /// caller says with [`Journal::rewrite`] what of that still counts before it appends.
    pub(crate) fn open(data_dir: &Path) -> Result<(Self, Recovered), JournalError> {
        let dir = data_dir.join("alert");
        fs::create_dir_all(&dir).map_err(io_error("create", &dir))?;
        let path = dir.join("journal");
        let content = match fs::read(&path) {
            Ok(content) => content,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(io_error("read", &path)(e)),
        };
        let recovered = read(&content).ok_or_else(|| JournalError::Foreign { path: path.clone() })?;
        let file = open_to_append(&path)?;
        let bytes = content.len() as u64;
        Ok((Journal { path, file, bytes, rewrite_at: 0, damaged: true }, recovered))
    }

    /// Adds records. They are with the operating system when this returns, and so survive the end of the process.
    pub(crate) fn append<'a>(&mut self, records: impl IntoIterator<Item = &'a Record>) -> Result<(), JournalError> {
        let mut appended = Vec::new();
        records.into_iter().for_each(|record| lines::write(record, &mut appended));
        let written = self.file.write_all(&appended);
        self.damaged |= written.is_err();
        self.bytes += appended.len() as u64;
        written.map_err(io_error("append to", &self.path))
    }

    /// Whether the file should be rewritten: it is damaged, or twice as large as what it must hold.
    pub(crate) fn wants_rewrite(&self) -> bool {
        self.damaged || self.bytes >= self.rewrite_at
    }

    /// Replaces the content by these records, atomically; they are on the disk when this returns.
    pub(crate) fn rewrite(&mut self, records: impl IntoIterator<Item = Record>) -> Result<(), JournalError> {
        let mut content = HEADER.as_bytes().to_vec();
        records.into_iter().for_each(|record| lines::write(&record, &mut content));
        let new = self.path.with_extension("new");
        let mut file = File::create(&new).map_err(io_error("create", &new))?;
        file.write_all(&content).and_then(|()| file.sync_all()).map_err(io_error("write", &new))?;
        fs::rename(&new, &self.path).map_err(io_error("replace", &self.path))?;
        if let Some(dir) = self.path.parent() {
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("sync", dir))?;
        }
        self.file = open_to_append(&self.path)?;
        self.bytes = content.len() as u64;
        self.rewrite_at = self.bytes * 2 + SLACK_BYTES;
        self.damaged = false;
        Ok(())
    }

    /// Brings what was appended onto the disk.
    pub(crate) fn sync(&self) -> Result<(), JournalError> {
        self.file.sync_data().map_err(io_error("sync", &self.path))
    }

    /// The size of the file in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn open_to_append(path: &Path) -> Result<File, JournalError> {
    OpenOptions::new().create(true).append(true).open(path).map_err(io_error("open", path))
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { action, path, source }
}

#[cfg(test)]
mod tests;
