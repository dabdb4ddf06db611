//! The samples of a series, cut into chunks in the one way that depends on nothing but the samples.
//!
//! How a database cuts chunks depends on when it was restarted, when samples came, and what came before them. So all of that is
//! taken off: overlaps are merged, chunks have [`SAMPLES_PER_CHUNK`](crate::chunk::SAMPLES_PER_CHUNK) samples from the first one on,
//! fewer where the encoding changes or a histogram can't follow the one before it, histograms lose buckets that are empty, counter
//! resets are found out again, and stale markers become those of the kind of sample before them. Two nodes that hold the same samples
//! make the same bytes.

mod cutter;
mod histogram;
mod walk;

#[cfg(test)]
mod tests;

pub use cutter::{Cutter, recut};
pub use histogram::without_empty_buckets;
pub use walk::{are_apart, count, walk};
