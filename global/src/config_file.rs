//! A global's configuration file: Prometheus's words, with `federation` and `bucket` besides.

use std::path::Path;

use bucket::RawBucket;
use config::{Errors, Ignored, ProxyEnvironment, Report, Spanned};
use daemon::{Loaded, RawAlerting, RawBuiltIns, RawCommon, RawRuntime, RawStorage};
use federation::{GLOBAL_LABEL, PeerConfig, RawPeer};
use promql::ParseOptions;
use scrape::{RawGlobalConfig, RawScrapeConfig};
use serde::Deserialize;

use crate::alerts;

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
    scrape_config_files: Vec<Spanned<String>>,
    rule_files: Vec<Spanned<String>>,
    alerting: RawAlerting,
    storage: RawStorage,
    built_in_alerts: RawBuiltIns,
    name: Option<Spanned<String>>,
    peer: Option<Spanned<RawPeer>>,
    retention: Option<Spanned<Ignored>>,
    runtime: RawRuntime,
    remote_write: Option<Spanned<Ignored>>,
}

/// The sections that only a global has.
#[derive(Debug, Clone)]
pub struct GlobalOwnConfig {
    /// Whom to pull, and what.
    pub federation: federation::Config,
    /// Where blocks go; `None` keeps them local only.
    pub bucket: Option<bucket::Config>,
}

/// Reads and checks a global's file with everything it names, changing nothing. `default_name` is what the global is called if the file
/// doesn't say, `language` what of PromQL rules may use.
///
/// # Errors
/// Everything that is wrong in it and in the rule files, with file, line and column.
pub fn load(file: &Path, default_name: &str, language: ParseOptions) -> Result<Loaded<GlobalOwnConfig>, Errors> {
    let text = config::read_file(file)?;
    let raw: RawConfig = config::load(&text, file)?;
    let mut report = Report::new(file).with_proxies(ProxyEnvironment::read(|name| std::env::var(name).ok()));
    report.unsupported("retention", raw.retention.as_ref());
    let instead = "what a global stores goes into its bucket, in Thanos's layout, or over /federate to whatever writes to the other end";
    report.unserved("remote_write", raw.remote_write.as_ref(), instead);
    raw.runtime.check(&mut report);
    for selector in raw.federation.selectors() {
        report.check(selector, promql::parse_selectors(selector));
    }
    let mut federation = raw.federation.validate(&mut report);
    federation.name = match raw.name {
        Some(name) => report.check(&name, checked_name(&name)).unwrap_or_default(),
        None => default_name.to_owned(),
    };
    federation.peer = raw.peer.and_then(|peer| PeerConfig::validate(peer, &mut report));
    let built_in = alerts::built_in(&federation.name, &federation.shard_labels, federation.peer.is_some());
    let bucket = raw.bucket.as_ref().and_then(|bucket| bucket.validate(&mut report));
    let common = RawCommon {
        global: raw.global,
        scrape_configs: raw.scrape_configs,
        scrape_config_files: raw.scrape_config_files,
        rule_files: raw.rule_files,
        alerting: raw.alerting,
        storage: raw.storage.with_default_window(LATE_MS),
        built_in_alerts: raw.built_in_alerts,
    };
    let mut common = common.validate(&text, language, &built_in, &mut report);
    // What a global scrapes is its own, as what it knows of its pulls is: the other one of a pair has it under this label.
    common.scrape.iter_mut().for_each(|job| job.label_targets(GLOBAL_LABEL, &federation.name));
    let notes = report.notes().to_vec();
    report.finish(Loaded { common, own: GlobalOwnConfig { federation, bucket }, notes })
}

/// The name stands in labels, selectors and rules, so it is kept plain.
fn checked_name(name: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    match !name.is_empty() && name.chars().all(plain) {
        true => Ok(name.to_owned()),
        false => Err(format!("the name {name:?} of this global must consist of letters, digits and any of -_.:")),
    }
}
