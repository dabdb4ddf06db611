//! The functions over ranges by name.

use crate::eval::column::Column;
use crate::eval::failure::QueryFailure;
use crate::eval::functions::{over_time, rate, trend};
use crate::eval::window::RangeInput;
use crate::syntax::Boundary;

/// Computes one series' column.
pub(crate) type RangeFunction = fn(&RangeInput<'_>, &mut Column) -> Result<(), QueryFailure>;

/// The function over ranges of this name; `absent_over_time` is none, as it doesn't work series by series.
pub(crate) fn find(name: &str) -> Option<RangeFunction> {
    TABLE.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
}

/// Whether the function hands on one of the series' own samples, which keeps the metric's name.
pub(crate) fn keeps_name(name: &str) -> bool {
    matches!(name, "first_over_time" | "last_over_time")
}

/// Whether the function makes sense for counters only.
pub(crate) fn expects_counter(name: &str) -> bool {
    matches!(name, "rate" | "increase")
}

/// Whether the function makes use of start timestamps. Of the extended ranges only those in which resets are counted do, as in Prometheus.
pub(crate) fn knows_starts(name: &str, boundary: Boundary) -> bool {
    match boundary {
        Boundary::Range => matches!(name, "rate" | "increase" | "irate" | "resets"),
        Boundary::Anchored => name == "resets",
        Boundary::Smoothed => false,
    }
}

const TABLE: &[(&str, RangeFunction)] = &[
    ("avg_over_time", over_time::avg),
    ("changes", over_time::changes),
    ("count_over_time", over_time::count),
    ("delta", rate::delta),
    ("deriv", trend::deriv),
    ("double_exponential_smoothing", trend::double_exponential_smoothing),
    ("first_over_time", over_time::first),
    ("idelta", rate::idelta),
    ("increase", rate::increase),
    ("irate", rate::irate),
    ("last_over_time", over_time::last),
    ("mad_over_time", over_time::mad),
    ("max_over_time", over_time::max),
    ("min_over_time", over_time::min),
    ("predict_linear", trend::predict_linear),
    ("present_over_time", over_time::present),
    ("quantile_over_time", over_time::quantile),
    ("rate", rate::rate),
    ("resets", over_time::resets),
    ("stddev_over_time", over_time::stddev),
    ("stdvar_over_time", over_time::stdvar),
    ("sum_over_time", over_time::sum),
    ("ts_of_first_over_time", over_time::ts_of_first),
    ("ts_of_last_over_time", over_time::ts_of_last),
    ("ts_of_max_over_time", over_time::ts_of_max),
    ("ts_of_min_over_time", over_time::ts_of_min),
];
