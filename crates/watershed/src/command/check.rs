//! `watershed check`: validates files without running anything.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use config::{Errors, ProxyEnvironment, Report};
use promql::ParseOptions;
use rules::{GroupDefaults, RuleSet};

use super::{config_file, relabel};
use crate::arguments::{Check, Files, WithExpressions};
use crate::feature::Feature;

/// Checks every file, says what is wrong with each, and fails if anything is.
pub(crate) fn run(check: &Check) -> Result<ExitCode> {
    type CheckFile = fn(&Path, ParseOptions) -> Result<String, Errors>;
    let (Files { files }, features, check_file): (_, &[Feature], CheckFile) = match check {
        Check::Config(WithExpressions { files, features }) => (files, features, check_config),
        Check::Rules(WithExpressions { files, features }) => (files, features, check_rules),
        Check::Relabel(flags) => return relabel::run(flags),
        Check::AlertConfig(files) => (files, &[], check_alert_config),
    };
    let language = Feature::language(features);
    let mut failed = false;
    let mut out = std::io::stdout().lock();
    for file in files {
        match check_file(file, language) {
            Ok(found) => writeln!(out, "{}: fine, {found}", file.display())?,
            Err(errors) => {
                failed = true;
                writeln!(std::io::stderr(), "{errors}")?;
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn check_config(file: &Path, language: ParseOptions) -> Result<String, Errors> {
    let (tier, common) = config_file::load(file, language)?;
    let groups = common.rules.groups.iter().filter(|group| group.file != Path::new(daemon::BUILT_IN)).count();
    Ok(format!("{tier} with {} scrape jobs and {groups} rule groups", common.scrape.len()))
}

fn check_rules(file: &Path, language: ParseOptions) -> Result<String, Errors> {
    let set = RuleSet::check(file, &config::read_file(file)?, GroupDefaults { language, ..GroupDefaults::default() })?;
    let rules: usize = set.groups.iter().map(|group| group.rules.len()).sum();
    Ok(format!("{} groups with {rules} rules", set.groups.len()))
}

fn check_alert_config(file: &Path, _: ParseOptions) -> Result<String, Errors> {
    let proxies = ProxyEnvironment::read(|name| std::env::var(name).ok());
    alert::Config::load(&config::read_file(file)?, Report::new(file).with_proxies(proxies))
        .map(|_| "routes and receivers".to_owned())
}
