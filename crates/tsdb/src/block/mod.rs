//! Blocks: folders with samples of a closed range of time that never change. See `docs/format/block.md`.

mod delete;
mod mapped;
mod mark;
mod merge;
mod overlap;
mod reader;
mod select;
mod whole;
mod writer;

pub use mapped::map_file;
pub(crate) use merge::{MergeError, merge_blocks};
#[cfg(feature = "fuzzing")]
pub(crate) use overlap::without_overlaps;
pub(crate) use reader::{Block, BlockError};
pub use select::{IndexSelection, select_index};
pub(crate) use writer::{BlockChunks, BlockWriter, UNFINISHED_SUFFIX};
