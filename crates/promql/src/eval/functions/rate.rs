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
    let mut extrapolation = Extrapolation::new(1.0);
    input.fill(out, |window| {
        let (first, last) = ends(window)?;
        extrapolation.look_at(window);
        Some((last - first) * extrapolation.factor)
    })
}

fn counter(input: &RangeInput<'_>, out: &mut Column, per: f64) -> Done {
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

/// By how much the rise between the samples is to be multiplied to stand for the whole range: where samples come close to
/// an end of the range the rise is extended to that end, otherwise by half of the samples' mean distance.
///
/// Regular samples lie in the same way in one range after another, so what follows from their places alone is kept from
/// range to range; that leaves a multiplication where there were seven divisions (`benches/range.rs`).
pub(crate) struct Extrapolation {
    /// The rise is divided by this many seconds.
    per: f64,
    /// Before the first sample, behind the last one, between them, in milliseconds, and how many steps lie between them.
    places: (i64, i64, i64, usize),
    to_start: f64,
    to_end: f64,
    sampled: f64,
    /// What to multiply a rise with.
    factor: f64,
}

impl Extrapolation {
    /// Nothing seen yet; a rise will be divided by `per`.
    pub(crate) fn new(per: f64) -> Self {
        Extrapolation { per, places: (0, 0, 0, 0), to_start: 0.0, to_end: 0.0, sampled: 0.0, factor: 1.0 / per }
    }

    /// Sees where the samples of a window lie.
    #[inline]
    fn look_at(&mut self, window: &Window<'_>) {
        let (times, last) = (window.times, window.times.len() - 1);
        self.look_at_places((times[0] - window.start, window.end - times[last], times[last] - times[0], last));
    }

    /// Sees how far the samples lie from the start and from the end of the range and from one another, in milliseconds, and how many
    /// steps lie between them.
    #[inline]
    pub(crate) fn look_at_places(&mut self, places: (i64, i64, i64, usize)) {
        if places != self.places {
            self.places = places;
            self.measure();
        }
    }

    fn measure(&mut self) {
        let (before, behind, between, steps) = self.places;
        let seconds = |ms: i64| ms as f64 / 1000.0;
        (self.to_start, self.to_end, self.sampled) = (seconds(before), seconds(behind), seconds(between));
        let mean_distance = self.sampled / steps as f64;
        let threshold = mean_distance * 1.1;
        if self.to_start >= threshold {
            self.to_start = mean_distance / 2.0;
        }
        if self.to_end >= threshold {
            self.to_end = mean_distance / 2.0;
        }
        self.factor = self.extended_by(self.to_start);
    }

    /// The factor with another extension at the start.
    fn extended_by(&self, to_start: f64) -> f64 {
        // The division by `per` comes before the multiplication with the rise, as in Prometheus: the last bit depends on it.
        let factor = if self.sampled == 0.0 { 1.0 } else { (self.sampled + to_start + self.to_end) / self.sampled };
        factor / self.per
    }

    /// The factor for a gauge.
    pub(crate) fn factor(&self) -> f64 {
        self.factor
    }

    /// The factor for a counter, which is not extended to a time at which it would have been below zero.
    #[inline]
    pub(crate) fn counter_factor(&self, first: f64, rise: f64) -> f64 {
        // A product first, as it is cheaper than the quotient that decides.
        const MARGIN: f64 = 1.000_001;
        if rise > 0.0 && first >= 0.0 && first * self.sampled <= self.to_start * rise * MARGIN {
            let to_zero = self.sampled * (first / rise);
            if to_zero < self.to_start {
                return self.extended_by(to_zero);
            }
        }
        self.factor
    }
}

/// Per-second increase between the last two samples of a counter.
pub(crate) fn irate(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| {
        let (before, last, seconds) = last_two(window)?;
        Some(if last < before { last } else { last - before } / seconds)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The factor as Prometheus computes it, one division after the other.
    fn counter_factor_slow(window: &Window<'_>, rise: f64, per: f64) -> f64 {
        let (times, last, first) = (window.times, window.times.len() - 1, window.values[0]);
        let seconds = |ms: i64| ms as f64 / 1000.0;
        let (mut to_start, mut to_end) = (seconds(times[0] - window.start), seconds(window.end - times[last]));
        let sampled = seconds(times[last] - times[0]);
        let mean_distance = sampled / last as f64;
        if to_start >= mean_distance * 1.1 {
            to_start = mean_distance / 2.0;
        }
        if rise > 0.0 && first >= 0.0 {
            to_start = to_start.min(sampled * (first / rise));
        }
        if to_end >= mean_distance * 1.1 {
            to_end = mean_distance / 2.0;
        }
        (sampled + to_start + to_end) / sampled / per
    }

    #[test]
    fn what_is_kept_between_ranges_changes_no_bit() {
        let mut extrapolation = Extrapolation::new(300.0);
        let mut random = 7_u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for _ in 0..20_000 {
            let (start, distance) = (next(1000) as i64, 1 + next(3) as i64 * 15_000);
            let count = 2 + next(4) as i64;
            let times: Vec<i64> = (0..count).map(|at| start + 1 + at * distance).collect();
            let first = next(20) as f64 / 3.0;
            let rise = next(20) as f64 * 7.0;
            let values = vec![first; times.len()];
            let end = times[times.len() - 1] + next(3) as i64 * 9000;
            let window =
                Window { times: &times, values: &values, start: start - next(3) as i64 * 9000, end, at: 0, offset: 0 };
            extrapolation.look_at(&window);
            let (fast, slow) = (extrapolation.counter_factor(first, rise), counter_factor_slow(&window, rise, 300.0));
            assert_eq!(fast.to_bits(), slow.to_bits(), "{times:?} {first} {rise}");
        }
    }
}
