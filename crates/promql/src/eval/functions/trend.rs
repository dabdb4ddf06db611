//! Where the values are going: regression and smoothing.

use model::Kahan;

use crate::eval::column::Column;
use crate::eval::failure::QueryFailure;
use crate::eval::window::{RangeInput, Window};

type Done = Result<(), QueryFailure>;

/// Slope per second by least squares.
pub(crate) fn deriv(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| {
        // A time near the samples keeps the sums small.
        (window.values.len() >= 2).then(|| regression(window, window.times[0]).0)
    })
}

/// The value that least squares expect so many seconds after the step.
pub(crate) fn predict_linear(input: &RangeInput<'_>, out: &mut Column) -> Done {
    input.fill(out, |window| {
        let seconds = input.scalars[0][window.at];
        (window.values.len() >= 2).then(|| {
            let (slope, intercept) = regression(window, input.steps.time(window.at));
            slope * seconds + intercept
        })
    })
}

/// Slope per second, and the value at `zero`.
fn regression(window: &Window<'_>, zero: i64) -> (f64, f64) {
    let first = window.values[0];
    if window.values.iter().all(|value| *value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let (mut sum_x, mut sum_y) = (Kahan::default(), Kahan::default());
    let (mut sum_xy, mut sum_xx) = (Kahan::default(), Kahan::default());
    for (time, y) in window.times.iter().zip(window.values) {
        let x = (time - zero) as f64 / 1000.0;
        sum_x.add(x);
        sum_y.add(*y);
        sum_xy.add(x * y);
        sum_xx.add(x * x);
    }
    let n = window.values.len() as f64;
    let (sum_x, sum_y) = (sum_x.total(), sum_y.total());
    let covariance = sum_xy.total() - sum_x * sum_y / n;
    let variance = sum_xx.total() - sum_x * sum_x / n;
    let slope = covariance / variance;
    (slope, sum_y / n - slope * sum_x / n)
}

/// Holt's linear method: a smoothed value and a smoothed trend.
pub(crate) fn double_exponential_smoothing(input: &RangeInput<'_>, out: &mut Column) -> Done {
    let mut invalid = None;
    input.fill(out, |window| {
        let (smoothing, trend) = (input.scalars[0][window.at], input.scalars[1][window.at]);
        for (factor, name, short) in [(smoothing, "smoothing", "sf"), (trend, "trend", "tf")] {
            if factor <= 0.0 || factor >= 1.0 {
                let message = format!("invalid {name} factor. Expected: 0 < {short} < 1, got: {factor:.6}");
                invalid.get_or_insert(QueryFailure::Execution(message));
                return None;
            }
        }
        smooth(window.values, smoothing, trend)
    })?;
    invalid.map_or(Ok(()), Err)
}

fn smooth(values: &[f64], smoothing: f64, trend: f64) -> Option<f64> {
    let [first, second, ..] = values else { return None };
    let (mut level_before, mut level, mut slope) = (0.0, *first, second - first);
    for (at, value) in values.iter().enumerate().skip(1) {
        if at > 1 {
            slope = trend * (level - level_before) + (1.0 - trend) * slope;
        }
        let next = smoothing * value + (1.0 - smoothing) * (level + slope);
        (level_before, level) = (level, next);
    }
    Some(level)
}
