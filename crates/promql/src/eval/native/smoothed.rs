//! Instant selectors that are `smoothed`, where there are histograms.

use model::CounterReset;
use storage::Samples;

use crate::eval::column::{Column, Native, Point};
use crate::eval::native::extended::interpolate;
use crate::eval::native::rate::{are_mixed, is_gauge};
use crate::eval::native::remarks::Remarks;
use crate::eval::steps::Steps;

/// Puts for every time in `looks` the value between the histograms around it into `out`, where those of floats are; where there is
/// none behind it, the last one. Samples count that lie within the lookback on either side.
pub(crate) fn fill(
    samples: &Samples,
    looks: Steps,
    lookback_ms: i64,
    metric: &str,
    remarks: Remarks<'_>,
    out: &mut Column,
) {
    for at in 0..looks.count {
        let look = looks.time(at);
        let (from, to) = (look.saturating_sub(lookback_ms), look.saturating_add(lookback_ms));
        let first = samples.histograms.partition_point(|sample| sample.time <= from);
        let natives = &samples.histograms[first..];
        let natives = &natives[..natives.partition_point(|sample| sample.time <= to)];
        if natives.is_empty() {
            continue;
        }
        let float = samples.times.partition_point(|time| *time <= from);
        if samples.times.get(float).is_some_and(|time| *time <= to) {
            remarks.mixed_range(metric);
            out.put(at, None);
            continue;
        }
        let next = natives.partition_point(|sample| sample.time < look);
        let histogram = match (next.checked_sub(1).map(|before| &natives[before]), natives.get(next)) {
            (_, Some(sample)) if sample.time == look => Some(sample.histogram.clone()),
            (Some(_), Some(_)) if are_mixed(&natives[next - 1..=next], metric, remarks) => None,
            (Some(before), Some(after)) => {
                let is_counter = !(is_gauge(before) && is_gauge(after));
                let between = interpolate(before, after, look, is_counter, remarks);
                between.inspect_err(|_| remarks.mixed_bounds(metric)).ok()
            }
            (Some(before), None) => {
                // What is known of a reset is about the sample, not about the time looked at.
                let mut histogram = before.histogram.clone();
                histogram.counter_reset = CounterReset::Unknown;
                Some(histogram)
            }
            (None, _) => None,
        };
        out.put(at, histogram.map(|histogram| Point::Native(Native::new(histogram))));
    }
}
