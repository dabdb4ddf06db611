//! A global's configuration file: Prometheus's words, with `federation` and `bucket` besides.

use std::path::Path;

use bucket::{Location, RawBucket};
use config::{Errors, Ignored, Report, Spanned};
use daemon::{Loaded, RawAlerting, RawCommon, RawStorage, read_config};
use scrape::{RawGlobalConfig, RawScrapeConfig};
use serde::Deserialize;

/// What a shard brings after its link was cut is late by as long as it was. Shards keep samples for 15 days where nobody says otherwise.
const LATE_MS: i64 = 15 * 86_400_000;

/// The file as written. Sections that are known and not served are refused by name.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawConfig {
    global: RawGlobalConfig,
    federation: federation::RawConfig,
    bucket: Option<RawBucket>,
    scrape_configs: Vec<Spanned<RawScrapeConfig>>,
    rule_files: Vec<Spanned<String>>,
    alerting: RawAlerting,
    storage: RawStorage,
    peer: Option<Spanned<Ignored>>,
    retention: Option<Spanned<Ignored>>,
    remote_write: Option<Spanned<Ignored>>,
}

/// The sections that only a global has.
#[derive(Debug, Clone)]
pub struct GlobalOwnConfig {
    /// Whom to pull, and what.
    pub federation: federation::Config,
    /// Where blocks go; `None` keeps them local only.
    pub bucket: Option<Location>,
}

/// Reads and checks a global's file with everything it names, changing nothing.
///
/// # Errors
/// Everything that is wrong in it and in the rule files, with file, line and column.
pub fn load(file: &Path) -> Result<Loaded<GlobalOwnConfig>, Errors> {
    let text = read_config(file)?;
    let raw: RawConfig = config::load(&text, file)?;
    let mut report = Report::new(file);
    for (key, value) in [("peer", &raw.peer), ("retention", &raw.retention), ("remote_write", &raw.remote_write)] {
        report.unsupported(key, value.as_ref());
    }
    for selector in raw.federation.selectors() {
        report.check(selector, promql::parse_selectors(selector));
    }
    let federation = raw.federation.validate(&mut report);
    let bucket = raw.bucket.as_ref().and_then(|bucket| bucket.validate(&mut report));
    let common = RawCommon {
        global: raw.global,
        scrape_configs: raw.scrape_configs,
        rule_files: raw.rule_files,
        alerting: raw.alerting,
        storage: raw.storage.with_default_window(LATE_MS),
    };
    let common = common.validate(&text, &mut report);
    report.finish(())?;
    Ok(Loaded { common: common?, own: GlobalOwnConfig { federation, bucket } })
}
