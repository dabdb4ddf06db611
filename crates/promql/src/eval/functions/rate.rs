//! `rate` and its kin.

use crate::eval::column::Column;
use crate::eval::failure::QueryFailure;
use crate::eval::functions::extrapolation::Extrapolation;
use crate::eval::functions::started;
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
    let mut extrapolation = Extrapolation::new(1.0);
    input.fill(out, |window| {
        let (first, last) = ends(window)?;
        extrapolation.look_at(window);
        Some((last - first) * extrapolation.factor())
    })
}

fn counter(input: &RangeInput<'_>, out: &mut Column, per: f64) -> Done {
    let starts = input.starts();
    if !starts.is_empty() {
        return started::counter(input, starts, per, out);
    }
    // Where the value fell, as indices into all samples: most windows hold none and need no walk.
    let values = &input.samples.values;
    let resets: Vec<usize> = (1..values.len()).filter(|at| values[*at] < values[*at - 1]).collect();
    let mut next_reset = 0;
    let mut extrapolation = Extrapolation::new(per);
    input.fill(out, |window| {
        let (first, last) = ends(window)?;
        let mut rise = last - first;
        while resets.get(next_reset).is_some_and(|at| *at <= window.offset) {
            next_reset += 1;
        }
        let behind = window.offset + window.values.len();
        for reset in resets[next_reset..].iter().take_while(|at| **at < behind) {
            rise += values[reset - 1];
        }
        extrapolation.look_at(window);
        Some(rise * extrapolation.counter_factor(first, rise))
    })
}

/// What to say about a metric that is probably no counter, as its name has no counter's ending.
pub(crate) fn doubt_counter(name: &str) -> Option<String> {
    let endings = ["_total", "_sum", "_count", "_bucket"];
    if name.is_empty() || endings.iter().any(|ending| name.ends_with(ending)) {
        return None;
    }
    let why = "metric might not be a counter, name does not end in _total/_sum/_count/_bucket:";
    Some(format!("{why} {}", model::quote(name)))
}

/// The first and the last value, if there are two samples.
fn ends(window: &Window<'_>) -> Option<(f64, f64)> {
    match window.values {
        [first, .., last] => Some((*first, *last)),
        _ => None,
    }
}

/// Per-second increase between the last two samples of a counter.
pub(crate) fn irate(input: &RangeInput<'_>, out: &mut Column) -> Done {
    let starts = input.starts();
    input.fill(out, |window| {
        let (before, last, seconds) = last_two(window)?;
        let is_reset = last < before || starts.is_reset(window.offset + window.values.len() - 1);
        Some(if is_reset { last } else { last - before } / seconds)
    })
}

/// Difference of the last two samples of a gauge.
pub(crate) fn idelta(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| last_two(window).map(|(before, last, _)| last - before))
}

/// The last two values and the seconds between them.
fn last_two(window: &Window<'_>) -> Option<(f64, f64, f64)> {
    match (window.values, window.times) {
        ([.., before, last], [.., earlier, later]) => Some((*before, *last, (later - earlier) as f64 / 1000.0)),
        _ => None,
    }
}
