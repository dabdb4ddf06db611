//! `*_over_time`, `changes`, `resets`.

use model::Kahan;

use crate::eval::column::Column;
use crate::eval::failure::QueryFailure;
use crate::eval::mean::Mean;
use crate::eval::quantile;
use crate::eval::starts::Starts;
use crate::eval::window::{RangeInput, Window};

type Done = Result<(), QueryFailure>;

pub(crate) fn avg(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| {
        let mut mean = Mean::default();
        window.values.iter().for_each(|value| mean.add(*value));
        Some(mean.value())
    })
}

pub(crate) fn sum(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| {
        let mut sum = Kahan::default();
        window.values.iter().for_each(|value| sum.add(*value));
        Some(if sum.sum.is_infinite() { sum.sum } else { sum.total() })
    })
}

pub(crate) fn count(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| Some(window.values.len() as f64))
}

pub(crate) fn present(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |_| Some(1.0))
}

pub(crate) fn first(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| window.values.first().copied())
}

pub(crate) fn last(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| window.values.last().copied())
}

pub(crate) fn ts_of_first(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| window.times.first().map(|time| *time as f64 / 1000.0))
}

pub(crate) fn ts_of_last(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| window.times.last().map(|time| *time as f64 / 1000.0))
}

/// Where the value lies that `better` prefers to all before it.
fn best(window: &Window<'_>, better: impl Fn(f64, f64) -> bool) -> usize {
    let values = window.values;
    (0..values.len()).fold(0, |best, at| if better(values[at], values[best]) { at } else { best })
}

/// The largest value; NaN only where there is nothing else.
pub(crate) fn max(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| window.values.iter().copied().reduce(|a, b| if b > a || a.is_nan() { b } else { a }))
}

/// The smallest value; NaN only where there is nothing else.
pub(crate) fn min(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| window.values.iter().copied().reduce(|a, b| if b < a || a.is_nan() { b } else { a }))
}

pub(crate) fn ts_of_max(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| Some(window.times[best(window, |new, old| new >= old || old.is_nan())] as f64 / 1000.0))
}

pub(crate) fn ts_of_min(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| Some(window.times[best(window, |new, old| new <= old || old.is_nan())] as f64 / 1000.0))
}

/// Welford's method with compensated sums.
fn variance(window: &Window<'_>) -> f64 {
    let (mut mean, mut squares, mut count) = (Kahan::default(), Kahan::default(), 0.0);
    for value in window.values {
        count += 1.0;
        let delta = value - mean.total();
        mean.add(delta / count);
        squares.add(delta * (value - mean.total()));
    }
    squares.total() / count
}

pub(crate) fn stdvar(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| Some(variance(window)))
}

pub(crate) fn stddev(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| Some(variance(window).sqrt()))
}

pub(crate) fn quantile(input: &RangeInput<'_>, out: &mut Column) -> Done {
    let mut sorted = Vec::new();
    input.fill(out, |window| {
        let q = input.scalars[0][window.at];
        if !(0.0..=1.0).contains(&q) {
            let got = model::format_float(q);
            input.notes.warn(&format!("quantile value should be between 0 and 1, got {got}"), input.span);
        }
        sorted.clear();
        sorted.extend_from_slice(window.values);
        Some(quantile::quantile(q, &mut sorted))
    })
}

/// The median distance from the median.
pub(crate) fn mad(input: &RangeInput<'_>, out: &mut Column) -> Done {
    let mut sorted = Vec::new();
    input.fill(out, |window| {
        if window.values.iter().any(|value| value.is_nan()) {
            return Some(f64::NAN);
        }
        sorted.clear();
        sorted.extend_from_slice(window.values);
        let median = quantile::quantile(0.5, &mut sorted);
        sorted.iter_mut().for_each(|value| *value = (*value - median).abs());
        Some(quantile::quantile(0.5, &mut sorted))
    })
}

pub(crate) fn changes(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| Some(count_changes(window.values)))
}

/// How often a value differs from the one before it.
pub(crate) fn count_changes(values: &[f64]) -> f64 {
    let changed = |pair: &&[f64]| pair[0] != pair[1] && !(pair[0].is_nan() && pair[1].is_nan());
    values.windows(2).filter(changed).count() as f64
}

pub(crate) fn resets(input: &RangeInput<'_>, out: &mut Column) -> Done {
    let starts = input.starts();
    input.fill(out, |window| Some(count_resets(window.values, starts, window.offset)))
}

/// How often a value is lower than the one before it, or its start says that the counter began anew; the first value is the series' `offset`th.
pub(crate) fn count_resets(values: &[f64], starts: Starts<'_>, offset: usize) -> f64 {
    if starts.is_empty() {
        return values.windows(2).filter(|pair| pair[1] < pair[0]).count() as f64;
    }
    (1..values.len()).filter(|at| values[*at] < values[at - 1] || starts.is_reset(offset + at)).count() as f64
}
