//! Chunk snapshots: what a clean stop leaves behind so that the next start need not read the log again. See
//! `docs/format/chunk-snapshot.md`.
//!
//! Ordering: head chunks and log are synced before a snapshot appears under its name, by a rename; older ones go after it. Crash:
//! the log stays complete, so a snapshot that is lost, torn or refused costs time and nothing else.
//!
//! What it knows of series is how they are written; the head puts them in and takes them out.

mod basis;
mod choice;
mod directory;
mod error;
mod reader;
mod record;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use basis::Basis;
pub(crate) use choice::{Choice, choose};
pub(crate) use directory::{Snapshot, remove_all, remove_unfinished};
pub(crate) use reader::read_snapshot;
pub(crate) use record::{OpenData, SnapshotRecord, SnapshotSeries, encode_series};
pub(crate) use writer::SnapshotWriter;
