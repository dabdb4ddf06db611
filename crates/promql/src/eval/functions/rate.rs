//! `rate` and its kin.

use crate::eval::column::Column;
use crate::eval::failure::QueryFailure;
use crate::eval::window::{RangeInput, Window};

type Done = Result<(), QueryFailure>;

/// Per-second increase of a counter.
pub(crate) fn rate(input: &RangeInput<'_>, out: &mut Column) -> Done {
    counter(input, out, input.range_ms as f64 / 1000.0)
}

/// Increase of a counter.
pub(crate) fn increase(input: &RangeInput<'_>, out: &mut Column) -> Done {
    counter(input, out, 1.0)
}

/// Difference of a gauge, extrapolated to the whole range.
pub(crate) fn delta(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| {
        let (first, last) = ends(window)?;
        Some((last - first) * extrapolation(window, None))
    });
    Ok(())
}

fn counter(input: &RangeInput<'_>, out: &mut Column, per: f64) -> Done {
    let mut used = false;
    // Where the value fell, as indices into all samples: most windows hold none and need no walk.
    let values = &input.samples.values;
    let resets: Vec<usize> = (1..values.len()).filter(|at| values[*at] < values[*at - 1]).collect();
    let mut next_reset = 0;
    input.fill(out, |window| {
        let (first, last) = ends(window)?;
        used = true;
        let mut rise = last - first;
        while resets.get(next_reset).is_some_and(|at| *at <= window.offset) {
            next_reset += 1;
        }
        let behind = window.offset + window.values.len();
        for reset in resets[next_reset..].iter().take_while(|at| **at < behind) {
            rise += values[reset - 1];
        }
        let factor = extrapolation(window, Some((first, rise)));
        // The division comes before the multiplication, as in Prometheus: the last bit depends on it.
        Some(rise * (factor / per))
    });
    if used {
        note_unlikely_counter(input);
    }
    Ok(())
}

/// A metric whose name has no counter's ending is probably none.
fn note_unlikely_counter(input: &RangeInput<'_>) {
    let name = input.labels.metric_name();
    if !name.is_empty() && !["_total", "_sum", "_count", "_bucket"].iter().any(|ending| name.ends_with(ending)) {
        let why = "metric might not be a counter, name does not end in _total/_sum/_count/_bucket:";
        input.notes.info(&format!("{why} {}", model::quote(name)), input.span);
    }
}

/// The first and the last value, if there are two samples.
fn ends(window: &Window<'_>) -> Option<(f64, f64)> {
    match window.values {
        [first, .., last] => Some((*first, *last)),
        _ => None,
    }
}

/// By how much the rise between the samples is to be multiplied to stand for the whole range. Where samples come close to
/// an end of the range the rise is extended to that end, otherwise by half of the samples' mean distance. A counter
/// (`first value`, `rise`) is not extended to below zero.
fn extrapolation(window: &Window<'_>, counter: Option<(f64, f64)>) -> f64 {
    let (times, last) = (window.times, window.times.len() - 1);
    let mut to_start = (times[0] - window.start) as f64 / 1000.0;
    let mut to_end = (window.end - times[last]) as f64 / 1000.0;
    let sampled = (times[last] - times[0]) as f64 / 1000.0;
    let mean_distance = sampled / last as f64;
    let threshold = mean_distance * 1.1;
    if to_start >= threshold {
        to_start = mean_distance / 2.0;
    }
    if let Some((first, rise)) = counter
        && rise > 0.0
        && first >= 0.0
    {
        to_start = to_start.min(sampled * (first / rise));
    }
    if to_end >= threshold {
        to_end = mean_distance / 2.0;
    }
    if sampled == 0.0 { 1.0 } else { (sampled + to_start + to_end) / sampled }
}

/// Per-second increase between the last two samples of a counter.
pub(crate) fn irate(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| {
        let (before, last, seconds) = last_two(window)?;
        Some(if last < before { last } else { last - before } / seconds)
    });
    Ok(())
}

/// Difference of the last two samples of a gauge.
pub(crate) fn idelta(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| last_two(window).map(|(before, last, _)| last - before));
    Ok(())
}

/// The last two values and the seconds between them.
fn last_two(window: &Window<'_>) -> Option<(f64, f64, f64)> {
    match (window.values, window.times) {
        ([.., before, last], [.., earlier, later]) => Some((*before, *last, (later - earlier) as f64 / 1000.0)),
        _ => None,
    }
}
