//! Why a snapshot can't be used.

use std::io;
use std::path::PathBuf;

use crate::binary::Corrupt;

/// Why not.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path}, offset {offset}: {reason}")]
    Damaged { path: PathBuf, offset: u64, reason: &'static str },
    #[error("{path}: {source}")]
    Record { path: PathBuf, source: Corrupt },
    /// A part of it is missing.
    #[error("{path}: {reason}")]
    Torn { path: PathBuf, reason: &'static str },
    /// It is whole and doesn't belong to what lies beside it.
    #[error("{path}: {reason}")]
    Foreign { path: PathBuf, reason: String },
}
