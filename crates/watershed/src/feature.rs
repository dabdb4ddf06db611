//! The features behind `--enable-feature`.

use clap::ValueEnum;
use promql::ParseOptions;

/// What is off unless it is asked for. Features of Prometheus that are always on here are taken and change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Feature {
    /// Load the configuration anew when one of its files has changed.
    AutoReloadConfig,
    /// Store what targets say of their metrics with the series, in the write-ahead log as well.
    MetadataWalRecords,
    /// Always on.
    ExemplarStorage,
    /// Functions and aggregations of PromQL that may still change, such as `info`, `limitk` and `mad_over_time`.
    PromqlExperimentalFunctions,
    /// Durations that are computed: `[5m * 2]`, `offset (range() / 2)`.
    PromqlDurationExpr,
    /// `anchored` and `smoothed` behind ranges.
    PromqlExtendedRangeSelectors,
    /// `fill`, `fill_left` and `fill_right` behind operators.
    PromqlBinopFillModifiers,
    /// Names of metrics that functions and operators take away go at the end of a query.
    PromqlDelayedNameRemoval,
    /// Start timestamps, where stored samples have them, tell `rate`, `increase`, `irate` and `resets` of counter resets, and the function
    /// `start_timestamp` gives them.
    UseStartTimestamps,
    /// `stats=all` tells of every step how many samples it looked at.
    PromqlPerStepStats,
}

impl Feature {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Feature::AutoReloadConfig => "auto-reload-config",
            Feature::MetadataWalRecords => "metadata-wal-records",
            Feature::ExemplarStorage => "exemplar-storage",
            Feature::PromqlExperimentalFunctions => "promql-experimental-functions",
            Feature::PromqlDurationExpr => "promql-duration-expr",
            Feature::PromqlExtendedRangeSelectors => "promql-extended-range-selectors",
            Feature::PromqlBinopFillModifiers => "promql-binop-fill-modifiers",
            Feature::PromqlDelayedNameRemoval => "promql-delayed-name-removal",
            Feature::UseStartTimestamps => "use-start-timestamps",
            Feature::PromqlPerStepStats => "promql-per-step-stats",
        }
    }

    /// What of PromQL these features allow.
    pub(crate) fn language(features: &[Feature]) -> ParseOptions {
        let has = |feature| features.contains(&feature);
        ParseOptions {
            experimental_functions: has(Feature::PromqlExperimentalFunctions),
            duration_expressions: has(Feature::PromqlDurationExpr),
            extended_range_selectors: has(Feature::PromqlExtendedRangeSelectors),
            fill_modifiers: has(Feature::PromqlBinopFillModifiers),
            delayed_name_removal: has(Feature::PromqlDelayedNameRemoval),
            start_timestamps: has(Feature::UseStartTimestamps),
        }
    }
}
