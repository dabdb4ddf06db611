//! A block's index, version 2: symbols, series, postings and the tables that find them. See `docs/format/index.md`.

pub(crate) mod format;
mod listing;
mod postings_table;
mod reader;
mod symbols;
mod writer;

pub(crate) use reader::SeriesNumbers;
pub use reader::{Index, IndexedChunk, IndexedSeries};
pub(crate) use symbols::SymbolWalk;
pub(crate) use writer::{IndexFile, IndexWriter, SeriesLabels};
