//! A histogram as it is read: classic buckets, native ones, or both.

use model::{Buckets, CounterReset, FloatHistogram, Histogram, NativeHistogram, Span, bucket_count};

use super::exemplar::{Exemplar, read_timestamp};
use super::wire::{DecodeError, Message};

/// A histogram whose buckets have not been looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistogramMessage<'a> {
    /// The sum of all observations.
    pub sum: f64,
    /// When it began to count, in milliseconds.
    pub start: Option<i64>,
    whole_count: u64,
    float_count: f64,
    schema: i32,
    zero_threshold: f64,
    whole_zero_count: u64,
    float_zero_count: f64,
    has_spans: bool,
    has_buckets: bool,
    is_gauge: bool,
    message: Message<'a>,
}

/// A bucket of a classic histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket<'a> {
    /// The largest value that is counted.
    pub upper_bound: f64,
    /// All observations up to the bound.
    pub cumulative_count: f64,
    /// The exemplar, where the bucket has one.
    pub exemplar: Option<Exemplar<'a>>,
}

/// Counts that may be told as fractions, which go first.
fn count_of(float: f64, whole: u64) -> f64 {
    if float == 0.0 { whole as f64 } else { float }
}

impl<'a> HistogramMessage<'a> {
    pub(super) fn read(message: Message<'a>, is_gauge: bool) -> Result<Self, DecodeError> {
        let mut histogram = HistogramMessage {
            sum: 0.0,
            start: None,
            whole_count: 0,
            float_count: 0.0,
            schema: 0,
            zero_threshold: 0.0,
            whole_zero_count: 0,
            float_zero_count: 0.0,
            has_spans: false,
            has_buckets: false,
            is_gauge,
            message,
        };
        for field in message.fields() {
            let field = field?;
            match field.number {
                1 => histogram.whole_count = field.integer()?,
                2 => histogram.sum = field.double()?,
                3 => histogram.has_buckets = true,
                4 => histogram.float_count = field.double()?,
                5 => histogram.schema = field.signed()?,
                6 => histogram.zero_threshold = field.double()?,
                7 => histogram.whole_zero_count = field.integer()?,
                8 => histogram.float_zero_count = field.double()?,
                9 | 12 => histogram.has_spans = true,
                15 => histogram.start = Some(read_timestamp(field.message()?)?),
                _ => {}
            }
        }
        Ok(histogram)
    }

    /// All observations.
    pub fn count(&self) -> f64 {
        count_of(self.float_count, self.whole_count)
    }

    /// Whether its counts may go down.
    pub fn is_gauge(&self) -> bool {
        self.is_gauge
    }

    /// Whether it has native parts: spans, if only an empty one, or a zero bucket.
    pub fn is_native(&self) -> bool {
        self.has_spans || self.zero_threshold > 0.0 || self.whole_zero_count > 0
    }

    /// Whether it has classic buckets.
    pub fn has_buckets(&self) -> bool {
        self.has_buckets
    }

    /// Its classic buckets.
    pub fn buckets(&self) -> impl Iterator<Item = Result<Bucket<'a>, DecodeError>> + use<'a> {
        self.message.repeated(3).map(|message| {
            let (mut upper_bound, mut whole, mut float, mut exemplar) = (0.0, 0, 0.0, None);
            for field in message?.fields() {
                let field = field?;
                match field.number {
                    1 => whole = field.integer()?,
                    2 => upper_bound = field.double()?,
                    3 => exemplar = Some(Exemplar::read(field.message()?)?),
                    4 => float = field.double()?,
                    _ => {}
                }
            }
            Ok(Bucket { upper_bound, cumulative_count: count_of(float, whole), exemplar })
        })
    }

    /// The exemplars that belong to the histogram as a whole.
    pub fn exemplars(&self) -> impl Iterator<Item = Result<Exemplar<'a>, DecodeError>> + use<'a> {
        self.message.repeated(16).map(|message| Exemplar::read(message?))
    }

    /// The native histogram, without empty buckets. It may still contradict itself (see [`NativeHistogram::validate`]), except
    /// that there are as many buckets as its spans say.
    ///
    /// # Errors
    /// Spans and buckets don't fit, or a field is not what the format says.
    pub fn native(&self) -> Result<NativeHistogram, DecodeError> {
        let is_float = self.float_count > 0.0 || self.float_zero_count > 0.0;
        let mut parts = Parts::read(self.message, is_float)?;
        let buckets = Buckets {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            positive_spans: std::mem::take(&mut parts.positive_spans),
            negative_spans: std::mem::take(&mut parts.negative_spans),
            custom_values: Vec::new(),
        };
        let counter_reset = if self.is_gauge { CounterReset::Gauge } else { CounterReset::Unknown };
        if is_float {
            let histogram = FloatHistogram {
                counter_reset,
                buckets,
                zero_count: self.float_zero_count,
                count: self.float_count,
                sum: self.sum,
                positive: parts.positive_counts,
                negative: parts.negative_counts,
            };
            return Ok(histogram.compacted().into());
        }
        let histogram = Histogram {
            counter_reset,
            buckets,
            zero_count: self.whole_zero_count,
            count: self.whole_count,
            sum: self.sum,
            positive: parts.positive_deltas,
            negative: parts.negative_deltas,
        };
        Ok(histogram.compacted().into())
    }
}

/// The repeated fields of a native histogram. Each element takes bytes of the message, so there are no more of them than it is long.
#[derive(Debug, Default)]
struct Parts {
    positive_spans: Vec<Span>,
    positive_deltas: Vec<i64>,
    positive_counts: Vec<f64>,
    negative_spans: Vec<Span>,
    negative_deltas: Vec<i64>,
    negative_counts: Vec<f64>,
}

impl Parts {
    /// Reads whole counts or fractions, whichever counts.
    fn read(message: Message<'_>, is_float: bool) -> Result<Self, DecodeError> {
        let mut parts = Parts::default();
        for field in message.fields() {
            let field = field?;
            match field.number {
                9 => parts.negative_spans.push(read_span(field.message()?)?),
                10 if !is_float => field.deltas(&mut parts.negative_deltas)?,
                11 if is_float => field.doubles(&mut parts.negative_counts)?,
                12 => parts.positive_spans.push(read_span(field.message()?)?),
                13 if !is_float => field.deltas(&mut parts.positive_deltas)?,
                14 if is_float => field.doubles(&mut parts.positive_counts)?,
                _ => {}
            }
        }
        let sides = [
            ("positive", &parts.positive_spans, parts.positive_deltas.len() + parts.positive_counts.len()),
            ("negative", &parts.negative_spans, parts.negative_deltas.len() + parts.negative_counts.len()),
        ];
        for (side, spans, buckets) in sides {
            let needed = bucket_count(spans);
            if needed != buckets as u64 {
                return Err(message.error(format!("{side} side: spans require {needed} buckets, have {buckets}")));
            }
        }
        Ok(parts)
    }
}

fn read_span(message: Message<'_>) -> Result<Span, DecodeError> {
    let mut span = Span::default();
    for field in message.fields() {
        let field = field?;
        match field.number {
            1 => span.offset = field.signed()?,
            2 => span.length = field.integer()? as u32,
            _ => {}
        }
    }
    Ok(span)
}
