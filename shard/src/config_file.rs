//! A shard's configuration file: Prometheus's, with `alerting.local` and `sharding` besides.

use std::path::Path;

use config::{Errors, Ignored, ProxyEnvironment, Report, Spanned};
use daemon::{Loaded, RawAlerting, RawBuiltIns, RawCommon, RawRuntime, RawStorage};
use promql::ParseOptions;
use scrape::{RawGlobalConfig, RawScrapeConfig};
use serde::Deserialize;

use sharding::{RawSharding, ShardingConfig};

use crate::alerts;

/// The file as written. Sections that are known and not served are refused by name.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawConfig {
    global: RawGlobalConfig,
    scrape_configs: Vec<Spanned<RawScrapeConfig>>,
    scrape_config_files: Vec<Spanned<String>>,
    rule_files: Vec<Spanned<String>>,
    alerting: Option<Spanned<RawAlerting>>,
    storage: RawStorage,
    built_in_alerts: Option<Spanned<RawBuiltIns>>,
    sharding: Option<Spanned<RawSharding>>,
    runtime: RawRuntime,
    remote_write: Option<Spanned<Ignored>>,
    remote_read: Option<Spanned<Ignored>>,
    tracing: Option<Spanned<Ignored>>,
    otlp: Option<Spanned<Ignored>>,
}

/// Reads and checks a shard's file with everything it names, changing nothing. `language` is what of PromQL rules may use;
/// an `agent` has none.
///
/// # Errors
/// Everything that is wrong in it and in the files it names, with file, line and column.
pub fn load(file: &Path, language: ParseOptions, agent: bool) -> Result<Loaded<Option<ShardingConfig>>, Errors> {
    let text = config::read_file(file)?;
    let raw: RawConfig = config::load(&text, file)?;
    let mut report = Report::new(file).with_proxies(ProxyEnvironment::read(|name| std::env::var(name).ok()));
    let unserved = [
        (
            "remote_write",
            &raw.remote_write,
            "what a shard stores is pulled: by a global, or over /federate by whatever writes to the other end",
        ),
        (
            "remote_read",
            &raw.remote_read,
            "a shard answers from what it stores. Ask the other storage beside it, or take its blocks into the data directory",
        ),
        ("tracing", &raw.tracing, "a shard exports no traces. Remove the section"),
        ("otlp", &raw.otlp, "a shard takes no OTLP. Let a collector expose these metrics, and scrape it"),
    ];
    for (key, value, instead) in unserved {
        report.unserved(key, value.as_ref(), instead);
    }
    raw.runtime.check(&mut report);
    if agent {
        refuse_rules(&raw, &mut report);
    }
    let built_in = if agent { Vec::new() } else { alerts::built_in() };
    let common = RawCommon {
        global: raw.global,
        scrape_configs: raw.scrape_configs,
        scrape_config_files: raw.scrape_config_files,
        rule_files: raw.rule_files,
        alerting: raw.alerting.map(|section| section.value).unwrap_or_default(),
        storage: raw.storage,
        built_in_alerts: raw.built_in_alerts.filter(|_| !agent).map(|section| section.value).unwrap_or_default(),
    };
    let common = common.validate(&text, language, &built_in, &mut report);
    let sharding = raw.sharding.and_then(|raw| {
        let jobs: Vec<&str> = common.scrape.iter().map(|job| job.job_name.as_str()).collect();
        let interval_ms = common.global.scrape_interval_ms;
        ShardingConfig::validate(raw, |name| std::env::var(name).ok(), &jobs, interval_ms, &mut report)
    });
    let notes = report.notes().to_vec();
    report.finish(Loaded { common, own: sharding, notes })
}

/// Refuses what only a node with rules can do.
fn refuse_rules(raw: &RawConfig, report: &mut Report) {
    let sections = [
        ("rule_files", raw.rule_files.first().map(|pattern| pattern.position)),
        ("alerting", raw.alerting.as_ref().map(|section| section.position)),
        ("built_in_alerts", raw.built_in_alerts.as_ref().map(|section| section.position)),
    ];
    for (key, position) in sections {
        if let Some(position) = position {
            let instead = "an agent evaluates no rules and sends no alerts. Remove the section, or run without --agent";
            report.error(position, format_args!("{key} is not served with --agent: {instead}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], want: &[&str]) {
        check_as(false, files, want);
    }

    fn check_as(agent: bool, files: &[(&str, &str)], want: &[&str]) {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).expect("a file");
        }
        let errors = match load(&dir.path().join("shard.yml"), ParseOptions::default(), agent) {
            Ok(loaded) => loaded.notes.iter().map(|note| format!("note: {note}")).collect(),
            Err(errors) => errors.0.iter().map(ToString::to_string).collect::<Vec<_>>(),
        };
        let prefix = format!("{}/", dir.path().display());
        let errors: Vec<String> = errors.iter().map(|error| error.replace(&prefix, "")).collect();
        assert_eq!(errors, want);
    }

    #[test]
    fn tells_everything_that_is_wrong_in_all_files_at_once() {
        check(
            &[
                (
                    "shard.yml",
                    "scrape_configs: [{job_name: a, scheme: ftp}]\nscrape_config_files: [jobs-*.yml]\n\
                     rule_files: [rules.yml, '*/r.yml']\nremote_read: []\nruntime: {gogc: 50}\n",
                ),
                ("jobs-1.yml", "scrape_configs:\n- job_name: a\n- job_name: b\n  file_sd_configs: [{files: [x]}]\n"),
                ("jobs-2.yml", "scrape_configs: [{job_nam: c}]\n"),
                ("rules.yml", "groups: [{name: g, rules: [{record: a:b, expr: '1 +'}]}]\n"),
            ],
            &[
                "shard.yml:1:40: unknown scheme \"ftp\", expected http or https",
                "shard.yml:3:25: invalid rule file path \"*/r.yml\": only its last part may have a *",
                "shard.yml:4:14: remote_read is not served: a shard answers from what it stores. Ask the other storage beside \
                 it, or take its blocks into the data directory",
                "jobs-1.yml:2:13: found multiple scrape configs with job name \"a\"",
                "jobs-1.yml:4:30: path name \"x\" is not valid for file discovery: it must end in .json, .yml or .yaml and may have \
                 one * in its last part",
                "jobs-2.yml:1:19: unknown key \"job_nam\", did you mean \"job_name\"?",
                "rules.yml:1:52: group \"g\", rule 1, \"a:b\": could not parse expression: unexpected end of input",
            ],
        );
    }

    #[test]
    fn an_agent_has_no_rules() {
        let instead = "is not served with --agent: an agent evaluates no rules and sends no alerts. Remove the section, or run without --agent";
        check_as(
            true,
            &[(
                "shard.yml",
                "alerting: {}\nrule_files: ['*.rules']\nbuilt_in_alerts:\n  TargetDown: {enabled: false}\nscrape_configs: [{job_name: j}]\n",
            )],
            &[
                &format!("shard.yml:1:11: alerting {instead}"),
                &format!("shard.yml:2:14: rule_files {instead}"),
                &format!("shard.yml:4:3: built_in_alerts {instead}"),
            ],
        );
        check_as(true, &[("shard.yml", "scrape_configs: [{job_name: j}]\n")], &[]);
    }

    #[test]
    fn jobs_come_from_all_files_and_notes_are_no_errors() {
        check(
            &[
                (
                    "shard.yml",
                    "scrape_config_files: [jobs.yml]\nruntime:\n  gogc: 50\nsharding: {self: a, peers: [a, b], unshared_jobs: [j]}\n",
                ),
                ("jobs.yml", "scrape_configs: [{job_name: j}]\n"),
            ],
            &["note: shard.yml:3:9: runtime.gogc is taken and changes nothing: there is no garbage collector to tune"],
        );
    }
}
