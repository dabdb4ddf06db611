//! One function for each decoder of what lies on disk, to be given any bytes: by tests with damaged input, and by the targets in
//! `fuzz/`. Each reads its input twice, as it is and with its checksums put right: a checksum keeps damage from whatever is
//! behind it, and so would keep tests from it.
//!
//! The answer is whether the input as it is could be read to its end. What counts is that there is one.

mod mend;
mod targets;

pub use targets::{
    TARGETS, Target, block_meta, chunk, chunk_file, head_chunk_file, index, tombstones, wal_record, wal_segment,
};
