//! Classic histograms as native ones with listed bounds: what `load_with_nhcb` adds.

use std::collections::BTreeMap;

use model::{BUCKET_LABEL, Buckets, CUSTOM_BUCKETS_SCHEMA, FloatHistogram, Labels, LabelsBuilder, METRIC_NAME, Span};

use crate::testlang::notation::SequenceValue;

/// A series of native histograms, each with its place in the sequence.
pub type NativeSeries = (Labels, Vec<(usize, FloatHistogram)>);

/// A classic histogram at one time.
#[derive(Debug, Clone, Default)]
struct Classic {
    /// Bounds and how many observations were at most as large; of the same bound the first counts.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

/// The native histograms of all classic ones among `series`, each with its place in the sequence.
///
/// # Errors
/// The first one with buckets whose counts fall, or whose last one is not the count.
pub(crate) fn natives(series: &[(Labels, Vec<SequenceValue>)]) -> Result<Vec<NativeSeries>, String> {
    let mut classics: BTreeMap<Labels, BTreeMap<usize, Classic>> = BTreeMap::new();
    for (labels, values) in series {
        let name = labels.metric_name();
        let bound = labels.get(BUCKET_LABEL).and_then(model::parse_float).filter(|bound| !bound.is_nan());
        let part = |suffix: &str| name.strip_suffix(suffix);
        let (base, part) = match (part("_bucket"), bound, part("_count"), part("_sum")) {
            (Some(base), Some(bound), ..) => (base, Part::Bucket(bound)),
            (_, _, Some(base), _) => (base, Part::Count),
            (_, _, _, Some(base)) => (base, Part::Sum),
            _ => continue,
        };
        let mut builder = LabelsBuilder::new(labels);
        builder.set(METRIC_NAME, base).del(BUCKET_LABEL);
        let by_place = classics.entry(builder.build()).or_default();
        for (at, value) in values.iter().enumerate() {
            if let SequenceValue::Float(value) = value {
                by_place.entry(at).or_default().set(part, *value);
            }
        }
    }
    let native = |(labels, by_place): (Labels, BTreeMap<usize, Classic>)| {
        let place = |(at, classic): (usize, Classic)| match classic.native() {
            Ok(histogram) => Ok((at, histogram)),
            Err(wrong) => Err(format!("value {} of the histogram {labels}: {wrong}", at + 1)),
        };
        let histograms = by_place.into_iter().map(place).collect::<Result<_, _>>()?;
        Ok((labels, histograms))
    };
    classics.into_iter().map(native).collect()
}

/// What a series tells of a classic histogram.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// How many observations were at most as large.
    Bucket(f64),
    Count,
    Sum,
}

impl Classic {
    fn set(&mut self, part: Part, value: f64) {
        match part {
            Part::Bucket(bound) => self.set_bucket(bound, value),
            Part::Count => self.count = Some(value),
            Part::Sum => self.sum = value,
        }
    }

    fn set_bucket(&mut self, bound: f64, count: f64) {
        let at = self.buckets.partition_point(|(known, _)| *known < bound);
        if self.buckets.get(at).is_none_or(|(known, _)| *known != bound) {
            self.buckets.insert(at, (bound, count));
        }
    }

    fn native(mut self) -> Result<FloatHistogram, String> {
        let last = self.buckets.last().copied();
        let count = self.count.or(last.map(|(_, count)| count)).unwrap_or(0.0);
        if last.is_none_or(|(bound, _)| bound != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        }
        let mut before = 0.0;
        let counts: Vec<f64> =
            self.buckets.iter().map(|(_, count)| count - std::mem::replace(&mut before, *count)).collect();
        if before != count {
            return Err(format!("its largest bucket has {before} observations, but its count is {count}"));
        }
        let custom_values = self.buckets.iter().map(|(bound, _)| *bound).filter(|bound| bound.is_finite()).collect();
        let length = u32::try_from(counts.len()).map_err(|error| error.to_string())?;
        let buckets = Buckets {
            schema: CUSTOM_BUCKETS_SCHEMA,
            positive_spans: vec![Span { offset: 0, length }],
            custom_values,
            ..Buckets::default()
        };
        let histogram = FloatHistogram { buckets, count, sum: self.sum, positive: counts, ..FloatHistogram::default() };
        let histogram = histogram.compacted();
        histogram.validate().map_err(|error| error.to_string())?;
        Ok(histogram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testlang::literal::written;
    use crate::testlang::notation::parse_series;

    #[test]
    fn buckets_become_one_histogram() {
        let check = |lines: &[&str], want: &[&str]| {
            let series: Vec<_> = lines.iter().map(|line| parse_series(line).expect("valid")).collect();
            let made = natives(&series).unwrap_or_else(|wrong| panic!("{lines:?}: {wrong}"));
            let all = made.iter().flat_map(|(labels, histograms)| histograms.iter().map(move |of| (labels, of)));
            let got: Vec<String> =
                all.map(|(labels, (at, native))| format!("{labels}@{at} {}", written(native))).collect();
            assert_eq!(got, want);
        };
        let refused = |lines: &[&str], want: &str| {
            let series: Vec<_> = lines.iter().map(|line| parse_series(line).expect("valid")).collect();
            assert_eq!(natives(&series).expect_err("inconsistent"), want);
        };
        check(
            &["a_bucket{le=\"1\"} 2 _", "a_bucket{le=\"+Inf\"} 5 _", "a_count 5 1", "a_sum 9 _", "b 1"],
            &[
                "a@0 {{schema:-53 count:5 sum:9 custom_values:[1] buckets:[2 3]}}",
                "a@1 {{schema:-53 count:1 custom_values:[] buckets:[1]}}",
            ],
        );
        refused(
            &["a_bucket{le=\"1\"} _ 5", "a_bucket{le=\"2\"} _ 4"],
            "value 2 of the histogram a: positive side: bucket number 2 has observation count of -1: histogram has a bucket whose observation count is negative",
        );
        refused(
            &["a_bucket{le=\"1\"} 5", "a_bucket{le=\"+Inf\"} 5", "a_count 4"],
            "value 1 of the histogram a: its largest bucket has 5 observations, but its count is 4",
        );
        check(&["a_bucket{le=\"1\"} 1", "a_count 4"], &["a@0 {{schema:-53 count:4 custom_values:[1] buckets:[1 3]}}"]);
    }
}
