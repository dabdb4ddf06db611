//! What differs between integer and float histograms.

use std::fmt::Debug;

use model::{Buckets, CounterReset, FloatHistogram, NativeHistogram};

use crate::chunk::bits::{BitReader, BitWriter};
use crate::chunk::encoded::Encoding;

/// A kind of histogram, and how its numbers are written.
pub trait Numbers: Clone + Debug + Default {
    /// The encoding of its chunks.
    const ENCODING: Encoding;
    /// The encoding of those with start timestamps.
    const ENCODING_WITH_STARTS: Encoding;
    /// A number in the list of buckets: a count, or the difference to the count before.
    type Bucket: Copy + Debug + Default + PartialOrd;
    /// What writing the next sample needs to know besides the last one.
    type Written: Debug;
    /// What reading the next sample needs to know besides the last one.
    type Read: Debug;

    /// The sample that ends a series.
    fn stale() -> Self;
    /// Whether this is a stale marker.
    fn is_stale(&self) -> bool;
    /// The shape.
    fn shape(&self) -> &Buckets;
    /// What is known of a counter reset.
    fn counter_reset(&self) -> CounterReset;
    /// Sets what is known of a counter reset.
    fn set_counter_reset(&mut self, known: CounterReset);
    /// Whether there are fewer observations than in `before`, in all or in the zero bucket.
    fn counts_less(&self, before: &Self) -> Less;
    /// The positive buckets and the negative ones.
    fn buckets(&self) -> (&[Self::Bucket], &[Self::Bucket]);
    /// The same histogram with other spans and buckets.
    fn with_buckets(&self, shape: Buckets, positive: Vec<Self::Bucket>, negative: Vec<Self::Bucket>) -> Self;
    /// The counts of a list of buckets.
    fn counts(buckets: &[Self::Bucket]) -> impl Iterator<Item = Self::Bucket>;
    /// The list of buckets with these counts.
    fn from_counts(counts: impl Iterator<Item = Self::Bucket>) -> Vec<Self::Bucket>;
    /// Whether both are the same data.
    fn same_as(&self, other: &Self) -> bool;
    /// The same with counts that may be fractions.
    fn to_float(&self) -> FloatHistogram;
    /// As a value of either kind.
    fn into_native(self) -> NativeHistogram;

    /// What to say of a counter reset in the header of a new chunk: `why` the chunk before couldn't take the sample, if it
    /// couldn't, and whether that chunk was at its end anyway.
    fn header(why: Option<Why>, at_end: bool) -> CounterReset;

    /// Writes the numbers of a chunk's first sample.
    fn push_first(&self, out: &mut BitWriter) -> Self::Written;
    /// Writes the numbers of a sample with the buckets of `last`, or of a stale marker.
    fn push_next(&self, last: &Self, written: &mut Self::Written, out: &mut BitWriter);
    /// Reads the numbers of a chunk's first sample; `None` at the end of the bits.
    fn take_first(shape: Buckets, bits: &mut BitReader<'_>) -> Option<(Self, Self::Read)>;
    /// Reads the next numbers over the last ones; `None` at the end of the bits. After a stale marker the buckets are
    /// those of the last sample that had any.
    fn take_next(&mut self, read: &mut Self::Read, bits: &mut BitReader<'_>) -> Option<()>;
}

/// Which counts are less than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Less {
    /// That of all observations.
    pub all: bool,
    /// That of the zero bucket.
    pub zero: bool,
}

/// Why a chunk can't take a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// One of them is a gauge and the other is not.
    Kind,
    /// Counts went down, or the sample says so.
    Reset,
    /// The chunk ends with a stale marker.
    Stale,
    /// Schema, zero threshold or, for gauges, listed bounds are others.
    Shape,
}
