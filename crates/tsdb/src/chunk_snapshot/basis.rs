//! What a snapshot of ours relies on, in a file beside its segments that Prometheus passes over.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::directory::Snapshot;
use super::error::SnapshotError;
use crate::durable;

const FILE: &str = "basis.json";
/// The only version there is.
const VERSION: u32 = 1;

/// What lay beside a snapshot when it was taken. Where it is no more, the snapshot is of no use: it holds open chunks, and what came
/// before them is in the head chunks; it stands for a part of the log, and that must be the log's still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Basis {
    version: u32,
    /// The number of the newest checkpoint, if there was one.
    checkpoint: Option<u64>,
    /// The checksum of the log's last page.
    wal_page: u32,
    /// The newest file of head chunks, 0 where there was none, and its length.
    head_chunks_file: u32,
    head_chunks_bytes: u64,
    /// How many records the snapshot has.
    pub(super) records: u64,
}

impl Basis {
    /// Of what lies there now.
    pub(crate) fn new(
        checkpoint: Option<u64>,
        wal_page: u32,
        (head_chunks_file, head_chunks_bytes): (u32, u64),
    ) -> Self {
        Basis { version: VERSION, checkpoint, wal_page, head_chunks_file, head_chunks_bytes, records: 0 }
    }

    pub(super) fn write(&self, dir: &Path) -> io::Result<()> {
        durable::write_file(&dir.join(FILE), &serde_json::to_vec(self)?)
    }

    /// That of a snapshot; `None` where it was written by a Prometheus.
    pub(super) fn read(snapshot: &Snapshot) -> Result<Option<Self>, SnapshotError> {
        let path = snapshot.path.join(FILE);
        let content = match fs::read(&path) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SnapshotError::Io { path, source }),
            Ok(content) => content,
        };
        let foreign = |reason: String| SnapshotError::Foreign { path: path.clone(), reason };
        let basis: Basis = serde_json::from_slice(&content).map_err(|error| foreign(error.to_string()))?;
        if basis.version != VERSION {
            return Err(foreign(format!("version {} is not known", basis.version)));
        }
        Ok(Some(basis))
    }

    /// Why the snapshot is of no use any more, if it is not.
    pub(super) fn objection(
        &self,
        checkpoint: Option<u64>,
        wal_page: Option<u32>,
        chunks_dir: &Path,
    ) -> Option<&'static str> {
        let file = chunks_dir.join(format!("{:06}", self.head_chunks_file));
        let len = || fs::metadata(&file).map_or(0, |metadata| metadata.len());
        if self.checkpoint != checkpoint {
            Some("the log has been shortened since it was taken")
        } else if wal_page != Some(self.wal_page) {
            Some("the log is not the one that it was taken from")
        } else if self.head_chunks_file > 0 && len() < self.head_chunks_bytes {
            Some("head chunks that it relies on are missing")
        } else {
            None
        }
    }
}
