//! Reading the sections that every tier's configuration has.

use std::path::PathBuf;

use alert::RawAlerting;
use config::{Errors, Report, Spanned};
use promql::ParseOptions;
use rules::{GroupDefaults, RuleSet};
use scrape::{GlobalConfig, RawGlobalConfig, RawScrapeConfig, ScrapeConfig};

use crate::alerting::AlertingConfig;
use crate::built_in::{BuiltIn, RawBuiltIns};
use crate::storage_config::{RawStorage, StorageConfig};
use crate::tier::CommonConfig;

/// The sections as written.
#[derive(Debug, Default)]
pub struct RawCommon {
    /// `global:`
    pub global: RawGlobalConfig,
    /// `scrape_configs:`
    pub scrape_configs: Vec<Spanned<RawScrapeConfig>>,
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
    /// Checks the sections, and the rule files that they name. What is wrong in the file itself goes into `report`. `language` is what of
    /// PromQL rules may use, `built_in` are the alerts that the tier raises unwritten.
    ///
    /// # Errors
    /// What is wrong in the rule files, and in the file of `alerting.local`.
    pub fn validate(
        self,
        text: &str,
        language: ParseOptions,
        built_in: &[BuiltIn],
        report: &mut Report,
    ) -> Result<CommonConfig, Errors> {
        let global = GlobalConfig::validate(self.global, |name| std::env::var(name).ok(), report);
        let scrape = ScrapeConfig::validate_all(self.scrape_configs, &global, report);
        let patterns: Vec<PathBuf> = self.rule_files.iter().map(|pattern| report.resolve(pattern)).collect();
        let (interval_ms, query_offset_ms) = (global.evaluation_interval_ms, global.rule_query_offset_ms);
        let defaults = GroupDefaults { interval_ms, query_offset_ms, language };
        let rules = RuleSet::load(&patterns, defaults);
        let built_in = self.built_in_alerts.validate(built_in, global.evaluation_interval_ms, report);
        let alerting = AlertingConfig::validate(self.alerting, &built_in.inhibitions, report);
        let storage = StorageConfig::validate(&self.storage, report);
        match (rules, alerting) {
            (Ok(mut rules), Ok(alerting)) => {
                rules.groups.extend(built_in.rules.groups);
                Ok(CommonConfig { text: config::redact(text), global, scrape, rules, alerting, storage })
            }
            (rules, alerting) => {
                let errors = [rules.err(), alerting.err()].into_iter().flatten().flat_map(|errors| errors.0);
                Err(Errors(errors.collect()))
            }
        }
    }
}
