//! Prometheus's `rate` over samples, written down once more: what is compared must not come from what is tested.

use model::is_stale;
use storage::Samples;

/// A rate, and how far it is extrapolated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    /// Per second.
    pub(crate) per_second: f64,
    /// How many times the time between the first and the last sample the increase was taken to be for.
    pub(crate) stretch: f64,
}

/// The rate over the window `(end - length, end]`; `None` with fewer than two samples.
pub(crate) fn rate(samples: &Samples, end: i64, length: i64) -> Option<Rate> {
    let window: Vec<(i64, f64)> =
        live(samples).into_iter().filter(|(time, _)| end - length < *time && *time <= end).collect();
    let ([(first_time, first), ..], [.., (last_time, last)]) = (&window[..], &window[..]) else { return None };
    if window.len() < 2 {
        return None;
    }
    let resets: f64 = window.windows(2).filter(|pair| pair[1].1 < pair[0].1).map(|pair| pair[0].1).sum();
    let increase = last - first + resets;
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let sampled = seconds(last_time - first_time);
    let average = sampled / (window.len() - 1) as f64;
    let reach = average * 1.1;
    let mut to_start = seconds(first_time - (end - length));
    if increase > 0.0 && *first >= 0.0 {
        to_start = to_start.min(sampled * (first / increase));
    }
    let to_end = seconds(end - last_time);
    let part = |distance: f64| if distance >= reach { average / 2.0 } else { distance };
    let stretch = (sampled + part(to_start) + part(to_end)) / sampled;
    Some(Rate { per_second: increase * stretch / seconds(length), stretch })
}

/// Samples that are no stale markers.
pub(crate) fn live(samples: &Samples) -> Vec<(i64, f64)> {
    std::iter::zip(samples.times.iter().copied(), samples.values.iter().copied())
        .filter(|(_, value)| !is_stale(*value))
        .collect()
}
