//! Blocks made of samples that somebody has from elsewhere: series in any order, each series in order of time within a block.
//!
//! Samples are encoded as they come, so a sample costs its compressed bytes and not its text. Where these become more than a
//! bound, the later blocks are left for another pass over the source. Crash: blocks are written into a folder that both
//! Prometheus and we delete at start, and get their names when all of them are complete.

mod samples;
mod series_block;
mod staging;
mod state;
mod symbols;

pub use series_block::{SeriesBlock, SeriesBlockError};
pub use state::{Backfill, BackfillError, BackfillOptions};
