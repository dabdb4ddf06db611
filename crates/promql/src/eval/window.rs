//! Ranges of samples, one per step, found with two indices that only move forward.

use model::is_stale;
use storage::Samples;

use crate::eval::column::Column;
use crate::eval::context::{Limits, Notes};
use crate::eval::failure::QueryFailure;
use crate::eval::starts::Starts;
use crate::eval::steps::Steps;
use crate::syntax::Span;

/// The samples of one step's range, oldest first; never empty, no stale markers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window<'a> {
    /// When, milliseconds.
    pub(crate) times: &'a [i64],
    /// What.
    pub(crate) values: &'a [f64],
    /// Where the range begins (not included), milliseconds.
    pub(crate) start: i64,
    /// Where the range ends (included), milliseconds.
    pub(crate) end: i64,
    /// Which step it is.
    pub(crate) at: usize,
    /// Which of the series' samples is the first.
    pub(crate) offset: usize,
}

impl Window<'_> {
    /// How far the samples lie from the start and from the end of the range and from one another, in milliseconds, and how many steps lie
    /// between them.
    #[inline]
    pub(crate) fn places(&self) -> (i64, i64, i64, usize) {
        let (times, last) = (self.times, self.times.len() - 1);
        (times[0] - self.start, self.end - times[last], times[last] - times[0], last)
    }
}

/// Everything that a function over ranges may know about one series.
#[derive(Clone, Copy)]
pub(crate) struct RangeInput<'a> {
    /// All its samples, without stale markers.
    pub(crate) samples: &'a Samples,
    /// The steps at which the function is asked.
    pub(crate) steps: Steps,
    /// The ends of the ranges.
    pub(crate) ends: Steps,
    /// The length of the ranges, milliseconds.
    pub(crate) range_ms: i64,
    /// How far beyond the ends of a range samples count, where they do, milliseconds.
    pub(crate) lookback_ms: i64,
    /// The scalar arguments, in order, one value per step.
    pub(crate) scalars: &'a [Vec<f64>],
    /// Asked whether to go on, and told what is held.
    pub(crate) limits: &'a Limits,
    /// Where remarks go.
    pub(crate) notes: &'a Notes,
    /// Where the function's first argument stands.
    pub(crate) span: Span,
    /// The name of the series' metric.
    pub(crate) metric: &'a str,
    /// Whether the function looks at start timestamps.
    pub(crate) uses_starts: bool,
}

/// After so many samples it is asked whether to go on, which sorting them takes a few milliseconds for.
const CHECKED_AFTER: usize = 100_000;

impl<'a> RangeInput<'a> {
    /// The start timestamps of the floats, if the function looks at them.
    pub(crate) fn starts(&self) -> Starts<'a> {
        let starts = if self.uses_starts { &self.samples.starts[..] } else { &[] };
        Starts { times: &self.samples.times, starts }
    }

    /// Asks `compute` about every step whose range has samples; `out` is made empty first. It takes notice of the query's end in between.
    #[inline]
    pub(crate) fn fill(
        &self,
        out: &mut Column,
        mut compute: impl FnMut(&Window<'_>) -> Option<f64>,
    ) -> Result<(), QueryFailure> {
        out.reset(self.ends.count);
        let mut unchecked = 0;
        let (times, values) = (&self.samples.times[..], &self.samples.values[..]);
        let (mut low, mut high) = (0, 0);
        for at in 0..self.ends.count {
            let end = self.ends.time(at);
            let start = end.saturating_sub(self.range_ms);
            while high < times.len() && times[high] <= end {
                high += 1;
            }
            while low < high && times[low] <= start {
                low += 1;
            }
            if low == high {
                continue;
            }
            let window = Window { times: &times[low..high], values: &values[low..high], start, end, at, offset: low };
            if let Some(value) = compute(&window) {
                out.set(at, value);
            }
            unchecked += high - low;
            if unchecked > CHECKED_AFTER {
                self.limits.check()?;
                unchecked = 0;
            }
        }
        Ok(())
    }
}

/// Takes the stale markers out.
pub(crate) fn drop_stale(samples: &mut Samples) {
    samples.histograms.retain(|sample| !sample.histogram.is_stale());
    let Some(first) = samples.values.iter().position(|value| is_stale(*value)) else { return };
    drop_starts_of_stale(samples, first);
    let mut kept = first;
    for at in first..samples.values.len() {
        if !is_stale(samples.values[at]) {
            samples.times[kept] = samples.times[at];
            samples.values[kept] = samples.values[at];
            kept += 1;
        }
    }
    samples.times.truncate(kept);
    samples.values.truncate(kept);
}

/// Takes the starts of stale markers out, the first of which is this sample.
fn drop_starts_of_stale(samples: &mut Samples, first: usize) {
    let mut kept = first;
    for at in first..samples.starts.len() {
        if !is_stale(samples.values[at]) {
            samples.starts[kept] = samples.starts[at];
            kept += 1;
        }
    }
    samples.starts.truncate(kept);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use model::{FloatHistogram, STALE_NAN};

    use super::*;
    use crate::eval::budget::Share;

    #[test]
    fn floats_and_histograms_lose_their_stale_markers() {
        let mut samples = Samples::of_floats(vec![10, 20, 30], vec![1.0, STALE_NAN, 3.0]);
        samples.push_histogram(15, FloatHistogram { count: 1.0, ..FloatHistogram::default() });
        samples.push_histogram(16, FloatHistogram::stale());
        drop_stale(&mut samples);
        let natives: Vec<i64> = samples.histograms.iter().map(|sample| sample.time).collect();
        assert_eq!(
            (&samples.times[..], &samples.values[..], &natives[..]),
            (&[10, 30][..], &[1.0, 3.0][..], &[15][..])
        );
    }

    #[test]
    fn starts_stay_with_their_samples() {
        let check = |starts: &[i64], want: &[i64]| {
            let mut samples = Samples::of_floats(vec![10, 20, 30, 40], vec![1.0, STALE_NAN, 3.0, STALE_NAN]);
            samples.starts = starts.to_vec();
            drop_stale(&mut samples);
            assert_eq!((&samples.times[..], &samples.starts[..]), (&[10, 30][..], want));
        };
        check(&[], &[]);
        check(&[1], &[1]);
        check(&[1, 2], &[1]);
        check(&[1, 2, 3], &[1, 3]);
        check(&[1, 2, 3, 4], &[1, 3]);
    }

    #[test]
    fn ranges_are_open_on_the_left() {
        let mut samples = Samples::of_floats(vec![0, 10, 20, 25, 30], vec![0.0, 1.0, 2.0, STALE_NAN, 3.0]);
        drop_stale(&mut samples);
        assert_eq!(samples.times, [0, 10, 20, 30]);
        let limits = Limits::new(0, Share::default(), Instant::now() + Duration::from_secs(60), Arc::default());
        let check = |ends: Steps, range_ms: i64, want: &[Option<f64>]| {
            let input = RangeInput {
                samples: &samples,
                steps: ends,
                ends,
                range_ms,
                lookback_ms: 0,
                scalars: &[],
                limits: &limits,
                notes: &Notes::default(),
                span: Span::default(),
                metric: "",
                uses_starts: false,
            };
            let mut out = Column::default();
            input.fill(&mut out, |window| Some(window.values.iter().sum())).expect("within all limits");
            assert_eq!((0..ends.count).map(|at| out.get(at)).collect::<Vec<_>>(), want);
        };
        check(
            Steps { first: 0, step: 10, count: 6 },
            20,
            &[Some(0.0), Some(1.0), Some(3.0), Some(5.0), Some(3.0), None],
        );
        check(Steps { first: 30, step: 0, count: 2 }, 11, &[Some(5.0), Some(5.0)]);
    }
}
