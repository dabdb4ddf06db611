//! `rate` and `increase` of counters of which it is known since when they count.

use crate::eval::column::Column;
use crate::eval::failure::QueryFailure;
use crate::eval::functions::extrapolation::Extrapolation;
use crate::eval::native::remarks::Remarks;
use crate::eval::starts::Starts;
use crate::eval::window::{RangeInput, Window};

/// The increase of a counter, divided by `per`. A start that lies between two samples is a reset; one that lies between the start of the
/// range and its first sample is a sample of zero, so that a single sample is enough.
pub(super) fn counter(
    input: &RangeInput<'_>,
    starts: Starts<'_>,
    per: f64,
    out: &mut Column,
) -> Result<(), QueryFailure> {
    let values = &input.samples.values;
    let pairs = || 1..values.len();
    let resets: Vec<usize> = pairs().filter(|at| values[*at] < values[at - 1] || starts.is_reset(*at)).collect();
    let overlaps: Vec<usize> = pairs().filter(|at| starts.is_overlap(*at)).collect();
    let mut extrapolation = Extrapolation::new(per);
    input.fill(out, |window| {
        let (first, last) = (window.values[0], window.values[window.values.len() - 1]);
        let mut rise = last - first;
        for reset in within(&resets, window) {
            rise += values[reset - 1];
        }
        if !within(&overlaps, window).is_empty() && !has_histograms(input, window) {
            Remarks { notes: input.notes, span: input.span }.overlapping_starts(input.metric);
        }
        let begin = starts.of(window.offset);
        if begin.begins_after(window.start) {
            return Some((rise + first) * extrapolation.factor_since(window.places(), begin.time - begin.start));
        }
        if window.values.len() == 1 {
            return None;
        }
        extrapolation.look_at_places(window.places());
        Some(rise * extrapolation.counter_factor(first, rise))
    })
}

/// Those of these samples that are in a window, and not its first.
fn within<'p>(places: &'p [usize], window: &Window<'_>) -> &'p [usize] {
    let behind = window.offset + window.values.len();
    &places[places.partition_point(|at| *at <= window.offset)..places.partition_point(|at| *at < behind)]
}

/// Whether the range has histograms: then nothing comes of its floats.
fn has_histograms(input: &RangeInput<'_>, window: &Window<'_>) -> bool {
    input.samples.histograms.iter().any(|sample| (window.start + 1..=window.end).contains(&sample.time))
}
