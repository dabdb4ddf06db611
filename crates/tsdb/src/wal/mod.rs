//! The write-ahead log in Prometheus's format: segments of pages of record fragments, and checkpoints that replace old
//! segments. See `docs/format/wal.md` and `docs/format/checkpoint.md`.
//!
//! Ordering: a commit is one batch of records in one `write`, series before the samples that name them. Crash: what `write`
//! has taken survives the process; a record that was cut in the middle is dropped as a whole on replay.

mod checkpoint;
mod format;
mod log;
mod position;
mod reader;
mod record;
mod repair;
mod segments;
mod writer;

pub(crate) use checkpoint::{CheckpointFilter, write_checkpoint};
pub use format::WalCompression;
#[cfg(feature = "fuzzing")]
pub(crate) use format::{FRAGMENT_HEADER_BYTES, PAGE_BYTES};
pub(crate) use log::{Batch, Wal};
pub(crate) use position::LogPosition;
pub(crate) use reader::SegmentReader;
pub(crate) use record::{
    LoggedExemplar, LoggedHistogram, LoggedMarker, LoggedSample, LoggedTombstone, RecordKind, decode_exemplars,
    decode_histograms, decode_markers, decode_metadata, decode_notes, decode_samples, decode_series, decode_tombstones,
    encode_exemplars, encode_histograms, encode_markers, encode_metadata, encode_note, encode_nothing, encode_samples,
    encode_series, encode_tombstones, put_histogram, read_labels,
};
pub(crate) use repair::repair_segment;
pub(crate) use segments::{Segment, latest_checkpoint, list_segments};
