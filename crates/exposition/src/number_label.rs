//! Labels whose values are numbers: the bounds of buckets and the quantiles of summaries. Whatever a target writes, `1`, `1.0` or `1e0`,
//! Prometheus 3 stores it in one way, so that the series stays the same one when the target changes its format or its library.

use model::{BUCKET_LABEL, LabelsScratch, MetricType};

use crate::lines::Dialect;

/// The label of a summary's quantile.
pub const QUANTILE_LABEL: &str = "quantile";

/// The label of a family's series whose value is a number.
pub fn number_label(kind: MetricType) -> Option<&'static str> {
    match kind {
        MetricType::Histogram => Some(BUCKET_LABEL),
        MetricType::Summary => Some(QUANTILE_LABEL),
        _ => None,
    }
}

/// Writes the value of that label as it is stored; what is no number stays.
pub fn normalize_number_label(kind: MetricType, labels: &mut LabelsScratch) {
    let Some(label) = number_label(kind) else { return };
    let normal = |(name, value): (&str, &str)| if name == label { normal_number(value) } else { None };
    let Some(number) = labels.pairs().find_map(normal) else { return };
    let mut out = LabelsScratch::default();
    for (name, value) in labels.pairs() {
        out.push(name, if name == label { &number } else { value });
    }
    *labels = out;
}

fn normal_number(value: &str) -> Option<String> {
    // The zero takes the sign of another one away.
    model::parse_float(value).map(|number| Dialect::OpenMetrics.number(number + 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_text() {
        let check = |kind: MetricType, label: &str, value: &str, want: &str| {
            let mut labels = LabelsScratch::default();
            labels.push("a", value);
            labels.push(label, value);
            normalize_number_label(kind, &mut labels);
            assert_eq!(labels.pairs().collect::<Vec<_>>(), [("a", value), (label, want)], "{kind:?}");
        };
        check(MetricType::Histogram, "le", "1", "1.0");
        check(MetricType::Histogram, "le", "1e0", "1.0");
        check(MetricType::Histogram, "le", "-0", "0.0");
        check(MetricType::Histogram, "le", "+Inf", "+Inf");
        check(MetricType::Histogram, "le", "x", "x");
        check(MetricType::Histogram, "quantile", "1", "1");
        check(MetricType::Summary, "quantile", "0.50", "0.5");
        check(MetricType::Summary, "le", "1", "1");
        check(MetricType::Gauge, "le", "1", "1");
        check(MetricType::GaugeHistogram, "le", "1", "1");
    }
}
