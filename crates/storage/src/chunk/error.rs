//! Why a chunk can't be read.

/// Why a chunk can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// An encoding that this build doesn't read.
    #[error("chunk encoding {byte} is not supported")]
    Unsupported {
        /// The byte on disk.
        byte: u8,
    },
    /// A histogram's buckets follow rules that nobody knows.
    #[error(
        "histogram has an unknown schema, which must be between -9 and 52 for exponential buckets, or -53 for custom buckets, \
         got schema {0}"
    )]
    UnknownSchema(i64),
    /// The data ends too early or says something that can't be.
    #[error("corrupt chunk: {0}")]
    Corrupt(&'static str),
}
