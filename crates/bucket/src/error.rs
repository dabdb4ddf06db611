//! What can go wrong with a bucket.

use std::path::PathBuf;

/// A failed operation on a bucket.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The bucket can't be used as configured.
    #[error("cannot open the bucket {location}")]
    Open {
        /// Which bucket.
        location: String,
        /// Why.
        source: object_store::Error,
    },
    /// The object store failed; its library has tried several times already.
    #[error("{operation} {path} in the bucket")]
    Store {
        /// What was tried.
        operation: &'static str,
        /// On which object.
        path: String,
        /// Why it failed.
        source: object_store::Error,
    },
    /// A local file failed.
    #[error("{}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What the database has of a window can't be read.
    #[error("cannot read the samples from {start} on, for the block of their window")]
    Window {
        /// The window's first millisecond.
        start: model::Timestamp,
        /// Why.
        source: storage::QueryError,
    },
    /// The block of a window can't be written locally.
    #[error("cannot write the block of the window that begins at {start}")]
    Build {
        /// The window's first millisecond.
        start: model::Timestamp,
        /// Why.
        source: tsdb::SeriesBlockError,
    },
    /// Making the block of a window broke off.
    #[error("making the block of the window that begins at {start} broke off: {reason}")]
    BrokenOff {
        /// The window's first millisecond.
        start: model::Timestamp,
        /// Why.
        reason: String,
    },
    /// An object of this name exists and holds something else.
    #[error("{path} is in the bucket already with {theirs} bytes, ours has {ours}: two different blocks share a name")]
    Conflict {
        /// The object.
        path: String,
        /// Our size.
        ours: u64,
        /// The size of what is there.
        theirs: u64,
    },
    /// Somebody is deleting what lies under the name of a block.
    #[error("block {block} is being deleted from the bucket, it is uploaded again when that is done")]
    BeingDeleted {
        /// Which block.
        block: String,
    },
    /// A block in the bucket can't be read.
    #[error("block {block} in the bucket: {reason}")]
    Block {
        /// Which block.
        block: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl BucketError {
    /// Whether an object was expected and isn't there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, BucketError::Store { source: object_store::Error::NotFound { .. }, .. })
    }

    /// The whole chain of causes, for a place that shows one line.
    pub fn chain(&self) -> String {
        config::chain(self)
    }
}

pub(crate) fn failed(
    operation: &'static str,
    path: &object_store::path::Path,
    source: object_store::Error,
) -> BucketError {
    BucketError::Store { operation, path: path.to_string(), source }
}

impl From<BucketError> for storage::QueryError {
    fn from(error: BucketError) -> Self {
        match error {
            BucketError::Store { .. } | BucketError::Open { .. } => storage::QueryError::retry(error.chain()),
            _ => storage::QueryError::data(error.chain()),
        }
    }
}
