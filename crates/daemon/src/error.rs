//! Why a node doesn't start.

use std::path::PathBuf;

/// A node that can't start, with what a person needs to mend it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong; each line tells file, line and column.
    #[error(transparent)]
    Config(#[from] config::Errors),
    /// The database can't be opened.
    #[error("cannot open the database in {}", path.display())]
    Database {
        /// The data directory.
        path: PathBuf,
        /// Why.
        source: tsdb::OpenError,
    },
    /// Something else that the node needs isn't to be had.
    #[error("{what}")]
    Other {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StartError {
    /// A failure of something besides configuration and database.
    pub fn other(what: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        StartError::Other { what: what.into(), source: source.into() }
    }
}
