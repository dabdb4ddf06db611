//! The database of a node: a head in memory with a write-ahead log, and blocks on disk, in Prometheus's formats both ways.
//!
//! It exists because no published crate writes index version 2, the write-ahead log or chunk files; small parts (checksums,
//! compression, mapping, names) are libraries. [`Db`] is a directory that is open; [`Index`], [`decode_chunk`] and
//! [`select_index`] read blocks that lie anywhere, for the bucket.
//!
//! What it doesn't do: take start timestamps of samples. Those that others wrote into blocks and full chunks of the head are read, and stay
//! through merging, cutting and deletion; in logs they are left in place; an open chunk of a snapshot and a late sample lose theirs when
//! they are gone on with or logged anew. It knows no HTTP and no configuration file.

mod backfill;
mod binary;
mod block;
mod chunk_snapshot;
mod chunks;
mod db;
mod durable;
#[cfg(feature = "failpoints")]
pub mod failpoint;
#[cfg(not(feature = "failpoints"))]
mod failpoint;
mod figures;
#[cfg(test)]
mod format_docs;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod head;
mod head_chunks;
mod index;
pub mod inspect;
mod lock;
mod matching;
mod meta;
mod metrics;
#[cfg(test)]
mod mutations;
mod options;
mod tombstones;
mod wal;

pub use backfill::{Backfill, BackfillError, BackfillOptions, SeriesBlock, SeriesBlockError};
pub use binary::Corrupt;
pub use block::{IndexSelection, map_file, select_index};
pub use chunks::{ChunkFileError, check_header, decode_chunk, frame_bytes, segment_name};
pub use db::{Compaction, Db, Maintenance, MaintenanceError};
pub use head::{CardinalityStats, HeadStats, NamedCount};
pub use index::{Index, IndexedChunk, IndexedSeries};
pub use lock::LockError;
pub use matching::{Numbers, Postings, Run, matching_series};
pub use meta::{BlockCompaction, BlockId, BlockMeta, BlockParent, BlockStats, MetaError};
pub use options::{OpenError, Options, Retention};
pub use wal::WalCompression;
