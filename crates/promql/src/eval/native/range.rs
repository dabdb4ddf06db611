//! What functions over ranges make of histograms, by name.

use crate::eval::column::Column;
use crate::eval::failure::QueryFailure;
use crate::eval::native::window::{NativeFunction, apply};
use crate::eval::native::{extended, over_time, rate};
use crate::eval::window::RangeInput;
use crate::syntax::Boundary;

/// Puts the results for ranges with histograms into `out`, where those for floats alone are. Returns how many
/// samples are held for them.
pub(crate) fn complete(
    name: &str,
    boundary: Boundary,
    input: &RangeInput<'_>,
    out: &mut Column,
) -> Result<usize, QueryFailure> {
    let function = TABLE.iter().find(|(known, of, _)| *known == name && *of == boundary);
    let function = function.map_or(over_time::ignoring as NativeFunction, |(.., function)| *function);
    let beyond = match boundary {
        Boundary::Range => (0, 0),
        Boundary::Anchored => (input.lookback_ms, 0),
        Boundary::Smoothed => (input.lookback_ms, input.lookback_ms),
    };
    apply(input, beyond, out, function)
}

const TABLE: &[(&str, Boundary, NativeFunction)] = &[
    ("avg_over_time", Boundary::Range, over_time::avg),
    ("changes", Boundary::Range, over_time::changes),
    ("changes", Boundary::Anchored, extended::anchored_changes),
    ("count_over_time", Boundary::Range, over_time::count),
    ("delta", Boundary::Range, rate::delta),
    ("delta", Boundary::Anchored, extended::anchored_delta),
    ("delta", Boundary::Smoothed, extended::smoothed_delta),
    ("first_over_time", Boundary::Range, over_time::first),
    ("idelta", Boundary::Range, rate::idelta),
    ("increase", Boundary::Range, rate::increase),
    ("increase", Boundary::Anchored, extended::anchored_increase),
    ("increase", Boundary::Smoothed, extended::smoothed_increase),
    ("irate", Boundary::Range, rate::irate),
    ("last_over_time", Boundary::Range, over_time::last),
    ("present_over_time", Boundary::Range, over_time::present),
    ("rate", Boundary::Range, rate::rate),
    ("rate", Boundary::Anchored, extended::anchored_rate),
    ("rate", Boundary::Smoothed, extended::smoothed_rate),
    ("resets", Boundary::Range, over_time::resets),
    ("resets", Boundary::Anchored, extended::anchored_resets),
    ("sum_over_time", Boundary::Range, over_time::sum),
    ("ts_of_first_over_time", Boundary::Range, over_time::ts_of_first),
    ("ts_of_last_over_time", Boundary::Range, over_time::ts_of_last),
];
