//! `*_over_time`, `changes` and `resets` of histograms.

use crate::eval::native::aggregate::{Aggregated, Total};
use crate::eval::native::window::{MixedWindow, Outcome, Place};

/// Functions that know floats only say so where there are both.
pub(crate) fn ignoring(window: &MixedWindow<'_>) -> Outcome {
    if !window.times.is_empty() {
        window.remarks().ignored_in_range(window.input.metric);
    }
    Outcome::OfFloats
}

fn total(window: &MixedWindow<'_>, total: Total) -> Outcome {
    let remarks = window.remarks();
    if !window.times.is_empty() {
        remarks.mixed_range(window.input.metric);
        return Outcome::Nothing;
    }
    let [first, rest @ ..] = window.natives else { return Outcome::Nothing };
    let mut aggregated = Aggregated::of(total, &first.histogram);
    for sample in rest {
        if aggregated.add(&sample.histogram).is_err() {
            remarks.mixed_bounds(window.input.metric);
            return Outcome::Nothing;
        }
    }
    Outcome::Native(aggregated.finish(remarks))
}

pub(crate) fn sum(window: &MixedWindow<'_>) -> Outcome {
    total(window, Total::Sum)
}

pub(crate) fn avg(window: &MixedWindow<'_>) -> Outcome {
    total(window, Total::Mean)
}

pub(crate) fn count(window: &MixedWindow<'_>) -> Outcome {
    Outcome::Float((window.times.len() + window.natives.len()) as f64)
}

pub(crate) fn present(_: &MixedWindow<'_>) -> Outcome {
    Outcome::Float(1.0)
}

fn sample(window: &MixedWindow<'_>, place: Option<Place>) -> Outcome {
    match place {
        Some(Place::Native(at)) => Outcome::Native(window.natives[at].histogram.clone()),
        Some(Place::Float(_)) | None => Outcome::OfFloats,
    }
}

fn time(window: &MixedWindow<'_>, place: Option<Place>) -> Outcome {
    match place {
        Some(Place::Native(at)) => Outcome::Float(window.natives[at].time as f64 / 1000.0),
        Some(Place::Float(_)) | None => Outcome::OfFloats,
    }
}

pub(crate) fn first(window: &MixedWindow<'_>) -> Outcome {
    sample(window, window.in_order().next())
}

pub(crate) fn last(window: &MixedWindow<'_>) -> Outcome {
    sample(window, last_place(window))
}

pub(crate) fn ts_of_first(window: &MixedWindow<'_>) -> Outcome {
    time(window, window.in_order().next())
}

pub(crate) fn ts_of_last(window: &MixedWindow<'_>) -> Outcome {
    time(window, last_place(window))
}

fn last_place(window: &MixedWindow<'_>) -> Option<Place> {
    let native = window.natives.last()?;
    let float_is_later = window.times.last().is_some_and(|time| *time > native.time);
    Some(if float_is_later { Place::Float(window.times.len() - 1) } else { Place::Native(window.natives.len() - 1) })
}

/// How many samples are unlike the one before them; a float is unlike a histogram.
fn count_steps(
    window: &MixedWindow<'_>,
    floats: impl Fn(usize, usize) -> bool,
    natives: impl Fn(usize, usize) -> bool,
) -> Outcome {
    let mut count = 0_usize;
    let mut before = None;
    for place in window.in_order() {
        let unlike = match (before.replace(place), place) {
            (None, _) => false,
            (Some(Place::Float(before)), Place::Float(at)) => floats(before, at),
            (Some(Place::Native(before)), Place::Native(at)) => natives(before, at),
            _ => true,
        };
        count += usize::from(unlike);
    }
    Outcome::Float(count as f64)
}

pub(crate) fn changes(window: &MixedWindow<'_>) -> Outcome {
    let changed = |before: usize, at: usize| {
        let (before, value) = (window.values[before], window.values[at]);
        before != value && !(before.is_nan() && value.is_nan())
    };
    let natives = window.natives;
    count_steps(window, changed, |before, at| !natives[at].histogram.same_as(&natives[before].histogram))
}

pub(crate) fn resets(window: &MixedWindow<'_>) -> Outcome {
    count_steps(window, |_, at| window.is_float_reset(at), |_, at| window.is_reset(at))
}
