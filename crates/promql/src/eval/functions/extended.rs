//! Selectors whose ranges are `anchored` or `smoothed`: samples beyond their ends tell the values at the ends, and nothing is extrapolated.

use storage::Samples;

use crate::eval::column::Column;
use crate::eval::failure::QueryFailure;
use crate::eval::functions::over_time;
use crate::eval::functions::range::RangeFunction;
use crate::eval::starts::Starts;
use crate::eval::steps::Steps;
use crate::eval::window::{RangeInput, Window};
use crate::syntax::Boundary;

type Done = Result<(), QueryFailure>;

/// The functions that know what to do with a wider range.
const TABLE: &[(&str, Boundary, RangeFunction)] = &[
    ("changes", Boundary::Anchored, |input, out| anchored(input, out, |values, _, _| over_time::count_changes(values))),
    ("delta", Boundary::Anchored, |input, out| rise(input, out, false, false, 1.0)),
    ("increase", Boundary::Anchored, |input, out| rise(input, out, false, true, 1.0)),
    ("rate", Boundary::Anchored, |input, out| rise(input, out, false, true, input.range_ms as f64 / 1000.0)),
    ("resets", Boundary::Anchored, |input, out| anchored(input, out, over_time::count_resets)),
    ("delta", Boundary::Smoothed, |input, out| rise(input, out, true, false, 1.0)),
    ("increase", Boundary::Smoothed, |input, out| rise(input, out, true, true, 1.0)),
    ("rate", Boundary::Smoothed, |input, out| rise(input, out, true, true, input.range_ms as f64 / 1000.0)),
];

/// The function of this name for such a selector.
pub(crate) fn find(name: &str, boundary: Boundary) -> Result<RangeFunction, QueryFailure> {
    let of_boundary = || TABLE.iter().filter(|(_, known, _)| *known == boundary);
    if let Some((.., function)) = of_boundary().find(|(known, ..)| *known == name) {
        return Ok(*function);
    }
    let names: Vec<&str> = of_boundary().map(|(name, ..)| *name).collect();
    let (word, names) = (boundary.as_str(), names.join(", "));
    Err(QueryFailure::Execution(format!("{word} modifier can only be used with: {names} - not with {name}")))
}

/// Asks `compute` about every step, with the samples of the range and those of the lookback before it, and if it is smoothed
/// those of as long a time behind it; with them the range's own start and end.
fn fill(
    input: &RangeInput<'_>,
    out: &mut Column,
    smoothed: bool,
    compute: impl Fn(&Window<'_>, i64, i64) -> Option<f64>,
) -> Done {
    let (before, behind) = (input.lookback_ms, if smoothed { input.lookback_ms } else { 0 });
    let ends = Steps { first: input.ends.first.saturating_add(behind), ..input.ends };
    let range_ms = input.range_ms.saturating_add(before).saturating_add(behind);
    let wide = RangeInput { ends, range_ms, ..*input };
    wide.fill(out, |window| compute(window, window.start.saturating_add(before), window.end.saturating_sub(behind)))
}

/// `compute` of the newest value before the range and those in the range.
fn anchored(input: &RangeInput<'_>, out: &mut Column, compute: fn(&[f64], Starts<'_>, usize) -> f64) -> Done {
    let starts = input.starts();
    fill(input, out, false, |window, start, _| {
        let inside = window.times.partition_point(|time| *time <= start);
        let first = inside.saturating_sub(1);
        (inside < window.times.len()).then(|| compute(&window.values[first..], starts, window.offset + first))
    })
}

fn rise(input: &RangeInput<'_>, out: &mut Column, smoothed: bool, is_counter: bool, per: f64) -> Done {
    fill(input, out, smoothed, |window, start, end| {
        let ends = Ends::find(window.times, window.values, (start, end), smoothed, is_counter)?;
        let mut rise = ends.right - ends.left;
        if is_counter {
            let mut before = ends.left;
            for value in window.values[ends.inside()].iter().chain([&ends.right]) {
                if *value < before {
                    rise += before;
                }
                before = *value;
            }
        }
        Some(rise / per)
    })
}

/// The samples that tell the values at the ends of a range, and these values.
struct Ends {
    left: f64,
    right: f64,
    /// The first sample that lies behind the start, and the first one behind it that doesn't lie before the end.
    inside: (usize, usize),
}

impl Ends {
    /// `None` where no sample lies behind the start.
    fn find(times: &[i64], values: &[f64], (start, end): (i64, i64), smoothed: bool, is_counter: bool) -> Option<Self> {
        let newest = times.len().checked_sub(1)?;
        let first = times[..newest].partition_point(|time| *time <= start).saturating_sub(1);
        let last = if smoothed { times[..newest].partition_point(|time| *time < end) } else { newest };
        if times[last] <= start || smoothed && times[first] > end {
            return None;
        }
        let between = |at: usize, time: i64| interpolate(&times[at..=at + 1], &values[at..=at + 1], time, is_counter);
        let left = if smoothed && times[first] < start { between(first, start) } else { values[first] };
        let right = if smoothed && last > 0 && times[last] > end { between(last - 1, end) } else { values[last] };
        let inside = (first + usize::from(times[first] <= start), last + usize::from(times[last] < end));
        Some(Ends { left, right, inside })
    }

    fn inside(&self) -> std::ops::Range<usize> {
        self.inside.0..self.inside.1.max(self.inside.0)
    }
}

/// The value at a time between two samples. A counter that fell began at zero.
fn interpolate(times: &[i64], values: &[f64], time: i64, is_counter: bool) -> f64 {
    let from = if is_counter && values[1] < values[0] { 0.0 } else { values[0] };
    from + (values[1] - from) * (time - times[0]) as f64 / (times[1] - times[0]) as f64
}

/// The samples of a range with values at its ends.
pub(crate) fn samples(samples: &Samples, (start, end): (i64, i64), smoothed: bool, lookback_ms: i64) -> Samples {
    let behind = if smoothed { end.saturating_add(lookback_ms) } else { end };
    let from = samples.times.partition_point(|time| *time <= start.saturating_sub(lookback_ms));
    let to = samples.times.partition_point(|time| *time <= behind);
    let (times, values) = (&samples.times[from..to.max(from)], &samples.values[from..to.max(from)]);
    let Some(ends) = Ends::find(times, values, (start, end), smoothed, false) else { return Samples::default() };
    let inside = ends.inside();
    let mut out = Samples::of_floats(vec![start], vec![ends.left]);
    times[inside.clone()].iter().zip(&values[inside]).for_each(|(time, value)| out.push(*time, *value));
    out.push(end, ends.right);
    out
}

/// Puts for every time in `looks` the value between the samples around it into `out`, which is made empty first; where there is none
/// behind it, the last one. Samples count that lie within the lookback on either side.
pub(crate) fn fill_smoothed(samples: &Samples, looks: Steps, lookback_ms: i64, out: &mut Column) {
    out.reset(looks.count);
    let (times, values) = (&samples.times[..], &samples.values[..]);
    let mut next = 0; // the first sample that doesn't lie before the time looked at
    for at in 0..looks.count {
        let look = looks.time(at);
        while times.get(next).is_some_and(|time| *time < look) {
            next += 1;
        }
        let behind = times.get(next).filter(|time| **time <= look.saturating_add(lookback_ms));
        let before = next.checked_sub(1).filter(|before| times[*before] > look.saturating_sub(lookback_ms));
        match (before, behind) {
            (_, Some(time)) if *time == look => out.set(at, values[next]),
            (Some(before), Some(_)) => {
                out.set(at, interpolate(&times[before..=next], &values[before..=next], look, false));
            }
            (Some(before), None) => out.set(at, values[before]),
            (None, _) => {}
        }
    }
}
