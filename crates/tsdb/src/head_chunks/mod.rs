//! Full chunks of the head, in files instead of memory: `chunks_head/`, in Prometheus's format. See
//! `docs/format/head-chunks.md`.
//!
//! A chunk gets its place (file and offset) the moment it is full, and its bytes wait in a buffer until [`HeadChunks::flush`]
//! writes them. A place can be read at every moment: from the buffer, from the part that is just being written, or from the
//! file. A series therefore remembers a place and two times and nothing else, and never hears of the writing.
//!
//! Order: the log has every sample before it is in a chunk, and keeps it until it is in a block. So nothing here needs to be
//! synced, and what is torn, damaged or not written yet is taken from the log again. What can be read is always the beginning
//! of the row of chunks: at the first damage everything behind it is dropped, as Prometheus does. Otherwise a chunk in
//! the middle could be missing unseen, and replay would take a series for complete up to its newest chunk.
//!
//! Locks: `flushing`, then `files`, then `tail`; the head's locks are all taken before these. Nobody writes to disk with
//! `tail` held, which is what an append needs.

mod file;
mod format;
#[cfg(feature = "fuzzing")]
mod fuzzing;
mod load;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use format::ChunkPlace;
#[cfg(feature = "fuzzing")]
pub(crate) use fuzzing::{FIRST_CHUNK_AT, chunk_end, read_file};
pub(crate) use load::{LoadedChunk, LoadedChunks, open};
pub(crate) use store::{ChunkReader, HeadChunkError, HeadChunks, NewChunk};
