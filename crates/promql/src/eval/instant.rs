//! Instant selectors: the newest sample within the lookback.

use model::is_stale;
use storage::Samples;

use crate::eval::column::{Column, Native, Point};
use crate::eval::steps::Steps;

/// What is wanted of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// What it is.
    Value,
    /// When it is, in seconds.
    Time,
    /// Its start timestamp in seconds, 0 where it has none.
    Start,
}

impl Part {
    /// The seconds that are wanted instead of a value.
    fn seconds(self, time: i64, start: impl FnOnce() -> i64) -> Option<f64> {
        match self {
            Part::Value => None,
            Part::Time => Some(time as f64 / 1000.0),
            Part::Start => Some(start() as f64 / 1000.0),
        }
    }
}

/// Puts for every time in `looks` that part of the newest sample that is not older than the lookback into `out`, which is made empty
/// first. A stale marker ends the series. Histograms are taken out of `samples`.
pub(crate) fn fill(samples: &mut Samples, looks: Steps, lookback_ms: i64, part: Part, out: &mut Column) {
    if !samples.histograms.is_empty() {
        return fill_mixed(samples, looks, lookback_ms, part, out);
    }
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
            out.set(at, part.seconds(time, || samples.start(newest)).unwrap_or(value));
        }
    }
}

/// The same where there are histograms.
fn fill_mixed(samples: &mut Samples, looks: Steps, lookback_ms: i64, part: Part, out: &mut Column) {
    out.reset(looks.count);
    let (mut float, mut native) = (0, 0); // the first of each that lies after the time looked at
    let mut last: Option<(usize, Native)> = None;
    for at in 0..looks.count {
        let look = looks.time(at);
        while samples.times.get(float).is_some_and(|time| *time <= look) {
            float += 1;
        }
        while samples.histograms.get(native).is_some_and(|sample| sample.time <= look) {
            native += 1;
        }
        let (newest_float, newest_native) = (float.checked_sub(1), native.checked_sub(1));
        let float_time = newest_float.map(|at| samples.times[at]);
        let native_time = newest_native.map(|at| samples.histograms[at].time);
        let Some(time) = float_time.max(native_time).filter(|time| *time > look.saturating_sub(lookback_ms)) else {
            continue;
        };
        let mut start = 0;
        let point = match (newest_float, newest_native) {
            (_, Some(newest)) if native_time == Some(time) => {
                start = samples.histograms[newest].start;
                last.take_if(|(of, _)| *of != newest);
                let (_, histogram) = last.get_or_insert_with(|| {
                    (newest, Native::new(std::mem::take(&mut samples.histograms[newest].histogram)))
                });
                if histogram.is_stale() { None } else { Some(Point::Native(Native::clone(histogram))) }
            }
            (Some(newest), _) => {
                start = samples.start(newest);
                Some(samples.values[newest]).filter(|value| !is_stale(*value)).map(Point::Float)
            }
            _ => None,
        };
        out.put(at, point.map(|point| part.seconds(time, || start).map_or(point, Point::Float)));
    }
}

#[cfg(test)]
mod tests {
    use model::{FloatHistogram, STALE_NAN};

    use super::*;

    #[test]
    fn lookback_is_open_on_the_left_and_stale_markers_end_a_series() {
        let mut samples = Samples::of_floats(vec![10, 20, 30], vec![1.0, STALE_NAN, 3.0]);
        let mut check = |first: i64, step: i64, count: usize, want: &[Option<f64>]| {
            let mut out = Column::default();
            fill(&mut samples, Steps { first, step, count }, 15, Part::Value, &mut out);
            assert_eq!((0..count).map(|at| out.get(at)).collect::<Vec<_>>(), want);
        };
        check(5, 5, 9, &[None, Some(1.0), Some(1.0), None, None, Some(3.0), Some(3.0), Some(3.0), None]);
        check(30, 0, 3, &[Some(3.0), Some(3.0), Some(3.0)]);
    }

    #[test]
    fn of_floats_and_histograms_the_newest_counts() {
        let native = |count: f64| FloatHistogram { count, ..FloatHistogram::default() };
        let mut samples = Samples::of_floats(vec![10, 40], vec![1.0, 4.0]);
        samples.push_histogram(20, native(2.0));
        samples.push_histogram(30, FloatHistogram::stale());
        samples.push_histogram(50, native(5.0));
        let mut out = Column::default();
        fill(&mut samples, Steps { first: 5, step: 5, count: 12 }, 15, Part::Value, &mut out);
        let got: Vec<String> = (0..12)
            .map(|at| match out.point(at) {
                None => String::new(),
                Some(Point::Float(value)) => value.to_string(),
                Some(Point::Native(native)) => format!("n{}", native.count),
            })
            .collect();
        assert_eq!(got, ["", "1", "1", "n2", "n2", "", "", "4", "4", "n5", "n5", "n5"]);
    }
}
