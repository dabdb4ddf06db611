//! Native histograms: counts in buckets whose bounds follow from a schema, or are listed.
//!
//! The form is Prometheus's (`model/histogram`): only buckets between the spans' gaps are held. An integer histogram holds its
//! buckets as deltas, as the chunks on disk do; a float histogram holds absolute counts, which is what queries work on.

use crate::sample::is_stale;

/// A run of consecutive buckets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Buckets left out since the end of the span before; for the first span the index of its first bucket.
    pub offset: i32,
    /// How many buckets.
    pub length: u32,
}

/// What is known of a counter reset between a histogram and the one before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum CounterReset {
    /// Nobody looked.
    #[default]
    Unknown,
    /// There was one.
    Reset,
    /// There was none.
    NotReset,
    /// A gauge histogram: its counts may go down without a reset.
    Gauge,
}

/// The schema of histograms whose bucket bounds are listed in `custom_values`.
pub const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

/// Everything of a histogram except its counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Buckets {
    /// Bucket bounds are powers of `2^(2^-schema)`, for -4 to 8; [`CUSTOM_BUCKETS_SCHEMA`] for listed ones.
    pub schema: i32,
    /// Observations of at most this absolute value are counted in the zero bucket.
    pub zero_threshold: f64,
    /// Where the buckets of positive observations lie; those with listed bounds are here too.
    pub positive_spans: Vec<Span>,
    /// Where the buckets of negative observations lie.
    pub negative_spans: Vec<Span>,
    /// The upper bounds of listed buckets, ascending, without the last one, which is infinite.
    pub custom_values: Vec<f64>,
}

/// A histogram of whole observations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// What is known of a counter reset before this sample.
    pub counter_reset: CounterReset,
    /// The shape.
    pub buckets: Buckets,
    /// Observations in the zero bucket.
    pub zero_count: u64,
    /// All observations.
    pub count: u64,
    /// The sum of all observations; the stale marker here makes the sample a stale marker.
    pub sum: f64,
    /// Counts of the positive buckets, each as the difference to the one before it.
    pub positive: Vec<i64>,
    /// Counts of the negative buckets, each as the difference to the one before it.
    pub negative: Vec<i64>,
}

/// A histogram whose counts may be fractions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FloatHistogram {
    /// What is known of a counter reset before this sample.
    pub counter_reset: CounterReset,
    /// The shape.
    pub buckets: Buckets,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// The sum of all observations; the stale marker here makes the sample a stale marker.
    pub sum: f64,
    /// Counts of the positive buckets.
    pub positive: Vec<f64>,
    /// Counts of the negative buckets.
    pub negative: Vec<f64>,
}

/// A native histogram as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub enum NativeHistogram {
    /// Whole counts.
    Int(Box<Histogram>),
    /// Counts that may be fractions.
    Float(Box<FloatHistogram>),
}

impl Histogram {
    /// Whether this is a stale marker.
    pub fn is_stale(&self) -> bool {
        is_stale(self.sum)
    }
}

impl FloatHistogram {
    /// Whether this is a stale marker.
    pub fn is_stale(&self) -> bool {
        is_stale(self.sum)
    }
}
