//! Instant selectors: the newest sample within the lookback.

use model::is_stale;
use storage::Samples;

use crate::eval::column::Column;
use crate::eval::steps::Steps;

/// Puts for every time in `looks` the newest sample that is not older than the lookback into `out`, which is made empty
/// first. A stale marker ends the series. With `times` the sample's time in seconds is put there instead of its value.
pub(crate) fn fill(samples: &Samples, looks: Steps, lookback_ms: i64, times: bool, out: &mut Column) {
    out.reset(looks.count);
    let mut next = 0; // the first sample that lies after the time looked at
    for at in 0..looks.count {
        let look = looks.time(at);
        while samples.times.get(next).is_some_and(|time| *time <= look) {
            next += 1;
        }
        let Some(newest) = next.checked_sub(1) else { continue };
        let (time, value) = (samples.times[newest], samples.values[newest]);
        if time > look.saturating_sub(lookback_ms) && !is_stale(value) {
            out.set(at, if times { time as f64 / 1000.0 } else { value });
        }
    }
}

#[cfg(test)]
mod tests {
    use model::STALE_NAN;

    use super::*;

    #[test]
    fn lookback_is_open_on_the_left_and_stale_markers_end_a_series() {
        let samples = Samples::of_floats(vec![10, 20, 30], vec![1.0, STALE_NAN, 3.0]);
        let check = |first: i64, step: i64, count: usize, want: &[Option<f64>]| {
            let mut out = Column::default();
            fill(&samples, Steps { first, step, count }, 15, false, &mut out);
            assert_eq!((0..count).map(|at| out.get(at)).collect::<Vec<_>>(), want);
        };
        check(5, 5, 9, &[None, Some(1.0), Some(1.0), None, None, Some(3.0), Some(3.0), Some(3.0), None]);
        check(30, 0, 3, &[Some(3.0), Some(3.0), Some(3.0)]);
    }
}
