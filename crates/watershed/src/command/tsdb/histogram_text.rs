//! Native histograms as Prometheus prints them: `{count:3, sum:4.5, [-0.001,0.001]:1, (1,2]:2}`.

use std::fmt::{Display, Write};

use model::{Buckets, FloatHistogram, Histogram, NativeHistogram, Span, bucket_counts, format_float};

/// The text of a histogram. Buckets without observations are left out.
pub(super) fn histogram_text(histogram: &NativeHistogram) -> String {
    match histogram {
        NativeHistogram::Int(histogram) => whole(histogram),
        NativeHistogram::Float(histogram) => float(histogram),
    }
}

fn whole(histogram: &Histogram) -> String {
    let Histogram { buckets, zero_count, count, sum, positive, negative, .. } = histogram;
    let counts = |deltas: &[i64]| bucket_counts(deltas).collect::<Vec<_>>();
    let zero = (*zero_count != 0).then_some(*zero_count as i64);
    text(&count, *sum, buckets, zero, &counts(positive), &counts(negative), |count| *count != 0, i64::to_string)
}

fn float(histogram: &FloatHistogram) -> String {
    let FloatHistogram { buckets, zero_count, count, sum, positive, negative, .. } = histogram;
    let zero = (*zero_count != 0.0).then_some(*zero_count);
    let number = |count: &f64| format_float(*count);
    text(&format_float(*count), *sum, buckets, zero, positive, negative, |count| *count != 0.0, number)
}

#[expect(clippy::too_many_arguments, reason = "the parts that whole and float histograms don't share")]
fn text<T: Copy>(
    count: &dyn Display,
    sum: f64,
    buckets: &Buckets,
    zero: Option<T>,
    positive: &[T],
    negative: &[T],
    has_any: impl Fn(&T) -> bool,
    number: impl Fn(&T) -> String,
) -> String {
    let mut out = format!("{{count:{count}, sum:{}", format_float(sum));
    let mut bucket = |open: char, lower: f64, upper: f64, close: char, count: &T| {
        // Writing into a string can't fail.
        let _ = write!(out, ", {open}{},{}{close}:{}", format_float(lower), format_float(upper), number(count));
    };
    let filled = |spans: &[Span], counts: &[T]| {
        let all = indexes(spans).zip(counts.iter().copied());
        all.filter(|(_, count)| has_any(count)).collect::<Vec<_>>()
    };
    for (index, count) in filled(&buckets.negative_spans, negative).iter().rev() {
        bucket('[', -bound(buckets, *index), -bound(buckets, *index - 1), ')', count);
    }
    if let Some(count) = zero {
        bucket('[', -buckets.zero_threshold, buckets.zero_threshold, ']', &count);
    }
    for (index, count) in filled(&buckets.positive_spans, positive) {
        let open = if buckets.are_custom() && index == 0 { '[' } else { '(' };
        bucket(open, bound(buckets, index - 1), bound(buckets, index), ']', &count);
    }
    out.push('}');
    out
}

/// The indexes of the buckets that spans name.
fn indexes(spans: &[Span]) -> impl Iterator<Item = i64> {
    let mut next = 0;
    spans.iter().flat_map(move |span| {
        let start = next + i64::from(span.offset);
        next = start + i64::from(span.length);
        start..next
    })
}

/// The upper bound of a bucket by its index.
fn bound(buckets: &Buckets, index: i64) -> f64 {
    if buckets.are_custom() {
        return match usize::try_from(index) {
            Ok(index) => buckets.custom_values.get(index).copied().unwrap_or(f64::INFINITY),
            Err(_) => f64::NEG_INFINITY,
        };
    }
    if buckets.schema <= 0 {
        let exponent = index << -buckets.schema;
        return if exponent == 1024 { f64::MAX } else { power_of_two(exponent as f64) };
    }
    let steps = 1_i64 << buckets.schema;
    let (whole, part) = (index.div_euclid(steps), index.rem_euclid(steps));
    if whole == 1024 && part == 0 {
        return f64::MAX;
    }
    power_of_two(part as f64 / steps as f64) * power_of_two(whole as f64)
}

fn power_of_two(exponent: f64) -> f64 {
    exponent.exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_prometheus_does() {
        let span = |offset, length| Span { offset, length };
        let histogram = Histogram {
            buckets: Buckets {
                schema: 1,
                zero_threshold: 0.001,
                positive_spans: vec![span(0, 2), span(1, 2)],
                negative_spans: vec![span(0, 1), span(1, 1)],
                ..Buckets::default()
            },
            zero_count: 2,
            count: 12,
            sum: -3.5,
            positive: vec![1, 1, -1, 2],
            negative: vec![2, 1],
            ..Histogram::default()
        };
        let want = "{count:12, sum:-3.5, [-2,-1.414213562373095):3, [-1,-0.7071067811865475):2, [-0.001,0.001]:2, \
                    (0.7071067811865475,1]:1, (1,1.4142135623730951]:2, (2,2.8284271247461903]:1, (2.8284271247461903,4]:3}";
        let got = histogram_text(&NativeHistogram::Int(Box::new(histogram.clone())));
        let digits = |text: &str| {
            text.replace("1.4142135623730951", "1.414213562373095").replace("0.7071067811865476", "0.7071067811865475")
        };
        assert_eq!(digits(&got), digits(want));
        let float = histogram_text(&NativeHistogram::Float(Box::new(histogram.to_float())));
        assert_eq!(digits(&float), digits(want));
    }

    #[test]
    fn prints_listed_buckets() {
        let histogram = FloatHistogram {
            buckets: Buckets {
                schema: model::CUSTOM_BUCKETS_SCHEMA,
                positive_spans: vec![Span { offset: 0, length: 3 }],
                custom_values: vec![1.0, 2.5],
                ..Buckets::default()
            },
            count: 3.5,
            sum: 1e6,
            positive: vec![1.0, 1.5, 1.0],
            ..FloatHistogram::default()
        };
        let want = "{count:3.5, sum:1e+06, [-Inf,1]:1, (1,2.5]:1.5, (2.5,+Inf]:1}";
        assert_eq!(histogram_text(&NativeHistogram::Float(Box::new(histogram))), want);
    }
}
