//! The words every other room speaks: labels, matchers, samples, timestamps, durations, floats as text, the clock.
//!
//! Everything here is pure: no files, no network, no threads. The types exist instead of a library's because they
//! are the unit of cost of a monitoring system: a label set is one reference-counted buffer, and a matcher knows
//! Go's regular expressions, which Prometheus users write.

mod clock;
mod duration;
mod exemplar;
mod float;
mod go_regex;
mod histogram;
mod kahan;
mod labels;
mod labels_builder;
mod matcher;
mod metadata;
mod metric_type;
mod quote;
mod sample;
mod size;
mod time;

pub use clock::{Clock, ManualClock, SystemClock};
pub use duration::{DurationError, format_duration, parse_duration};
pub use exemplar::Exemplar;
pub use float::{
    format_float, format_go_float, format_json_float, format_plain_float, parse_float, write_float, write_json_float,
};
pub use go_regex::{GoRegex, GoSearch, RegexError};
pub use histogram::{
    Accumulator, Added, Amount, Bucket, Buckets, CUSTOM_BUCKETS_SCHEMA, ClassicHistogram, ClassicPart, CounterReset,
    EXPONENTIAL_SCHEMA_MAX, EXPONENTIAL_SCHEMA_MIN, FloatHistogram, Histogram, HistogramError, HistogramMean,
    HistogramSum, IncompatibleHistograms, NativeHistogram, Span, bucket_count, bucket_counts, bucket_deltas,
    bucket_indexes, is_known_schema, is_valid_schema,
};
pub use kahan::Kahan;
pub use labels::{
    BUCKET_LABEL, INSTANCE, JOB, Labels, LabelsHasher, METRIC_NAME, is_valid_label_name, is_valid_metric_name,
};
pub use labels_builder::{LabelsBuilder, LabelsScratch};
pub use matcher::{MatchOp, Matcher};
pub use metadata::Metadata;
pub use metric_type::MetricType;
pub use quote::quote;
pub use sample::{STALE_NAN, Sample, is_stale};
pub use size::format_size;
pub use time::{TimeError, TimeRange, Timestamp};
