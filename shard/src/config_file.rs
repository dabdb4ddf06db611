//! A shard's configuration file: Prometheus's, with `alerting.local` and `sharding` besides.

use std::path::Path;

use config::{Errors, Ignored, ProxyEnvironment, Report, Spanned};
use daemon::{CommonConfig, RawAlerting, RawBuiltIns, RawCommon, RawStorage, read_config};
use promql::ParseOptions;
use scrape::{RawGlobalConfig, RawScrapeConfig};
use serde::Deserialize;

use crate::alerts;

/// The file as written. Sections that are known and not served are refused by name.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawConfig {
    global: RawGlobalConfig,
    scrape_configs: Vec<Spanned<RawScrapeConfig>>,
    rule_files: Vec<Spanned<String>>,
    alerting: RawAlerting,
    storage: RawStorage,
    built_in_alerts: RawBuiltIns,
    scrape_config_files: Option<Spanned<Ignored>>,
    remote_write: Option<Spanned<Ignored>>,
    remote_read: Option<Spanned<Ignored>>,
    tracing: Option<Spanned<Ignored>>,
    otlp: Option<Spanned<Ignored>>,
    runtime: Option<Spanned<Ignored>>,
    sharding: Option<Spanned<Ignored>>,
}

/// Reads and checks a shard's file with everything it names, changing nothing. `language` is what of PromQL rules may use.
///
/// # Errors
/// Everything that is wrong in it and in the rule files, with file, line and column.
pub fn load(file: &Path, language: ParseOptions) -> Result<CommonConfig, Errors> {
    let text = read_config(file)?;
    let raw: RawConfig = config::load(&text, file)?;
    let mut report = Report::new(file).with_proxies(ProxyEnvironment::read(|name| std::env::var(name).ok()));
    let unserved = [
        ("scrape_config_files", &raw.scrape_config_files),
        ("remote_write", &raw.remote_write),
        ("remote_read", &raw.remote_read),
        ("tracing", &raw.tracing),
        ("otlp", &raw.otlp),
        ("runtime", &raw.runtime),
        ("sharding", &raw.sharding),
    ];
    for (key, value) in unserved {
        report.unsupported(key, value.as_ref());
    }
    let common = RawCommon {
        global: raw.global,
        scrape_configs: raw.scrape_configs,
        rule_files: raw.rule_files,
        alerting: raw.alerting,
        storage: raw.storage,
        built_in_alerts: raw.built_in_alerts,
    };
    let common = common.validate(&text, language, &alerts::built_in(), &mut report);
    report.finish(()).and(common)
}
