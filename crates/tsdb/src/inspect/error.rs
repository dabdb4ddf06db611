//! Why something can't be looked at.

use std::io;
use std::path::PathBuf;

use storage::QueryError;

/// Why a directory can't be looked at.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// A file or folder can't be read.
    #[error("cannot read {path}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing of what a data directory holds is there.
    #[error("{path} holds no block and no log: is it a data directory?")]
    NoData {
        /// Which.
        path: PathBuf,
    },
    /// There is no such block, or it can't be opened.
    #[error("block {name}: {reason}")]
    Block {
        /// How it was asked for.
        name: String,
        /// Why.
        reason: String,
    },
    /// A series or its samples can't be read.
    #[error(transparent)]
    Data(#[from] QueryError),
}
