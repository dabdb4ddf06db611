//! What a histogram must be like to be stored: Prometheus's rules, in Prometheus's words.

use super::float::FloatHistogram;
use super::integer::{Histogram, bucket_counts};
use super::shape::{
    Buckets, CUSTOM_BUCKETS_SCHEMA, EXPONENTIAL_SCHEMA_MAX, EXPONENTIAL_SCHEMA_MIN, Span, bucket_count, is_valid_schema,
};
use crate::float::format_float;

/// How a histogram contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HistogramError(String);

impl HistogramError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        HistogramError(text.into())
    }
}

fn error<T>(text: impl Into<String>) -> Result<T, HistogramError> {
    Err(HistogramError(text.into()))
}

/// Says on which side of zero, or for which kind, a check failed.
fn on<T>(side: &str, result: Result<T, HistogramError>) -> Result<T, HistogramError> {
    result.map_err(|HistogramError(text)| HistogramError(format!("{side}: {text}")))
}

fn check_spans(spans: &[Span], buckets: usize, first_may_be_negative: bool) -> Result<(), HistogramError> {
    for (number, span) in spans.iter().enumerate() {
        if span.offset < 0 && !(number == 0 && first_may_be_negative) {
            return error(format!(
                "span number {} with offset {}: histogram has a span whose offset is negative",
                number + 1,
                span.offset
            ));
        }
    }
    let needed = bucket_count(spans);
    if needed != buckets as u64 {
        return error(format!(
            "spans need {needed} buckets, have {buckets} buckets: \
             histogram spans specify different number of buckets than provided"
        ));
    }
    Ok(())
}

fn check_custom_bounds(bounds: &[f64], spans: &[Span], buckets: usize) -> Result<(), HistogramError> {
    let mut last = f64::NEG_INFINITY;
    for (i, bound) in bounds.iter().enumerate() {
        if bound.is_nan() {
            return error("histogram custom bounds must not be NaN");
        }
        if i > 0 && *bound <= last {
            return error(format!(
                "previous bound is {last:.6} and current is {bound:.6}: \
                 histogram custom bounds must be in strictly increasing order"
            ));
        }
        last = *bound;
    }
    if last == f64::INFINITY {
        return error("last +Inf bound must not be explicitly defined: histogram custom bounds must be finite");
    }
    check_spans(spans, buckets, false)?;
    let covered: i64 = spans.iter().map(|span| i64::from(span.offset) + i64::from(span.length)).sum();
    if covered > bounds.len() as i64 + 1 {
        return error(format!(
            "only {} custom bounds defined which is insufficient to cover total span length of {covered}: \
             histogram custom bounds are too few",
            bounds.len()
        ));
    }
    Ok(())
}

/// Checks everything but the counts. `zero_count` tells whether there are observations in the zero bucket.
fn check_shape(shape: &Buckets, zero_count: bool, positive: usize, negative: usize) -> Result<(), HistogramError> {
    if shape.are_custom() {
        on("custom buckets", check_custom_bounds(&shape.custom_values, &shape.positive_spans, positive))?;
        let wrong = [
            (zero_count, "must have zero count of 0"),
            (shape.zero_threshold != 0.0, "must have zero threshold of 0"),
            (!shape.negative_spans.is_empty(), "must not have negative spans"),
            (negative > 0, "must not have negative buckets"),
        ];
        return match wrong.iter().find(|(wrong, _)| *wrong) {
            Some((_, text)) => error(format!("custom buckets: {text}")),
            None => Ok(()),
        };
    }
    if !is_valid_schema(shape.schema) {
        return error(format!(
            "histogram has an invalid schema, which must be between {EXPONENTIAL_SCHEMA_MIN} and \
             {EXPONENTIAL_SCHEMA_MAX} for exponential buckets, or {CUSTOM_BUCKETS_SCHEMA} for custom buckets, \
             got schema {}",
            shape.schema
        ));
    }
    on("positive side", check_spans(&shape.positive_spans, positive, true))?;
    on("negative side", check_spans(&shape.negative_spans, negative, true))
}

fn check_no_bounds(shape: &Buckets) -> Result<(), HistogramError> {
    if !shape.are_custom() && !shape.custom_values.is_empty() {
        return error("histogram with exponential schema must not have custom bounds");
    }
    Ok(())
}

const NEGATIVE_BUCKET: &str = "histogram has a bucket whose observation count is negative";

fn negative_bucket<T>(position: usize, count: &str) -> Result<T, HistogramError> {
    error(format!("bucket number {} has observation count of {count}: {NEGATIVE_BUCKET}", position + 1))
}

/// All observations in buckets.
fn check_deltas(deltas: &[i64]) -> Result<u64, HistogramError> {
    let mut sum = 0_u64;
    for (position, count) in bucket_counts(deltas).enumerate() {
        match u64::try_from(count) {
            Ok(count) => sum = sum.wrapping_add(count),
            Err(_) => return negative_bucket(position, &count.to_string()),
        }
    }
    Ok(sum)
}

fn check_counts(counts: &[f64]) -> Result<(), HistogramError> {
    match counts.iter().position(|count| *count < 0.0) {
        Some(position) => negative_bucket(position, &format_float(counts[position])),
        None => Ok(()),
    }
}

impl Histogram {
    /// Checks that spans, buckets and counts agree. Where the sum is NaN there may be observations of NaN, which are in no
    /// bucket; else the count is exactly the sum of all buckets.
    pub fn validate(&self) -> Result<(), HistogramError> {
        check_shape(&self.buckets, self.zero_count != 0, self.positive.len(), self.negative.len())?;
        let negative = on("negative side", check_deltas(&self.negative))?;
        check_no_bounds(&self.buckets)?;
        let positive = on("positive side", check_deltas(&self.positive))?;
        let found = negative.wrapping_add(positive).wrapping_add(self.zero_count);
        let rule = if self.sum.is_nan() {
            (found > self.count).then_some("should be at least the number of observations found in the buckets")
        } else {
            (found != self.count)
                .then_some("should equal the number of observations found in the buckets (in absence of NaN)")
        };
        match rule {
            Some(rule) => error(format!(
                "{found} observations found in buckets, but the Count field is {}: histogram's observation count {rule}",
                self.count
            )),
            None => Ok(()),
        }
    }
}

impl FloatHistogram {
    /// Checks that spans, buckets and counts agree. The count is not compared with the buckets, because fractions don't add
    /// up exactly.
    pub fn validate(&self) -> Result<(), HistogramError> {
        check_shape(&self.buckets, self.zero_count != 0.0, self.positive.len(), self.negative.len())?;
        on("negative side", check_counts(&self.negative))?;
        if self.zero_count < 0.0 {
            let count = format_float(self.zero_count);
            return error(format!("zero bucket has observation count of {count}: {NEGATIVE_BUCKET}"));
        }
        check_no_bounds(&self.buckets)?;
        if self.count < 0.0 {
            let count = format_float(self.count);
            return error(format!("observation count is {count}: histogram's observation count is negative"));
        }
        on("positive side", check_counts(&self.positive))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential() -> Histogram {
        Histogram {
            buckets: Buckets {
                positive_spans: vec![Span { offset: -2, length: 1 }, Span { offset: 1, length: 1 }],
                negative_spans: vec![Span { offset: 3, length: 2 }],
                ..Buckets::default()
            },
            zero_count: 2,
            count: 12,
            sum: 100.0,
            positive: vec![1, 1],
            negative: vec![4, -1],
            ..Histogram::default()
        }
    }

    fn custom() -> Histogram {
        Histogram {
            buckets: Buckets {
                schema: CUSTOM_BUCKETS_SCHEMA,
                positive_spans: vec![Span { offset: 0, length: 3 }],
                custom_values: vec![1.0, 2.0],
                ..Buckets::default()
            },
            count: 6,
            positive: vec![1, 1, 1],
            ..Histogram::default()
        }
    }

    fn check<H>(mut histogram: H, change: fn(&mut H), validate: fn(&H) -> Result<(), HistogramError>, want: &str) {
        change(&mut histogram);
        let got = validate(&histogram).map_or_else(|error| error.to_string(), |()| String::new());
        assert_eq!(got, want);
    }

    #[test]
    fn integer_histograms_are_checked_as_prometheus_checks_them() {
        let exp = |change, want| check(exponential(), change, Histogram::validate, want);
        exp(|_| {}, "");
        exp(|h| (h.sum, h.count) = (f64::NAN, 20), "");
        exp(
            |h| h.count = 20,
            "12 observations found in buckets, but the Count field is 20: histogram's observation count should equal the \
             number of observations found in the buckets (in absence of NaN)",
        );
        exp(
            |h| (h.sum, h.count) = (f64::NAN, 11),
            "12 observations found in buckets, but the Count field is 11: histogram's observation count should be at least \
             the number of observations found in the buckets",
        );
        exp(
            |h| h.positive = vec![1, -2],
            "positive side: bucket number 2 has observation count of -1: histogram has a bucket whose observation count is \
             negative",
        );
        exp(
            |h| h.negative = vec![1],
            "negative side: spans need 2 buckets, have 1 buckets: histogram spans specify different number of buckets than \
             provided",
        );
        exp(
            |h| h.buckets.positive_spans[1].offset = -1,
            "positive side: span number 2 with offset -1: histogram has a span whose offset is negative",
        );
        exp(
            |h| h.buckets.schema = 9,
            "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom \
             buckets, got schema 9",
        );
        exp(|h| h.buckets.custom_values = vec![1.0], "histogram with exponential schema must not have custom bounds");
    }

    #[test]
    fn custom_buckets_are_checked_as_prometheus_checks_them() {
        let custom = |change, want| check(custom(), change, Histogram::validate, want);
        custom(|_| {}, "");
        custom(|h| h.zero_count = 1, "custom buckets: must have zero count of 0");
        custom(|h| h.buckets.zero_threshold = 1.0, "custom buckets: must have zero threshold of 0");
        custom(
            |h| h.buckets.negative_spans = vec![Span { offset: 0, length: 1 }],
            "custom buckets: must not have negative spans",
        );
        custom(|h| h.negative = vec![1], "custom buckets: must not have negative buckets");
        custom(
            |h| h.buckets.custom_values = vec![1.0, 1.0],
            "custom buckets: previous bound is 1.000000 and current is 1.000000: histogram custom bounds must be in strictly \
             increasing order",
        );
        custom(
            |h| h.buckets.custom_values = vec![1.0, f64::INFINITY],
            "custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds must be finite",
        );
        custom(
            |h| h.buckets.custom_values = vec![f64::NAN, 1.0],
            "custom buckets: histogram custom bounds must not be NaN",
        );
        custom(
            |h| h.buckets.custom_values = vec![1.0],
            "custom buckets: only 1 custom bounds defined which is insufficient to cover total span length of 3: histogram \
             custom bounds are too few",
        );
        custom(
            |h| h.buckets.positive_spans[0].offset = -1,
            "custom buckets: span number 1 with offset -1: histogram has a span whose offset is negative",
        );
    }

    #[test]
    fn float_histograms_are_checked_as_prometheus_checks_them() {
        let float = |change, want| check(exponential().to_float(), change, FloatHistogram::validate, want);
        float(|_| {}, "");
        float(|h| h.count = 3.5, "");
        float(|h| h.count = -1.5, "observation count is -1.5: histogram's observation count is negative");
        float(
            |h| h.zero_count = -1.0,
            "zero bucket has observation count of -1: histogram has a bucket whose observation count is negative",
        );
        float(
            |h| h.negative[1] = -0.25,
            "negative side: bucket number 2 has observation count of -0.25: histogram has a bucket whose observation count is \
             negative",
        );
        check(
            custom().to_float(),
            |h| h.zero_count = 0.5,
            FloatHistogram::validate,
            "custom buckets: must have zero count of 0",
        );
    }
}
