//! Histograms in ranges that are `anchored` or `smoothed`.

use model::{CounterReset, FloatHistogram, IncompatibleHistograms};
use storage::HistogramSample;

use crate::eval::native::over_time;
use crate::eval::native::rate::{are_mixed, is_gauge};
use crate::eval::native::remarks::{Doing, Remarks};
use crate::eval::native::window::{MixedWindow, Outcome};

/// The value at a time between two histograms. A counter that began anew began at zero.
pub(crate) fn interpolate(
    before: &HistogramSample,
    after: &HistogramSample,
    time: i64,
    is_counter: bool,
    remarks: Remarks<'_>,
) -> Result<FloatHistogram, IncompatibleHistograms> {
    if time == before.time {
        return Ok(before.histogram.clone());
    }
    if time == after.time {
        return Ok(after.histogram.clone());
    }
    let share = (time - before.time) as f64 / (after.time - before.time) as f64;
    if is_counter && after.histogram.is_reset_after(&before.histogram) {
        return Ok(after.histogram.clone().times(share));
    }
    let (rise, subtracted) = after.histogram.minus(&before.histogram)?;
    let (sum, added) = rise.times(share).plus(&before.histogram)?;
    if subtracted.bounds_reconciled {
        remarks.reconciled(Doing::Subtraction);
    }
    if added.bounds_reconciled {
        remarks.reconciled(Doing::Addition);
    }
    Ok(sum)
}

pub(crate) fn anchored_rate(window: &MixedWindow<'_>) -> Outcome {
    rise(window, false, true, window.input.range_ms as f64 / 1000.0)
}

pub(crate) fn anchored_increase(window: &MixedWindow<'_>) -> Outcome {
    rise(window, false, true, 1.0)
}

pub(crate) fn anchored_delta(window: &MixedWindow<'_>) -> Outcome {
    rise(window, false, false, 1.0)
}

pub(crate) fn smoothed_rate(window: &MixedWindow<'_>) -> Outcome {
    rise(window, true, true, window.input.range_ms as f64 / 1000.0)
}

pub(crate) fn smoothed_increase(window: &MixedWindow<'_>) -> Outcome {
    rise(window, true, true, 1.0)
}

pub(crate) fn smoothed_delta(window: &MixedWindow<'_>) -> Outcome {
    rise(window, true, false, 1.0)
}

fn rise(window: &MixedWindow<'_>, smoothed: bool, is_counter: bool, per: f64) -> Outcome {
    let (remarks, metric, natives) = (window.remarks(), window.input.metric, window.natives);
    if !window.times.is_empty() {
        remarks.mixed_range(metric);
        return Outcome::Nothing;
    }
    let newest = natives.len() - 1;
    let first = natives[..newest].partition_point(|sample| sample.time <= window.start).saturating_sub(1);
    let last = if smoothed { natives[..newest].partition_point(|sample| sample.time < window.end) } else { newest };
    if natives[last].time <= window.start || smoothed && natives[first].time > window.end {
        return Outcome::Nothing;
    }
    if are_mixed(&natives[first..=last], metric, remarks) {
        return Outcome::Nothing;
    }
    if is_counter && natives[first..=last].iter().any(is_gauge) {
        remarks.no_counter(metric);
    }
    let ends = Ends { first, last, smoothed, is_counter };
    match ends.rise(window) {
        Ok(rise) => {
            let mut rise = rise.divided_by(per);
            rise.counter_reset = CounterReset::Gauge;
            Outcome::Native(rise)
        }
        Err(IncompatibleHistograms) => {
            remarks.mixed_bounds(metric);
            Outcome::Nothing
        }
    }
}

/// The histograms that tell the values at the ends of a range.
struct Ends {
    first: usize,
    last: usize,
    smoothed: bool,
    is_counter: bool,
}

impl Ends {
    fn rise(&self, window: &MixedWindow<'_>) -> Result<FloatHistogram, IncompatibleHistograms> {
        let (natives, remarks) = (window.natives, window.remarks());
        let between =
            |at: usize, time: i64| interpolate(&natives[at], &natives[at + 1], time, self.is_counter, remarks);
        let left = if self.smoothed && natives[self.first].time < window.start {
            between(self.first, window.start)?
        } else {
            natives[self.first].histogram.clone()
        };
        let right = if self.smoothed && self.last > 0 && natives[self.last].time > window.end {
            between(self.last - 1, window.end)?
        } else {
            natives[self.last].histogram.clone()
        };
        let are_gauges = [&left, &right].iter().all(|end| end.counter_reset == CounterReset::Gauge);
        if !self.is_counter && !are_gauges {
            remarks.no_gauge(window.input.metric);
        }
        let (mut rise, added) = right.minus(&left)?;
        if added.bounds_reconciled {
            remarks.reconciled(Doing::Subtraction);
        }
        if self.is_counter {
            for lost in self.lost(window, &left, &right) {
                let added;
                (rise, added) = rise.plus(lost)?;
                if added.bounds_reconciled {
                    remarks.reconciled(Doing::Addition);
                }
            }
        }
        Ok(rise)
    }

    /// The values that the counter had when it began anew.
    fn lost<'a>(
        &self,
        window: &MixedWindow<'a>,
        left: &'a FloatHistogram,
        right: &FloatHistogram,
    ) -> Vec<&'a FloatHistogram> {
        let natives = window.natives;
        let (mut from, mut before) = (self.first + 1, left);
        // What was interpolated across a reset has made up for it already.
        if self.smoothed && natives[self.first].time < window.start && window.is_reset(self.first + 1) {
            before = &natives[self.first + 1].histogram;
            from += 1;
        }
        // The last one is left out: `right` is the same, or was interpolated from it and has its hint.
        if from > self.last {
            return Vec::new();
        }
        let mut lost = Vec::new();
        for sample in &natives[from..self.last] {
            if sample.histogram.is_reset_after(before) {
                lost.push(before);
            }
            before = &sample.histogram;
        }
        if right.is_reset_after(before) {
            lost.push(before);
        }
        lost
    }
}

pub(crate) fn anchored_changes(window: &MixedWindow<'_>) -> Outcome {
    anchored(window).map_or(Outcome::Nothing, |window| over_time::changes(&window))
}

pub(crate) fn anchored_resets(window: &MixedWindow<'_>) -> Outcome {
    anchored(window).map_or(Outcome::Nothing, |window| over_time::resets(&window))
}

/// The samples of the range and the newest one before it; `None` where the range itself has none.
fn anchored<'a>(window: &MixedWindow<'a>) -> Option<MixedWindow<'a>> {
    let floats = window.times.partition_point(|time| *time <= window.start);
    let natives = window.natives.partition_point(|sample| sample.time <= window.start);
    if floats == window.times.len() && natives == window.natives.len() {
        return None;
    }
    let float_time = floats.checked_sub(1).map(|at| window.times[at]);
    let native_time = natives.checked_sub(1).map(|at| window.natives[at].time);
    Some(match (float_time, native_time) {
        (None, None) => *window,
        (float, native) if native.is_none() || float >= native => window.skip(floats - 1, natives),
        _ => window.skip(floats, natives - 1),
    })
}
