//! The section `storage`: what of the database may change while the node runs.

use std::io;
use std::path::Path;

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
    percentage: Option<Spanned<f64>>,
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

/// How much of a disk may be taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Room {
    /// So many bytes.
    Bytes(u64),
    /// So many per cent of all there is, whoever has it.
    PartOfDisk(f64),
}

impl Room {
    /// In bytes, on the disk where `folder` is.
    pub(crate) fn bytes(self, folder: &Path) -> io::Result<u64> {
        match self {
            Room::Bytes(bytes) => Ok(bytes),
            Room::PartOfDisk(percentage) => {
                let disk = rustix::fs::statvfs(folder)?;
                let all = disk.f_blocks.saturating_mul(disk.f_frsize);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most all of the disk")]
                Ok((all as f64 * percentage / 100.0) as u64)
            }
        }
    }
}

/// `storage`, validated, with defaults in place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StorageConfig {
    /// How much older than the newest a late sample may be, in milliseconds; 0 takes none that is out of order.
    pub out_of_order_window_ms: i64,
    /// How many exemplars are kept in memory; 0 keeps none.
    pub max_exemplars: usize,
    /// How long samples are kept, in milliseconds, where the command line doesn't count.
    pub retention_ms: Option<i64>,
    /// How much blocks and logs may take, where the command line doesn't count.
    pub room: Option<Room>,
}

impl Default for StorageConfig {
    fn default() -> Self {
        StorageConfig { out_of_order_window_ms: 0, max_exemplars: MAX_EXEMPLARS, retention_ms: None, room: None }
    }
}

impl StorageConfig {
    /// Checks what was written.
    pub fn validate(raw: &RawStorage, report: &mut Report) -> Self {
        let RawRetention { time, size, percentage } = &raw.tsdb.retention;
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
        let size = size.filter(|bytes| *bytes > 0).map(Room::Bytes);
        if let Some(percentage) = percentage.as_ref().filter(|percentage| !(0.0..=100.0).contains(&***percentage)) {
            report.error(percentage, format_args!("{}% of a disk is not within 0 and 100", **percentage));
        }
        let part = percentage.as_ref().map(|percentage| **percentage).filter(|percentage| *percentage > 0.0);
        let defaults = StorageConfig::default();
        StorageConfig {
            retention_ms,
            room: part.map(Room::PartOfDisk).or(size),
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
        let check = |text: &str, want: (Option<i64>, Option<Room>)| {
            let config = load(text).expect(text);
            assert_eq!((config.retention_ms, config.room), want, "{text}");
        };
        check("tsdb: {retention: {time: 1d}}", (Some(86_400_000), None));
        check("tsdb: {retention: {size: 1GB, time: 0s}}", (None, Some(Room::Bytes(1 << 30))));
        check("tsdb: {retention: {size: 1GB, percentage: 12.5}}", (None, Some(Room::PartOfDisk(12.5))));
        check("tsdb: {retention: {size: 1GB, percentage: 0}}", (None, Some(Room::Bytes(1 << 30))));
    }

    #[test]
    fn a_part_of_the_disk_is_known_in_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let bytes = |percentage| Room::PartOfDisk(percentage).bytes(folder.path()).expect("a disk");
        assert!(bytes(100.0) > 1 << 20);
        assert!(bytes(50.0).abs_diff(bytes(100.0) / 2) < 1 << 20);
        assert_eq!(Room::Bytes(7).bytes(Path::new("/none")).expect("bytes"), 7);
        assert!(Room::PartOfDisk(1.0).bytes(Path::new("/none")).is_err());
    }

    #[test]
    fn refuses_what_it_does_not_serve() {
        let check = |text: &str, want: &str| {
            let error = load(text).expect_err(text);
            assert!(error.contains(want), "{error}");
        };
        check("tsdb: {retention: {percentage: 101}}", "1:32: 101% of a disk is not within 0 and 100");
        check("tsdb: {retention: {percentage: .nan}}", "NaN% of a disk");
        check("tsdb: {retention: {size: 10}}", "1:26: not a valid size: \"10\"");
        check("tsdb: {stale_series_compaction_threshold: 0.5}", "is not served: series that have ended");
        check("tsdb: {chunk_encoding: {floats: xor2}}", "xor is written, which every Prometheus reads");
        check("tsdb: {chunk_encoding: {floats: XOR}}", "1:33: unknown chunk encoding \"XOR\", expected xor or xor2");
        check("exemplars: {max: 1}", "max");
    }
}
