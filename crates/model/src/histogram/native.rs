//! Either kind.

use super::float::FloatHistogram;
use super::integer::Histogram;
use super::shape::{Buckets, CounterReset, Span, bucket_count};
use super::validate::HistogramError;

/// A native histogram as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub enum NativeHistogram {
    /// Whole counts.
    Int(Box<Histogram>),
    /// Counts that may be fractions.
    Float(Box<FloatHistogram>),
}

impl NativeHistogram {
    /// Whether this is a stale marker.
    pub fn is_stale(&self) -> bool {
        match self {
            NativeHistogram::Int(histogram) => histogram.is_stale(),
            NativeHistogram::Float(histogram) => histogram.is_stale(),
        }
    }

    /// What is known of a counter reset before this sample.
    pub fn counter_reset(&self) -> CounterReset {
        match self {
            NativeHistogram::Int(histogram) => histogram.counter_reset,
            NativeHistogram::Float(histogram) => histogram.counter_reset,
        }
    }

    /// The shape.
    pub fn buckets(&self) -> &Buckets {
        match self {
            NativeHistogram::Int(histogram) => &histogram.buckets,
            NativeHistogram::Float(histogram) => &histogram.buckets,
        }
    }

    /// Checks that the histogram does not contradict itself.
    pub fn validate(&self) -> Result<(), HistogramError> {
        match self {
            NativeHistogram::Int(histogram) => histogram.validate(),
            NativeHistogram::Float(histogram) => histogram.validate(),
        }
    }

    /// Whether there are as many buckets as the spans say, in ascending order: what must be so before a histogram that was
    /// read from somewhere is worked with. Unlike [`NativeHistogram::validate`] this says nothing about its counts.
    pub fn fits_its_spans(&self) -> bool {
        let (positive, negative) = match self {
            NativeHistogram::Int(histogram) => (histogram.positive.len(), histogram.negative.len()),
            NativeHistogram::Float(histogram) => (histogram.positive.len(), histogram.negative.len()),
        };
        let fit = |spans: &[Span], buckets: usize| {
            bucket_count(spans) == buckets as u64 && spans.iter().skip(1).all(|span| span.offset >= 0)
        };
        let shape = self.buckets();
        fit(&shape.positive_spans, positive) && fit(&shape.negative_spans, negative)
    }

    /// Merges buckets so that the schema becomes `schema`, if it is a finer exponential one. Spans must fit the buckets.
    pub fn reduce_resolution(&mut self, schema: i32) {
        match self {
            NativeHistogram::Int(histogram) => histogram.reduce_resolution(schema),
            NativeHistogram::Float(histogram) => histogram.reduce_resolution(schema),
        }
    }

    /// The same with counts that may be fractions.
    pub fn to_float(&self) -> FloatHistogram {
        match self {
            NativeHistogram::Int(histogram) => histogram.to_float(),
            NativeHistogram::Float(histogram) => FloatHistogram::clone(histogram),
        }
    }

    /// Whether both are of one kind and the same data; see [`Histogram::same_as`].
    pub fn same_as(&self, other: &NativeHistogram) -> bool {
        match (self, other) {
            (NativeHistogram::Int(a), NativeHistogram::Int(b)) => a.same_as(b),
            (NativeHistogram::Float(a), NativeHistogram::Float(b)) => a.same_as(b),
            _ => false,
        }
    }
}

impl From<Histogram> for NativeHistogram {
    fn from(histogram: Histogram) -> Self {
        NativeHistogram::Int(Box::new(histogram))
    }
}

impl From<FloatHistogram> for NativeHistogram {
    fn from(histogram: FloatHistogram) -> Self {
        NativeHistogram::Float(Box::new(histogram))
    }
}
