//! What the chunks of integer and of float histograms have in common.
//!
//! Two bytes hold the number of samples, big-endian; the upper two bits of the third say what is known of a counter reset
//! before the first sample. Then follows the layout (zero threshold, schema, spans, listed bounds), once for all samples, and
//! the samples: time, count, count of the zero bucket, sum, positive buckets, negative buckets. A stale marker has no buckets,
//! and nothing but stale markers follows it in a chunk.
//!
//! All samples of a chunk have the same buckets. A sample with new ones makes the writer encode the chunk anew; one that lacks
//! some that were always empty gets them; one that can't follow begins a new chunk.
//!
//! Chunks with start timestamps have each sample's start behind it. Their third byte says which are written, so that what is
//! known of a counter reset moves into the upper bits of the first.

mod fit;
mod layout;
mod numbers;
mod reader;
mod spans;
mod writer;

pub(super) use numbers::{Less, Numbers, Why};
pub(super) use reader::{Reader, decode};
pub(super) use writer::Writer;
