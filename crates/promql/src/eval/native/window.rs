//! Ranges with histograms in them.

use std::cell::OnceCell;

use storage::HistogramSample;

use crate::eval::column::{Column, Native, Point, weight};
use crate::eval::failure::QueryFailure;
use crate::eval::native::remarks::Remarks;
use crate::eval::starts::Sample;
use crate::eval::steps::Steps;
use crate::eval::window::RangeInput;

/// What a function makes of a range with histograms.
pub(crate) enum Outcome {
    /// What the same function made of the floats alone.
    OfFloats,
    /// Nothing.
    Nothing,
    /// A number.
    Float(f64),
    /// A histogram.
    Native(model::FloatHistogram),
}

/// A function of a range with at least one histogram.
pub(crate) type NativeFunction = fn(&MixedWindow<'_>) -> Outcome;

/// The histograms of a series, and between which of them the counter began anew: asked for many ranges, found out once.
pub(crate) struct SeriesNatives<'a> {
    samples: &'a [HistogramSample],
    uses_starts: bool,
    resets: OnceCell<Vec<bool>>,
}

impl SeriesNatives<'_> {
    /// Whether there was a reset between a histogram and the one before it.
    fn is_reset(&self, at: usize) -> bool {
        let find = || {
            let is_told = |pair: &[HistogramSample]| {
                let [before, sample] = [0, 1].map(|at| Sample { time: pair[at].time, start: pair[at].start });
                self.uses_starts && sample.is_reset_after(before)
            };
            let counts_fall = |pair: &[HistogramSample]| pair[1].histogram.is_reset_after(&pair[0].histogram);
            let pairs = self.samples.windows(2).map(|pair| is_told(pair) || counts_fall(pair));
            std::iter::once(false).chain(pairs).collect()
        };
        self.resets.get_or_init(find)[at]
    }
}

/// The samples of one step's range, with at least one histogram.
#[derive(Clone, Copy)]
pub(crate) struct MixedWindow<'a> {
    /// When the floats are, milliseconds.
    pub(crate) times: &'a [i64],
    /// The floats.
    pub(crate) values: &'a [f64],
    /// The histograms, never none.
    pub(crate) natives: &'a [HistogramSample],
    /// Where the range begins (not included), milliseconds.
    pub(crate) start: i64,
    /// Where it ends (included), milliseconds.
    pub(crate) end: i64,
    /// What else is known of the series and the query.
    pub(crate) input: &'a RangeInput<'a>,
    series: &'a SeriesNatives<'a>,
    /// Which of the series' histograms is the first.
    offset: usize,
    /// Which of the series' floats is the first.
    float_offset: usize,
}

impl<'a> MixedWindow<'a> {
    /// Whether there was a reset between a histogram of the range and the one before it, which may lie before the range.
    pub(crate) fn is_reset(&self, at: usize) -> bool {
        self.series.is_reset(self.offset + at)
    }

    /// Whether there was a reset between a float of the range and the one before it.
    pub(crate) fn is_float_reset(&self, at: usize) -> bool {
        self.values[at] < self.values[at - 1] || self.input.starts().is_reset(self.float_offset + at)
    }

    /// The time and the start timestamp of a histogram of the range; the latter is 0 where the function doesn't look at it.
    pub(crate) fn timestamps(&self, at: usize) -> Sample {
        let HistogramSample { time, start, .. } = self.natives[at];
        Sample { time, start: if self.input.uses_starts { start } else { 0 } }
    }

    /// Where remarks go.
    pub(crate) fn remarks(&self) -> Remarks<'a> {
        Remarks { notes: self.input.notes, span: self.input.span }
    }

    /// The floats and histograms from these places on.
    pub(crate) fn skip(self, floats: usize, natives: usize) -> Self {
        let (times, values) = (&self.times[floats..], &self.values[floats..]);
        let (offset, float_offset) = (self.offset + natives, self.float_offset + floats);
        MixedWindow { times, values, natives: &self.natives[natives..], offset, float_offset, ..self }
    }

    /// All samples by time: an index into the floats or into the histograms.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = Place> {
        let (mut float, mut native) = (0, 0);
        let (times, natives) = (self.times, self.natives);
        std::iter::from_fn(move || {
            let place = match (times.get(float), natives.get(native)) {
                (Some(time), Some(sample)) if *time < sample.time => Place::Float(float),
                (Some(_), None) => Place::Float(float),
                (_, Some(_)) => Place::Native(native),
                (None, None) => return None,
            };
            match place {
                Place::Float(_) => float += 1,
                Place::Native(_) => native += 1,
            }
            Some(place)
        })
    }
}

/// Where a sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Float(usize),
    Native(usize),
}

/// Asks `function` about every step whose range has histograms, and puts what it says into `out`, where the results for the floats
/// are. The ranges are longer by these times before and behind, milliseconds. Returns how many samples are held for
/// the histograms that it made.
pub(crate) fn apply(
    input: &RangeInput<'_>,
    (before, behind): (i64, i64),
    out: &mut Column,
    function: NativeFunction,
) -> Result<usize, QueryFailure> {
    let samples = input.samples;
    let uses_starts = input.uses_starts;
    let series = SeriesNatives { samples: &samples.histograms, uses_starts, resets: OnceCell::new() };
    let ends: Steps = input.ends;
    let mut held = 0;
    for at in 0..ends.count {
        let end = ends.time(at);
        let start = end.saturating_sub(input.range_ms);
        let (from, to) = (start.saturating_sub(before), end.saturating_add(behind));
        let first = samples.histograms.partition_point(|sample| sample.time <= from);
        let natives = &samples.histograms[first..];
        let natives = &natives[..natives.partition_point(|sample| sample.time <= to)];
        if natives.is_empty() {
            continue;
        }
        input.limits.check()?;
        let low = samples.times.partition_point(|time| *time <= from);
        let high = samples.times.partition_point(|time| *time <= to).max(low);
        let (times, values) = (&samples.times[low..high], &samples.values[low..high]);
        let (offset, float_offset) = (first, low);
        let window = MixedWindow { times, values, natives, start, end, input, series: &series, offset, float_offset };
        match function(&window) {
            Outcome::OfFloats => {}
            Outcome::Nothing => out.put(at, None),
            Outcome::Float(value) => out.put(at, Some(Point::Float(value))),
            Outcome::Native(histogram) => {
                let weight = weight(&histogram);
                input.limits.hold(weight)?;
                held += weight;
                out.put(at, Some(Point::Native(Native::new(histogram))));
            }
        }
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use model::FloatHistogram;
    use storage::Samples;

    use super::*;
    use crate::eval::budget::Share;
    use crate::eval::context::{Limits, Notes};
    use crate::syntax::Span;

    #[test]
    fn a_series_ends_where_its_query_does() {
        let mut samples = Samples::default();
        samples.push_histogram(0, FloatHistogram::default());
        let canceled = Arc::default();
        let limits =
            Limits::new(1000, Share::default(), Instant::now() + Duration::from_secs(60), Arc::clone(&canceled));
        let steps = Steps { first: 0, step: 1, count: 3 };
        let input = RangeInput {
            samples: &samples,
            steps,
            ends: steps,
            range_ms: 10,
            lookback_ms: 0,
            scalars: &[],
            limits: &limits,
            notes: &Notes::default(),
            span: Span::default(),
            metric: "",
            uses_starts: false,
        };
        let mut out = Column::empty(3);
        let held = apply(&input, (0, 0), &mut out, |window| Outcome::Native(window.natives[0].histogram.clone()));
        assert_eq!(held, Ok(3 * weight(&FloatHistogram::default())));
        canceled.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(apply(&input, (0, 0), &mut out, |_| unreachable!("no step")), Err(QueryFailure::Canceled));
    }
}
