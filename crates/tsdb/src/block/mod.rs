//! Blocks: folders with samples of a closed range of time that never change. See `docs/format/block.md`.

mod mapped;
mod reader;
mod select;
mod writer;

pub use mapped::map_file;
pub(crate) use reader::{Block, BlockError};
pub use select::{IndexSelection, select_index};
pub(crate) use writer::{BlockWriter, UNFINISHED_SUFFIX};
