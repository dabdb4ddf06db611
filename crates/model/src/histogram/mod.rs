//! Native histograms: counts in buckets whose bounds follow from a schema, or are listed.
//!
//! The form is Prometheus's (`model/histogram`): only buckets between the spans' gaps are held. An integer histogram holds its
//! buckets as deltas, as the chunks on disk do; a float histogram holds absolute counts, which is what queries work on.

mod accumulator;
mod amount;
mod arithmetic;
mod bounds;
mod bucket;
mod cells;
mod classic;
mod compact;
mod float;
mod integer;
mod native;
mod reset;
mod resolution;
mod shape;
mod trim;
mod validate;

#[cfg(test)]
mod tests;

pub use accumulator::{Accumulator, Added, HistogramSum, IncompatibleHistograms};
pub use amount::Amount;
pub use arithmetic::HistogramMean;
pub use bucket::Bucket;
pub use classic::{ClassicHistogram, ClassicPart};
pub use float::FloatHistogram;
pub use integer::{Histogram, bucket_counts, bucket_deltas};
pub use native::NativeHistogram;
pub use shape::{
    Buckets, CUSTOM_BUCKETS_SCHEMA, CounterReset, EXPONENTIAL_SCHEMA_MAX, EXPONENTIAL_SCHEMA_MIN, Span, bucket_count,
    bucket_indexes, is_known_schema, is_valid_schema,
};
pub use validate::HistogramError;
