//! Classic histograms as native ones with listed bounds: what `load_with_nhcb` adds.

use std::collections::BTreeMap;

use model::{BUCKET_LABEL, ClassicHistogram, ClassicPart, FloatHistogram, Labels, LabelsBuilder, METRIC_NAME};

use crate::testlang::notation::SequenceValue;

/// A series of native histograms, each with its place in the sequence.
pub type NativeSeries = (Labels, Vec<(usize, FloatHistogram)>);

/// The native histograms of all classic ones among `series`, each with its place in the sequence.
///
/// # Errors
/// The first one with buckets whose counts fall, or whose last one is not the count.
pub(crate) fn natives(series: &[(Labels, Vec<SequenceValue>)]) -> Result<Vec<NativeSeries>, String> {
    let mut classics: BTreeMap<Labels, BTreeMap<usize, ClassicHistogram>> = BTreeMap::new();
    for (labels, values) in series {
        let name = labels.metric_name();
        let bound = labels.get(BUCKET_LABEL).and_then(model::parse_float).filter(|bound| !bound.is_nan());
        let part = |suffix: &str| name.strip_suffix(suffix);
        let (base, part) = match (part("_bucket"), bound, part("_count"), part("_sum")) {
            (Some(base), Some(bound), ..) => (base, ClassicPart::Bucket(bound)),
            (_, _, Some(base), _) => (base, ClassicPart::Count),
            (_, _, _, Some(base)) => (base, ClassicPart::Sum),
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
    let native = |(labels, by_place): (Labels, BTreeMap<usize, ClassicHistogram>)| {
        let place = |(at, classic): (usize, ClassicHistogram)| match classic.native() {
            Ok(histogram) => Ok((at, histogram.to_float())),
            Err(wrong) => Err(format!("value {} of the histogram {labels}: {wrong}", at + 1)),
        };
        let histograms = by_place.into_iter().map(place).collect::<Result<_, _>>()?;
        Ok((labels, histograms))
    };
    classics.into_iter().map(native).collect()
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
