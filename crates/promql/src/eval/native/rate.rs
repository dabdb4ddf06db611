//! `rate` and its kin of histograms.

use model::{Accumulator, CounterReset, FloatHistogram};
use storage::HistogramSample;

use crate::eval::functions::extrapolation::Extrapolation;
use crate::eval::native::remarks::{Doing, Remarks};
use crate::eval::native::window::{MixedWindow, Outcome, Place};

pub(crate) fn rate(window: &MixedWindow<'_>) -> Outcome {
    extrapolated(window, true, window.input.range_ms as f64 / 1000.0)
}

pub(crate) fn increase(window: &MixedWindow<'_>) -> Outcome {
    extrapolated(window, true, 1.0)
}

pub(crate) fn delta(window: &MixedWindow<'_>) -> Outcome {
    extrapolated(window, false, 1.0)
}

pub(crate) fn is_gauge(sample: &HistogramSample) -> bool {
    sample.histogram.counter_reset == CounterReset::Gauge
}

/// Whether some of the histograms have exponential buckets and others listed bounds, which is told.
pub(crate) fn are_mixed(natives: &[HistogramSample], metric: &str, remarks: Remarks<'_>) -> bool {
    let custom = |sample: &HistogramSample| sample.histogram.buckets.are_custom();
    let mixed = natives.windows(2).any(|pair| custom(&pair[0]) != custom(&pair[1]));
    if mixed {
        remarks.mixed_bounds(metric);
    }
    mixed
}

fn extrapolated(window: &MixedWindow<'_>, is_counter: bool, per: f64) -> Outcome {
    if !window.times.is_empty() {
        window.remarks().mixed_range(window.input.metric);
        return Outcome::Nothing;
    }
    let (first, last) = (&window.natives[0], &window.natives[window.natives.len() - 1]);
    // How long before its first sample the counter began, if that was within the range.
    let begin = window.timestamps(0);
    let begun = (is_counter && begin.begins_after(window.start)).then(|| begin.time - begin.start);
    let rise = match (window.natives.len(), begun) {
        (1, None) => None,
        (1, Some(_)) => Some(first.histogram.clone()),
        _ if is_counter => counter_rise(window, begun.is_some()),
        _ => gauge_rise(window),
    };
    let Some(rise) = rise else { return Outcome::Nothing };
    let mut extrapolation = Extrapolation::new(per);
    let places = (first.time - window.start, window.end - last.time, last.time - first.time, window.natives.len() - 1);
    if let Some(begun_ms) = begun {
        return Outcome::Native(rise.times(extrapolation.factor_since(places, begun_ms)));
    }
    extrapolation.look_at_places(places);
    let factor = if is_counter {
        extrapolation.counter_factor(first.histogram.count, rise.count)
    } else {
        extrapolation.factor()
    };
    Outcome::Native(rise.times(factor))
}

/// By how much a gauge rose; its ends alone count.
fn gauge_rise(window: &MixedWindow<'_>) -> Option<FloatHistogram> {
    let (remarks, metric) = (window.remarks(), window.input.metric);
    let [first, .., last] = window.natives else { return None };
    let Ok((mut rise, added)) = last.histogram.minus(&first.histogram) else {
        remarks.mixed_bounds(metric);
        return None;
    };
    if added.bounds_reconciled {
        remarks.reconciled(Doing::Subtraction);
    }
    if !(is_gauge(first) && is_gauge(last)) {
        remarks.no_gauge(metric);
    }
    rise.counter_reset = CounterReset::Gauge;
    Some(rise)
}

/// By how much a counter rose from its first sample, or with `from_zero` from nothing, resets made up for.
fn counter_rise(window: &MixedWindow<'_>, from_zero: bool) -> Option<FloatHistogram> {
    let (remarks, metric, natives) = (window.remarks(), window.input.metric, window.natives);
    let [.., last] = natives else { return None };
    if natives.iter().any(is_gauge) {
        remarks.no_counter(metric);
    }
    // Nothing of the first histogram counts if the counter began anew right after it, so its buckets may be any.
    let relevant = if window.is_reset(1) { &natives[1..] } else { natives };
    if are_mixed(relevant, metric, remarks) {
        return None;
    }
    let mut rise = Accumulator::<f64>::of(&last.histogram);
    let schemas = relevant.iter().map(|sample| sample.histogram.buckets.schema);
    rise.reduce_resolution(schemas.min()?);
    if relevant.len() == natives.len() {
        let added = rise.subtract(&natives[0].histogram).ok()?;
        if added.bounds_reconciled {
            remarks.reconciled(Doing::Subtraction);
        }
    }
    if (1..natives.len()).any(|at| window.timestamps(at).overlaps(window.timestamps(at - 1))) {
        remarks.overlapping_starts(metric);
    }
    for at in (2..natives.len()).filter(|at| window.is_reset(*at)) {
        let added = rise.add(&natives[at - 1].histogram).ok()?;
        if added.bounds_reconciled {
            remarks.reconciled(Doing::Addition);
        }
    }
    if from_zero {
        let Ok(added) = rise.add(&natives[0].histogram) else {
            remarks.mixed_bounds(metric);
            return None;
        };
        if added.bounds_reconciled {
            remarks.reconciled(Doing::Addition);
        }
    }
    let mut rise = rise.finish();
    rise.counter_reset = CounterReset::Gauge;
    Some(rise)
}

pub(crate) fn irate(window: &MixedWindow<'_>) -> Outcome {
    last_two(window, true)
}

pub(crate) fn idelta(window: &MixedWindow<'_>) -> Outcome {
    last_two(window, false)
}

/// The last two samples, the older one first. Of two at one time the float is the later one.
fn last_places(window: &MixedWindow<'_>) -> Option<(Place, Place)> {
    let (mut float, mut native) = (window.times.len(), window.natives.len());
    let mut back = || {
        let is_float = match (float.checked_sub(1), native.checked_sub(1)) {
            (Some(float), Some(native)) => window.times[float] >= window.natives[native].time,
            (float, native) => float.or(native).map(|_| float.is_some())?,
        };
        let at = if is_float { &mut float } else { &mut native };
        *at -= 1;
        Some(if is_float { Place::Float(*at) } else { Place::Native(*at) })
    };
    let last = back()?;
    Some((back()?, last))
}

/// What happened between the last two samples.
fn last_two(window: &MixedWindow<'_>, is_counter: bool) -> Outcome {
    let (remarks, metric) = (window.remarks(), window.input.metric);
    let (before, last) = match last_places(window) {
        Some((Place::Native(before), Place::Native(last))) => (&window.natives[before], &window.natives[last]),
        Some((Place::Float(_), Place::Float(_))) => return Outcome::OfFloats,
        Some(_) => {
            remarks.mixed_range(metric);
            return Outcome::Nothing;
        }
        None => return Outcome::Nothing,
    };
    match (is_counter, is_gauge(before), is_gauge(last)) {
        (true, false, false) | (false, true, true) => {}
        (true, ..) => remarks.no_counter(metric),
        (false, ..) => remarks.no_gauge(metric),
    }
    let mut result = if is_counter && window.is_reset(window.natives.len() - 1) {
        last.histogram.clone()
    } else {
        let Ok((difference, added)) = last.histogram.minus(&before.histogram) else {
            remarks.mixed_bounds(metric);
            return Outcome::Nothing;
        };
        if added.bounds_reconciled {
            remarks.reconciled(Doing::Subtraction);
        }
        difference
    };
    result.counter_reset = CounterReset::Gauge;
    let seconds = (last.time - before.time) as f64 / 1000.0;
    Outcome::Native(if is_counter { result.divided_by(seconds) } else { result.compacted() })
}
