//! The features behind `--enable-feature`.

use std::ffi::OsStr;

use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command, ValueEnum};
use promql::ParseOptions;

/// Features of Prometheus that change what is stored of a scrape and are not served: why they are refused.
const REFUSED: [(&str, &str); 3] = [
    ("st-storage", "start timestamps that targets show are not stored with their samples"),
    (
        "st-synthesis",
        "no start timestamps are made up: counters are stored as targets show them, the first sample included",
    ),
    ("type-and-unit-labels", "what targets say of their metrics is metadata and does not become labels"),
];

/// What is off unless it is asked for. Features of Prometheus that are always on here are taken and change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Feature {
    /// Load the configuration anew when one of its files has changed.
    AutoReloadConfig,
    /// Store what targets say of their metrics with the series, in the write-ahead log as well.
    MetadataWalRecords,
    /// Store a zero where a counter, histogram or summary began, at the time that its target shows; targets are asked for protocol buffers
    /// first, and the `_created` lines of OpenMetrics become no series.
    CreatedTimestampZeroIngestion,
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
            Feature::CreatedTimestampZeroIngestion => "created-timestamp-zero-ingestion",
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

/// Reads the name of a feature; of some that Prometheus has it says why there is no such thing here.
#[derive(Clone)]
pub(crate) struct FeatureParser;

impl TypedValueParser for FeatureParser {
    type Value = Feature;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Feature, clap::Error> {
        if let Some((name, reason)) = REFUSED.iter().find(|(name, _)| value == *name) {
            let message = format!("--enable-feature={name} is not supported: {reason}\n");
            return Err(clap::Error::raw(ErrorKind::InvalidValue, message).with_cmd(command));
        }
        EnumValueParser::<Feature>::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Feature::value_variants().iter().filter_map(ValueEnum::to_possible_value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_read_or_refused_with_a_reason() {
        let read = |word: &str| FeatureParser.parse_ref(&Command::new("w"), None, OsStr::new(word));
        assert_eq!(read("exemplar-storage").ok(), Some(Feature::ExemplarStorage));
        for (name, reason) in REFUSED {
            let error = read(name).expect_err(name).to_string();
            assert!(error.contains(name) && error.contains(reason), "{error}");
        }
        let error = read("exemplar").expect_err("no feature").to_string();
        assert!(error.contains("possible values"), "{error}");
    }
}
