//! `gce_sd_configs` in the configuration.

use std::time::Duration;

use config::{DurationMs, HttpClientConfig, Position, Report, Spanned};
use serde::Deserialize;

use crate::cloud::words;

const DEFAULT_REFRESH_MS: i64 = 60_000;
const DEFAULT_TAG_SEPARATOR: &str = ",";

config::with_http_client! {
    /// `gce_sd_configs` as written.
    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct RawGceSdConfig {
        /// The project.
        pub project: String,
        /// The zone.
        pub zone: String,
        /// Which instances, in the API's language; all by default.
        pub filter: String,
        /// How often the instances are listed, 60s by default.
        pub refresh_interval: Option<Spanned<DurationMs>>,
        /// The port of all targets, 80 by default.
        pub port: Option<Spanned<u64>>,
        /// What stands between and around an instance's tags, a comma by default.
        pub tag_separator: Option<String>,
    }
}

/// `gce_sd_configs`, validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GceSdConfig {
    /// The project.
    pub project: String,
    /// The zone.
    pub zone: String,
    /// Which instances, in the API's language; empty for all.
    pub filter: String,
    /// How often the instances are listed, in milliseconds.
    pub refresh_interval_ms: i64,
    /// The port of all targets.
    pub port: u16,
    /// What stands between and around an instance's tags.
    pub tag_separator: String,
    /// How to talk to the API. Prometheus has no words for it here.
    pub http: HttpClientConfig,
}

impl GceSdConfig {
    pub(crate) fn validate(mut raw: RawGceSdConfig, position: Position, report: &mut Report) -> Self {
        let http = HttpClientConfig::validate(raw.take_http_client(), report);
        for (word, text) in [("project", &raw.project), ("zone", &raw.zone)] {
            if text.is_empty() {
                report.error(position, format_args!("GCE SD configuration requires a {word}"));
            }
        }
        GceSdConfig {
            refresh_interval_ms: words::refresh_interval_ms(raw.refresh_interval.as_ref(), DEFAULT_REFRESH_MS, report),
            port: words::port(raw.port.as_ref(), report),
            project: raw.project,
            zone: raw.zone,
            filter: raw.filter,
            tag_separator: raw.tag_separator.unwrap_or_else(|| DEFAULT_TAG_SEPARATOR.to_owned()),
            http,
        }
    }

    pub(crate) fn interval(&self) -> Duration {
        Duration::from_millis(self.refresh_interval_ms.max(1).unsigned_abs())
    }
}
