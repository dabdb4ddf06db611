//! The section `alerting` of a shard's file.

use std::collections::BTreeMap;

use config::{DurationMs, HttpClientConfig, Ignored, Report, Spanned};
use http_client::HttpClient;
use model::{Labels, LabelsBuilder};
use reqwest::Url;
use scrape::RawTargetGroup;
use scrape::relabel::{RawRelabelConfig, RelabelConfig, process};
use serde::Deserialize;

use crate::heartbeat::{HeartbeatConfig, RawHeartbeat};
use crate::local::{LocalConfig, RawLocal};

/// How long one attempt may take where the file doesn't say.
const TIMEOUT: DurationMs = DurationMs(10_000);
const PATH: &str = "/api/v2/alerts";

/// `alerting` as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawAlerting {
    alert_relabel_configs: Vec<Spanned<RawRelabelConfig>>,
    alertmanagers: Vec<Spanned<RawAlertmanager>>,
    local: Option<Spanned<RawLocal>>,
    heartbeats: Vec<Spanned<RawHeartbeat>>,
}

config::with_http_client! {
    /// One of `alertmanagers` as written.
    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct RawAlertmanager {
        scheme: Option<Spanned<String>>,
        path_prefix: Option<String>,
        timeout: Option<Spanned<DurationMs>>,
        api_version: Option<Spanned<String>>,
        static_configs: Vec<RawTargetGroup>,
        relabel_configs: Vec<Spanned<RawRelabelConfig>>,
        alert_relabel_configs: Vec<Spanned<RawRelabelConfig>>,
        sigv4: Option<Spanned<Ignored>>,
        file_sd_configs: Option<Spanned<Ignored>>,
        http_sd_configs: Option<Spanned<Ignored>>,
        dns_sd_configs: Option<Spanned<Ignored>>,
        kubernetes_sd_configs: Option<Spanned<Ignored>>,
        consul_sd_configs: Option<Spanned<Ignored>>,
        ec2_sd_configs: Option<Spanned<Ignored>>,
        gce_sd_configs: Option<Spanned<Ignored>>,
        azure_sd_configs: Option<Spanned<Ignored>>,
    }
}

/// The section `alerting`, checked.
#[derive(Debug, Default)]
pub struct Alerting {
    /// What changes or drops alerts before anybody hears of them.
    pub relabeling: Vec<RelabelConfig>,
    /// The external Alertmanagers.
    pub alertmanagers: Vec<AlertmanagerConfig>,
    /// The pipeline inside the shard, where it is wanted.
    pub local: Option<LocalConfig>,
    /// What is called while the node works.
    pub heartbeats: Vec<HeartbeatConfig>,
}

/// External Alertmanagers that are reached in the same way.
#[derive(Debug, Clone)]
pub struct AlertmanagerConfig {
    /// Where they are.
    pub destinations: Vec<Destination>,
    /// What changes or drops alerts on their way to these.
    pub relabeling: Vec<RelabelConfig>,
    /// What speaks to them, with credentials and headers.
    pub client: HttpClient,
}

/// The place of one Alertmanager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Where alerts are posted to, path included.
    pub url: Url,
}

impl Destination {
    /// The URL for other eyes.
    pub fn shown(&self) -> String {
        let mut url = self.url.clone();
        // Both fail only where there can be no credentials in the first place.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.to_string()
    }
}

impl RawAlerting {
    /// Checks what was written.
    pub fn validate(self, report: &mut Report) -> Alerting {
        Alerting {
            relabeling: RelabelConfig::validate_all(self.alert_relabel_configs, report),
            alertmanagers: self.alertmanagers.into_iter().filter_map(|raw| alertmanager(raw, report)).collect(),
            local: self.local.and_then(|raw| LocalConfig::validate(raw, report)),
            heartbeats: self.heartbeats.into_iter().filter_map(|raw| HeartbeatConfig::validate(raw, report)).collect(),
        }
    }
}

fn refuse_unsupported(raw: &RawAlertmanager, report: &mut Report) {
    let known = [
        ("sigv4", &raw.sigv4),
        ("file_sd_configs", &raw.file_sd_configs),
        ("http_sd_configs", &raw.http_sd_configs),
        ("dns_sd_configs", &raw.dns_sd_configs),
        ("kubernetes_sd_configs", &raw.kubernetes_sd_configs),
        ("consul_sd_configs", &raw.consul_sd_configs),
        ("ec2_sd_configs", &raw.ec2_sd_configs),
        ("gce_sd_configs", &raw.gce_sd_configs),
        ("azure_sd_configs", &raw.azure_sd_configs),
    ];
    for (key, value) in known {
        report.unsupported(key, value.as_ref());
    }
}

fn alertmanager(raw: Spanned<RawAlertmanager>, report: &mut Report) -> Option<AlertmanagerConfig> {
    let (position, mut raw) = (raw.position, raw.value);
    refuse_unsupported(&raw, report);
    if let Some(version) = raw.api_version.as_ref().filter(|version| version.value != "v2") {
        report.error(version, format_args!("api_version {:?} is not spoken: want v2", version.value));
    }
    if let Some(scheme) = raw.scheme.as_ref().filter(|s| !["http", "https"].contains(&s.as_str())) {
        report.error(scheme, format_args!("unsupported scheme {:?}: want http or https", scheme.value));
    }
    let timeout = raw.timeout.as_ref().map_or(TIMEOUT, |t| t.value).to_std();
    let http = HttpClientConfig::validate(raw.take_http_client(), report);
    let target_rules = RelabelConfig::validate_all(std::mem::take(&mut raw.relabel_configs), report);
    let relabeling = RelabelConfig::validate_all(std::mem::take(&mut raw.alert_relabel_configs), report);
    let client = report.check(position, HttpClient::new(&http, timeout))?;
    let scheme = raw.scheme.as_ref().map_or("http", |s| s.as_str());
    let prefix = raw.path_prefix.as_deref().unwrap_or("").trim_matches('/');
    let path = if prefix.is_empty() { PATH.to_owned() } else { format!("/{prefix}{PATH}") };
    let mut destinations = Vec::new();
    for group in &raw.static_configs {
        for target in &group.targets {
            let base = target_labels(&group.labels, target, scheme, &path);
            destinations.extend(destination(&base, &target_rules, target, report));
        }
    }
    Some(AlertmanagerConfig { destinations, relabeling, client })
}

fn target_labels(group: &BTreeMap<String, String>, address: &str, scheme: &str, path: &str) -> Labels {
    let own = [("__address__", address), ("__scheme__", scheme), ("__alerts_path__", path)];
    Labels::from_pairs(own.into_iter().chain(group.iter().map(|(name, value)| (name.as_str(), value.as_str()))))
}

/// Where a target is after relabelling, unless that drops it.
fn destination(
    labels: &Labels,
    rules: &[RelabelConfig],
    target: &Spanned<String>,
    report: &mut Report,
) -> Option<Destination> {
    let mut builder = LabelsBuilder::new(labels);
    if !process(rules, &mut builder) {
        return None;
    }
    let part = |name: &str| builder.get(name).unwrap_or("").to_owned();
    let text = format!("{}://{}{}", part("__scheme__"), part("__address__"), part("__alerts_path__"));
    let url = Url::parse(&text).map_err(|e| format!("{:?} is not an address: {e}", target.value));
    report.check(target, url).map(|url| Destination { url })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validated(text: &str) -> Result<Vec<String>, String> {
        let raw: RawAlerting = config::load(text, "shard.yml").map_err(|e| e.to_string())?;
        let mut report = Report::new("shard.yml");
        let alerting = raw.validate(&mut report);
        let alerting = report.finish(alerting).map_err(|e| e.to_string())?;
        Ok(alerting.alertmanagers.iter().flat_map(|am| am.destinations.iter().map(Destination::shown)).collect())
    }

    #[test]
    fn targets_become_urls() {
        let check = |text: &str, want: &[&str]| assert_eq!(validated(text).unwrap(), want, "{text}");
        check("alertmanagers: [{static_configs: [{targets: ['am:9093']}]}]", &["http://am:9093/api/v2/alerts"]);
        check(
            "alertmanagers: [{scheme: https, path_prefix: /am/, basic_auth: {username: u}, static_configs: [{targets: [a, b]}]}]",
            &["https://a/am/api/v2/alerts", "https://b/am/api/v2/alerts"],
        );
        check(
            "alertmanagers: [{static_configs: [{targets: [a, b]}], relabel_configs: [{source_labels: [__address__], regex: a, action: drop}]}]",
            &["http://b/api/v2/alerts"],
        );
        check("alertmanagers: [{static_configs: [{targets: ['u:p@am:9093']}]}]", &["http://am:9093/api/v2/alerts"]);
        check("local: {config_file: alertmanager.yml}", &[]);
        check("local: {config_file: alertmanager.yml, peers: ['https://b:9090/x'], basic_auth: {username: u}}", &[]);
    }

    #[test]
    fn what_is_not_served_is_refused_by_name() {
        let check = |text: &str, want: &str| {
            let error = validated(text).unwrap_err();
            assert!(error.contains(want), "{error}");
        };
        check("alertmanagers: [{file_sd_configs: []}]", "file_sd_configs is not supported yet");
        check("alertmanagers: [{api_version: v1}]", "api_version \"v1\" is not spoken");
        check("alertmanagers: [{scheme: ftp}]", "unsupported scheme \"ftp\"");
        check("alertmanagers: [{static_config: []}]", "did you mean \"static_configs\"");
        check("local: {config_file: x, peers: [a]}", "\"a\" is not the URL of a peer");
        check("local: {config_file: x, peers: ['http://u:p@b:9090']}", "credentials don't belong into a peer's URL");
        check("local: {config_file: x, peers: ['http://b', 'http://b/']}", "is there twice");
        check("local: {config_file: x, peers: ['ftp://b']}", "unsupported scheme \"ftp\"");
        check("local: {config_file: x, peers: ['http://b?c']}", "a query or a fragment");
        check("local: {}", "alerting.local needs config_file");
        check("heartbeats: [{}]", "a heartbeat needs either url or url_file");
        check("heartbeats: [{url: 'http://a', url_file: b}]", "a heartbeat needs either url or url_file");
        check("heartbeats: [{url: 'http://a', interval: 10ms}]", "at least 1s");
        check("heartbeats: [{url: 'http://a', method: TRACE}]", "unsupported method \"TRACE\"");
        check("heartbeats: [{url: 'http://a', intervall: 10s}]", "did you mean \"interval\"");
    }
}
