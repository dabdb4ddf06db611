//! `watershed check`: validates files without running anything.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use config::{Errors, ProxyEnvironment, Report};
use promql::ParseOptions;
use rules::{GroupDefaults, RuleSet};

use super::{config_file, relabel};
use crate::arguments::{Check, CheckConfig, Files, WithExpressions};
use crate::feature::Feature;

/// Checks every file, says what is wrong with each, and fails if anything is.
pub(crate) fn run(check: &Check) -> Result<ExitCode> {
    match check {
        Check::Config(flags) => {
            let WithExpressions { files, features } = &flags.files;
            let language = Feature::language(features);
            check_all(files, |file| check_config(file, language, flags))
        }
        Check::Rules(WithExpressions { files, features }) => {
            let language = Feature::language(features);
            check_all(files, |file| check_rules(file, language))
        }
        Check::AlertConfig(files) => check_all(files, check_alert_config),
        Check::Relabel(flags) => relabel::run(flags),
    }
}

fn check_all(Files { files }: &Files, check: impl Fn(&Path) -> Result<String, Errors>) -> Result<ExitCode> {
    let mut failed = false;
    let mut out = std::io::stdout().lock();
    for file in files {
        match check(file) {
            Ok(found) => writeln!(out, "{}: fine, {found}", file.display())?,
            Err(errors) => {
                failed = true;
                writeln!(std::io::stderr(), "{errors}")?;
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn check_config(file: &Path, language: ParseOptions, flags: &CheckConfig) -> Result<String, Errors> {
    let (tier, common) = config_file::load(file, language, flags.agent)?;
    let errors = if flags.syntax_only { Vec::new() } else { common.check_named_files(file) };
    if !errors.is_empty() {
        return Err(Errors(errors));
    }
    let groups = common.rules.groups.iter().filter(|group| group.file != Path::new(daemon::BUILT_IN)).count();
    Ok(format!("{tier} with {} scrape jobs and {groups} rule groups", common.scrape.len()))
}

fn check_rules(file: &Path, language: ParseOptions) -> Result<String, Errors> {
    let set = RuleSet::check(file, &config::read_file(file)?, GroupDefaults { language, ..GroupDefaults::default() })?;
    let rules: usize = set.groups.iter().map(|group| group.rules.len()).sum();
    Ok(format!("{} groups with {rules} rules", set.groups.len()))
}

fn check_alert_config(file: &Path) -> Result<String, Errors> {
    let proxies = ProxyEnvironment::read(|name| std::env::var(name).ok());
    alert::Config::load(&config::read_file(file)?, Report::new(file).with_proxies(proxies))
        .map(|_| "routes and receivers".to_owned())
}
