//! The section `federation` of a global's file.

use std::collections::HashSet;

use config::{DurationMs, HttpClientConfig, Report, Spanned};
use discovery::relabel::{RawRelabelConfig, RelabelConfig};
use discovery::{NameValidation, Sources};
use serde::Deserialize;
use url::Url;

use crate::pull::finding::Finding;
use crate::pull::peer::PeerConfig;
use crate::pull::shard::ShardConfig;
use crate::pull::url::base_url;

/// What users call the label that names a cluster, where nobody says otherwise.
const SHARD_LABEL: &str = "cluster";

/// A global that is not further behind than this is ready, where nobody says otherwise.
const READY_WITHIN_MS: i64 = 2 * 60_000;

discovery::with_sources! {
    /// `federation` as written. The words of an HTTP client count for replicas that are found, and for listed shards that have none of
    /// their own.
    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct RawConfig {
        selectors: Vec<Spanned<String>>,
        replica_labels: Vec<Spanned<String>>,
        shard_labels: Option<Vec<Spanned<String>>>,
        ready_within: Option<DurationMs>,
        shards: Vec<Spanned<RawShard>>,
        relabel_configs: Vec<Spanned<RawRelabelConfig>>,
        initial_lookback: Option<Spanned<DurationMs>>,
    }
}

config::with_http_client! {
    /// One shard as written, with the words of an HTTP client beside its own.
    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct RawShard {
        /// The name on pages and in metrics.
        name: Option<Spanned<String>>,
        /// Base URLs.
        replicas: Vec<Spanned<String>>,
        /// Instead of those of the section.
        selectors: Option<Vec<Spanned<String>>>,
        /// Instead of that of the section.
        initial_lookback: Option<Spanned<DurationMs>>,
    }
}

/// Whom to pull, and what.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// The labels in which the replicas of a shard differ.
    pub replica_labels: Vec<String>,
    /// The external labels that name a shard's cluster in its series and alerts.
    pub shard_labels: Vec<String>,
    /// By how much a global may be behind and still say that it is ready, in milliseconds.
    pub ready_within_ms: i64,
    /// In the order of the file.
    pub shards: Vec<ShardConfig>,
    /// Where others are found.
    pub finding: Finding,
    /// How this global is called: the label `global` of what it stores about its pulls. Empty leaves the label out.
    pub name: String,
    /// The other global of the pair.
    pub peer: Option<PeerConfig>,
}

impl RawConfig {
    /// Every selector with its place, so that whoever knows PromQL can check them before they are sent.
    pub fn selectors(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.selectors.iter().chain(self.shards.iter().flat_map(|shard| shard.selectors.iter().flatten()))
    }

    /// Checks what was written.
    pub fn validate(mut self, report: &mut Report) -> Config {
        let selectors = validate_selectors(&self.selectors, report);
        let http = HttpClientConfig::validate(self.take_http_client(), report);
        let initial_lookback_ms = validate_lookback(self.initial_lookback.take(), report);
        let sources = self.take_sources();
        if let Some(position) = sources.first_found()
            && selectors.is_empty()
        {
            report.error(position, "the shards that are found have nothing to pull: give selectors in federation");
        }
        let finding = Finding {
            sources: Sources::validate(sources, true, report),
            relabel_configs: RelabelConfig::validate_all(self.relabel_configs, NameValidation::Utf8, report),
            selectors,
            http,
            initial_lookback_ms,
        };
        let mut names = HashSet::new();
        let mut shards = Vec::new();
        for shard in self.shards {
            if let Some(shard) = validate_shard(shard, &finding, report) {
                if !names.insert(shard.value.name.clone()) {
                    report.error(&shard, format_args!("the shard {:?} is given twice", shard.name));
                }
                shards.push(shard.value);
            }
        }
        let values = |labels: Vec<Spanned<String>>| labels.into_iter().map(|label| label.value).collect();
        let shard_labels = self.shard_labels.map_or_else(|| vec![SHARD_LABEL.to_owned()], values);
        Config {
            replica_labels: values(self.replica_labels),
            shard_labels,
            ready_within_ms: self.ready_within.map_or(READY_WITHIN_MS, |d| d.0),
            shards,
            finding,
            ..Config::default()
        }
    }
}

/// The shard, standing where its name stands.
fn validate_shard(raw: Spanned<RawShard>, of_section: &Finding, report: &mut Report) -> Option<Spanned<ShardConfig>> {
    let (position, mut raw) = (raw.position, raw.value);
    let own = HttpClientConfig::validate(raw.take_http_client(), report);
    let http = if own == HttpClientConfig::default() { of_section.http.clone() } else { own };
    let selectors = match &raw.selectors {
        Some(own) => validate_selectors(own, report),
        None => of_section.selectors.clone(),
    };
    if selectors.is_empty() {
        report.error(position, "the shard has nothing to pull: give selectors here or in federation");
    }
    if raw.replicas.is_empty() {
        report.error(position, "the shard has no replicas");
    }
    let mut replicas: Vec<Url> = Vec::new();
    for replica in &raw.replicas {
        match report.check(replica, base_url("replica", replica)) {
            Some(url) if replicas.contains(&url) => report.error(replica, "the replica is given twice"),
            url => replicas.extend(url),
        }
    }
    let Some(name) = raw.name.filter(|name| !name.is_empty()) else {
        report.error(position, "the shard has no name");
        return None;
    };
    let initial_lookback_ms = validate_lookback(raw.initial_lookback, report).or(of_section.initial_lookback_ms);
    Some(Spanned::new(ShardConfig { name: name.value, replicas, selectors, http, initial_lookback_ms }, name.position))
}

fn validate_lookback(raw: Option<Spanned<DurationMs>>, report: &mut Report) -> Option<i64> {
    let lookback = raw?;
    if lookback.0 <= 0 {
        report.error(&lookback, "initial_lookback must be longer than 0");
    }
    Some(lookback.0)
}

fn validate_selectors(raw: &[Spanned<String>], report: &mut Report) -> Vec<String> {
    for empty in raw.iter().filter(|selector| selector.trim().is_empty()) {
        report.error(empty, "the selector is empty");
    }
    raw.iter().map(|selector| selector.value.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validate(text: &str) -> Result<Config, String> {
        let raw: RawConfig = config::load(text, "global.yml").map_err(|errors| errors.to_string())?;
        let mut report = Report::new("global.yml");
        let config = raw.validate(&mut report);
        report.finish(config).map_err(|errors| errors.to_string())
    }

    #[test]
    fn reads_shards() {
        let config = validate(
            "selectors: ['{__name__=~\"job:.*\"}', up]\n\
             replica_labels: [replica]\n\
             shards:\n\
             - name: eu-1\n  replicas: [http://10.0.0.1:9090, 'https://10.0.0.2/mon/']\n  basic_auth: {username: a, password: b}\n\
             - name: us-1\n  replicas: [http://10.0.1.1:9090]\n  selectors: [ALERTS]\n",
        )
        .expect("valid");
        assert_eq!(config.replica_labels, ["replica"]);
        let [eu, us] = config.shards.as_slice() else { panic!("{config:?}") };
        assert_eq!((eu.name.as_str(), eu.selectors.len(), eu.replicas.len()), ("eu-1", 2, 2));
        assert!(eu.http.authorization.is_some() && us.http.authorization.is_none());
        assert_eq!(us.selectors, ["ALERTS"]);
        let shard_labels = vec!["cluster".to_owned()];
        assert_eq!(validate("{}"), Ok(Config { shard_labels, ready_within_ms: 120_000, ..Config::default() }));
        let config = validate(
            "selectors: [up]\nbearer_token: t\ninitial_lookback: 6h\nshards:\n- {name: a, replicas: ['http://h']}\n\
             - {name: b, replicas: ['http://i'], initial_lookback: 1d, basic_auth: {username: a, password: b}}\n\
             dns_sd_configs: [{names: [_shards._tcp.example.org]}]\n",
        )
        .expect("valid");
        assert_eq!(config.shards[0].http, config.finding.http, "who has no words of its own has those of the section");
        assert_ne!(config.shards[1].http, config.finding.http);
        let lookbacks = config.shards.iter().map(|shard| shard.initial_lookback_ms);
        let hour = 3_600_000;
        assert_eq!(lookbacks.collect::<Vec<_>>(), [Some(6 * hour), Some(24 * hour)]);
        assert_eq!((config.finding.sources.found.len(), config.finding.selectors.len()), (1, 1));
    }

    #[test]
    fn refuses_with_the_place() {
        let check = |text: &str, want: &str| {
            let error = validate(text).expect_err(text);
            assert!(error.contains(want), "{text}: {error}");
        };
        let shard = |rest: &str| format!("selectors: [up]\nshards:\n- name: a\n{rest}");
        check("selecters: [up]", "did you mean \"selectors\"?");
        check("initial_lookback: 0s", "global.yml:1:19: initial_lookback must be longer than 0");
        check("kubernetes_sd_configs: [{role: pod}]", "the shards that are found have nothing to pull");
        check("selectors: [up]\nkubernetes_sd_configs: [{}]", "role missing");
        check("file_sd_configs: [{files: [a.yml]}]", "global.yml:1:19: the shards that are found have nothing to pull");
        check("selectors: [up]\nfile_sd_configs: [{files: [a.txt]}]", "is not valid for file discovery");
        check("selectors: [up]\ndns_sd_configs: [{names: [a], type: A}]", "a port is required");
        check("selectors: [up]\nrelabel_configs: [{action: no}]", "global.yml:2:28: ");
        check("shards:\n- {name: a, replicas: ['http://h']}", "nothing to pull");
        check(&shard("  replicas: []"), "has no replicas");
        check(&shard("  replicas: [h:9090]"), "global.yml:4:14: the replica's URL must begin with http://");
        check(&shard("  replicas: [':']"), "is not a URL");
        check(&shard("  replicas: ['http://u:secret@h']"), "use basic_auth");
        check(&shard("  replicas: ['http://h/?a=b']"), "without a query");
        check(&shard("  replicas: ['http://h', 'http://h']"), "given twice");
        check(
            &shard("  replicas: ['http://h']\n- name: a\n  replicas: ['http://i']"),
            "global.yml:5:9: the shard \"a\" is given",
        );
        check("selectors: [up]\nshards:\n- replicas: ['http://h']", "the shard has no name");
        check("selectors: [' ']", "global.yml:1:13: the selector is empty");
        assert!(!validate(&shard("  replicas: ['http://u:secret@h']")).expect_err("refused").contains("secret"));
    }
}
