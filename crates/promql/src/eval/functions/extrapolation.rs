//! From the rise between samples to the rise over a whole range.

use crate::eval::window::Window;

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
    pub(super) fn look_at(&mut self, window: &Window<'_>) {
        self.look_at_places(window.places());
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

    /// The factor for a counter that began at zero within the range, so long before its first sample: nothing is extended to the left.
    pub(crate) fn factor_since(&self, places: (i64, i64, i64, usize), begun_ms: i64) -> f64 {
        let (_, behind, between, steps) = places;
        let seconds = |ms: i64| ms as f64 / 1000.0;
        let mean_distance = if steps > 0 { seconds(between) / steps as f64 } else { 0.0 };
        let mut to_end = seconds(behind);
        if to_end >= mean_distance * 1.1 {
            to_end = mean_distance / 2.0;
        }
        let known = seconds(between + begun_ms);
        (known + to_end) / known / self.per
    }

    /// The factor for a gauge.
    #[inline]
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
