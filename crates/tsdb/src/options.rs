//! What a database needs to know, and why it can't be opened.

use std::io;
use std::path::PathBuf;

use crate::lock::LockError;
use crate::wal::WalCompression;

/// How to open a database.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data directory; made if it isn't there.
    pub dir: PathBuf,
    /// The width of the blocks that are cut from the head, in milliseconds.
    pub min_block_ms: i64,
    /// The widest block that compaction may make, in milliseconds.
    pub max_block_ms: i64,
    /// Blocks that lie wholly before the newest sample by more than this are deleted; 0 keeps all.
    pub retention_ms: i64,
    /// The oldest blocks are deleted while blocks, logs and head chunks take more bytes than this; 0 for no limit.
    pub retention_bytes: u64,
    /// The length of a log segment in bytes.
    pub wal_segment_bytes: u64,
    /// How the log is compressed.
    pub wal_compression: WalCompression,
    /// How many exemplars are kept in memory, over all series; 0 keeps none.
    pub max_exemplars: usize,
    /// How much older than the newest sample a late one may be, in milliseconds; 0 takes none that is out of order.
    pub out_of_order_window_ms: i64,
    /// Samples that lie further after the clock than this are refused, in milliseconds; 0 refuses none, which is for tools that
    /// fill in history. Without a bound one target with a wrong clock makes everybody else's samples too old.
    pub max_future_ms: i64,
    /// Whether opening returns as soon as samples can be taken, while those of before are still being read. Questions wait for
    /// them, for ten seconds at most; answers without them carry a warning.
    pub load_in_background: bool,
    /// Whether closing leaves a chunk snapshot behind, and opening uses one, instead of the part of the log that it stands for.
    /// It costs nothing but the time of writing it: the log stays complete. Halves the time until everything is in memory, see
    /// `benches/start.rs`.
    pub chunk_snapshot: bool,
}

impl Options {
    /// Prometheus's defaults: blocks of two hours, 15 days of retention, segments of 128 MiB, snappy, 100,000 exemplars, nothing
    /// out of order; and ten minutes into the future, which Prometheus's scraping bounds.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        const HOUR_MS: i64 = 3_600_000;
        Options {
            dir: dir.into(),
            min_block_ms: 2 * HOUR_MS,
            max_block_ms: 36 * HOUR_MS,
            retention_ms: 15 * 24 * HOUR_MS,
            retention_bytes: 0,
            wal_segment_bytes: 128 << 20,
            wal_compression: WalCompression::default(),
            max_exemplars: 100_000,
            out_of_order_window_ms: 0,
            max_future_ms: 10 * 60_000,
            load_in_background: false,
            chunk_snapshot: false,
        }
    }
}

/// How long and how much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// In milliseconds; 0 keeps samples for ever.
    pub ms: i64,
    /// The bytes that blocks and logs may take; 0 for any number.
    pub bytes: u64,
}

/// Why a database can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// An option makes no sense.
    #[error("invalid option {option}: {reason}")]
    Option {
        /// Its name.
        option: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Somebody else works on the directory.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file or folder can't be used.
    #[error("cannot open database in {dir}")]
    Io {
        /// The data directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl OpenError {
    pub(crate) fn io(dir: &std::path::Path, source: io::Error) -> Self {
        OpenError::Io { dir: dir.to_owned(), source }
    }
}

impl Options {
    /// Refuses what makes no sense.
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let error = |option, reason: String| Err(OpenError::Option { option, reason });
        if self.min_block_ms < 1 {
            return error("min_block_ms", format!("{} is not positive", self.min_block_ms));
        }
        if self.max_block_ms < self.min_block_ms {
            return error(
                "max_block_ms",
                format!("{} is less than min_block_ms {}", self.max_block_ms, self.min_block_ms),
            );
        }
        let not_negative = [
            ("retention_ms", self.retention_ms),
            ("out_of_order_window_ms", self.out_of_order_window_ms),
            ("max_future_ms", self.max_future_ms),
        ];
        for (option, ms) in not_negative {
            if ms < 0 {
                return error(option, format!("{ms} is negative"));
            }
        }
        Ok(())
    }
}
