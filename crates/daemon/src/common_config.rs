//! Reading the sections that every tier's configuration has.

use std::path::PathBuf;

use alert::RawAlerting;
use config::{Report, Spanned};
use promql::ParseOptions;
use rules::{GroupDefaults, RuleSet};
use scrape::{GlobalConfig, RawGlobalConfig, RawScrapeConfig, ScrapeConfig};

use crate::alerting::AlertingConfig;
use crate::built_in::{BuiltIn, RawBuiltIns};
use crate::files_read::FilesRead;
use crate::storage_config::{RawStorage, StorageConfig};
use crate::tier::CommonConfig;

/// The sections as written.
#[derive(Debug, Default)]
pub struct RawCommon {
    /// `global:`
    pub global: RawGlobalConfig,
    /// `scrape_configs:`
    pub scrape_configs: Vec<Spanned<RawScrapeConfig>>,
    /// `scrape_config_files:`
    pub scrape_config_files: Vec<Spanned<String>>,
    /// `rule_files:`
    pub rule_files: Vec<Spanned<String>>,
    /// `alerting:`
    pub alerting: RawAlerting,
    /// `storage:`
    pub storage: RawStorage,
    /// `built_in_alerts:`
    pub built_in_alerts: RawBuiltIns,
}

impl RawCommon {
    /// Checks the sections, and all files that they name. `language` is what of PromQL rules may use, `built_in` are the alerts that the
    /// tier raises unwritten.
    pub fn validate(
        self,
        text: &str,
        language: ParseOptions,
        built_in: &[BuiltIn],
        report: &mut Report,
    ) -> CommonConfig {
        let global = GlobalConfig::validate(self.global, |name| std::env::var(name).ok(), report);
        check_patterns(&self.rule_files, "rule file", report);
        check_patterns(&self.scrape_config_files, "scrape config file", report);
        let resolved = |patterns: &[Spanned<String>]| patterns.iter().map(|pattern| report.resolve(pattern)).collect();
        let (scrape_files, rule_patterns): (Vec<PathBuf>, Vec<PathBuf>) =
            (resolved(&self.scrape_config_files), resolved(&self.rule_files));
        let mut files = FilesRead::of(scrape_files.iter().chain(&rule_patterns).cloned().collect());
        files.add(report.file(), text);
        let scrape = ScrapeConfig::validate_all(self.scrape_configs, &scrape_files, &global, report);
        let (interval_ms, query_offset_ms) = (global.evaluation_interval_ms, global.rule_query_offset_ms);
        let defaults = GroupDefaults { interval_ms, query_offset_ms, language };
        let mut rules = report.take(RuleSet::load(&rule_patterns, defaults)).unwrap_or_default();
        let built_in = self.built_in_alerts.validate(built_in, global.evaluation_interval_ms, report);
        rules.groups.extend(built_in.rules.groups);
        let alerting =
            AlertingConfig::validate(self.alerting, global.names.validation, &built_in.inhibitions, &mut files, report);
        let storage = StorageConfig::validate(&self.storage, report);
        let places = self.rule_files.iter().map(|pattern| pattern.position);
        let rule_files = rule_patterns.into_iter().zip(places).map(|(pattern, at)| Spanned::new(pattern, at)).collect();
        CommonConfig { text: config::redact(text), files, global, scrape, rule_files, rules, alerting, storage }
    }
}

/// As in Prometheus, folders are named as they are.
fn check_patterns(patterns: &[Spanned<String>], what: &str, report: &mut Report) {
    let has_star = |folder: &str| folder.contains('*');
    for pattern in
        patterns.iter().filter(|pattern| pattern.rsplit_once('/').is_some_and(|(folder, _)| has_star(folder)))
    {
        report.error(pattern, format_args!("invalid {what} path {:?}: only its last part may have a *", pattern.value));
    }
}
