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
    retention: RawRetention,
    chunk_encoding: RawChunkEncoding,
    stale_series_compaction_threshold: Option<Spanned<Ignored>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawRetention {
    time: Option<DurationMs>,
    size: Option<Spanned<String>>,
    percentage: Option<Spanned<Ignored>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawChunkEncoding {
    floats: Option<Spanned<String>>,
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
    /// How long samples are kept, in milliseconds, where the command line doesn't count.
    pub retention_ms: Option<i64>,
    /// How many bytes blocks and logs may take, where the command line doesn't count.
    pub retention_bytes: Option<u64>,
}

impl Default for StorageConfig {
    fn default() -> Self {
        StorageConfig {
            out_of_order_window_ms: 0,
            max_exemplars: MAX_EXEMPLARS,
            retention_ms: None,
            retention_bytes: None,
        }
    }
}

impl StorageConfig {
    /// Checks what was written.
    pub fn validate(raw: &RawStorage, report: &mut Report) -> Self {
        let RawRetention { time, size, percentage } = &raw.tsdb.retention;
        let instead = "say with size how many bytes of the disk blocks and logs may take";
        report.unserved("storage.tsdb.retention.percentage", percentage.as_ref(), instead);
        let threshold = raw.tsdb.stale_series_compaction_threshold.as_ref();
        let instead = "series that have ended leave memory with the block that is cut of them. Remove the key";
        report.unserved("storage.tsdb.stale_series_compaction_threshold", threshold, instead);
        match raw.tsdb.chunk_encoding.floats.as_ref().map(|floats| (floats, floats.as_str())) {
            None | Some((_, "xor")) => {}
            Some((floats, "xor2")) => report.error(
                floats,
                "storage.tsdb.chunk_encoding.floats: xor2 is not served: chunks of it are read, and xor is written, which \
                 every Prometheus reads. Write xor, or remove the key",
            ),
            Some((floats, other)) => {
                report.error(floats, format_args!("unknown chunk encoding {other:?}, expected xor or xor2"));
            }
        }
        let size = size.as_ref().and_then(|size| report.check(size, config::parse_size(size)));
        // As in Prometheus, 0 is "not given".
        let retention_ms = time.as_ref().map(|time| time.0).filter(|ms| *ms > 0);
        let retention_bytes = size.filter(|bytes| *bytes > 0);
        let defaults = StorageConfig::default();
        StorageConfig {
            retention_ms,
            retention_bytes,
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
            let want =
                StorageConfig { out_of_order_window_ms: window, max_exemplars: exemplars, ..StorageConfig::default() };
            assert_eq!(load(text), Ok(want), "{text}");
        };
        check("{}", 0, 100_000);
        check("tsdb: {out_of_order_time_window: 30m}", 1_800_000, 100_000);
        check("tsdb: {out_of_order_time_window: 0s}", 0, 100_000);
        check("exemplars: {max_exemplars: 500}", 0, 500);
        check("exemplars: {max_exemplars: -1}", 0, 0);
    }

    #[test]
    fn what_is_kept_may_stand_in_the_file() {
        let check = |text: &str, want: (Option<i64>, Option<u64>)| {
            let config = load(text).expect(text);
            assert_eq!((config.retention_ms, config.retention_bytes), want, "{text}");
        };
        check("tsdb: {retention: {time: 1d}}", (Some(86_400_000), None));
        check("tsdb: {retention: {size: 1GB, time: 0s}}", (None, Some(1 << 30)));
    }

    #[test]
    fn refuses_what_it_does_not_serve() {
        let check = |text: &str, want: &str| {
            let error = load(text).expect_err(text);
            assert!(error.contains(want), "{error}");
        };
        check("tsdb: {retention: {percentage: 10}}", "storage.tsdb.retention.percentage is not served: say with size");
        check("tsdb: {retention: {size: 10}}", "1:26: not a valid size: \"10\"");
        check("tsdb: {stale_series_compaction_threshold: 0.5}", "is not served: series that have ended");
        check("tsdb: {chunk_encoding: {floats: xor2}}", "xor is written, which every Prometheus reads");
        check("tsdb: {chunk_encoding: {floats: XOR}}", "1:33: unknown chunk encoding \"XOR\", expected xor or xor2");
        check("exemplars: {max: 1}", "max");
    }
}
