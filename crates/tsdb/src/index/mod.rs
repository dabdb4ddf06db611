//! A block's index, version 2: symbols, series, postings and the tables that find them. See `docs/format/index.md`.

pub(crate) mod format;
mod postings_table;
mod reader;
mod symbols;
mod writer;

pub use reader::{Index, IndexedChunk, IndexedSeries};
pub(crate) use writer::{IndexWriter, SeriesLabels};
