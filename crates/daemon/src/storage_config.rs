//! The section `storage`: what of the database may change while the node runs.

use config::{DurationMs, Ignored, Report, Spanned};
use serde::Deserialize;

/// Prometheus's default.
const MAX_EXEMPLARS: usize = 100_000;

/// `storage` as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawStorage {
    tsdb: RawTsdb,
    exemplars: RawExemplars,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawTsdb {
    out_of_order_time_window: Option<DurationMs>,
    retention: Option<Spanned<Ignored>>,
    stale_series_compaction_threshold: Option<Spanned<Ignored>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawExemplars {
    max_exemplars: Option<i64>,
}

impl RawStorage {
    /// Takes late samples within this window where the file doesn't say how late they may be.
    pub fn with_default_window(mut self, window_ms: i64) -> Self {
        self.tsdb.out_of_order_time_window.get_or_insert(DurationMs(window_ms));
        self
    }
}

/// `storage`, validated, with defaults in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageConfig {
    /// How much older than the newest a late sample may be, in milliseconds; 0 takes none that is out of order.
    pub out_of_order_window_ms: i64,
    /// How many exemplars are kept in memory; 0 keeps none.
    pub max_exemplars: usize,
}

impl Default for StorageConfig {
    fn default() -> Self {
        StorageConfig { out_of_order_window_ms: 0, max_exemplars: MAX_EXEMPLARS }
    }
}

impl StorageConfig {
    /// Checks what was written.
    pub fn validate(raw: &RawStorage, report: &mut Report) -> Self {
        report.unsupported("storage.tsdb.retention", raw.tsdb.retention.as_ref());
        let threshold = raw.tsdb.stale_series_compaction_threshold.as_ref();
        report.unsupported("storage.tsdb.stale_series_compaction_threshold", threshold);
        let defaults = StorageConfig::default();
        StorageConfig {
            out_of_order_window_ms: raw
                .tsdb
                .out_of_order_time_window
                .map_or(defaults.out_of_order_window_ms, |window| window.0),
            // As in Prometheus, less than nothing is nothing.
            max_exemplars: raw
                .exemplars
                .max_exemplars
                .map_or(defaults.max_exemplars, |count| usize::try_from(count).unwrap_or(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn load(text: &str) -> Result<StorageConfig, String> {
        let file = Path::new("prometheus.yml");
        let raw: RawStorage = config::load(text, file).map_err(|e| e.to_string())?;
        let mut report = Report::new(file);
        let config = StorageConfig::validate(&raw, &mut report);
        report.finish(config).map_err(|e| e.to_string())
    }

    #[test]
    fn takes_prometheus_s_words() {
        let check = |text: &str, window: i64, exemplars: usize| {
            let want = StorageConfig { out_of_order_window_ms: window, max_exemplars: exemplars };
            assert_eq!(load(text), Ok(want), "{text}");
        };
        check("{}", 0, 100_000);
        check("tsdb: {out_of_order_time_window: 30m}", 1_800_000, 100_000);
        check("tsdb: {out_of_order_time_window: 0s}", 0, 100_000);
        check("exemplars: {max_exemplars: 500}", 0, 500);
        check("exemplars: {max_exemplars: -1}", 0, 0);
    }

    #[test]
    fn refuses_what_it_does_not_serve() {
        let check = |text: &str, want: &str| {
            let error = load(text).expect_err(text);
            assert!(error.contains(want), "{error}");
        };
        check("tsdb: {retention: {time: 1d}}", "storage.tsdb.retention is not supported yet");
        check("tsdb: {stale_series_compaction_threshold: 0.5}", "not supported yet");
        check("exemplars: {max: 1}", "max");
    }
}
