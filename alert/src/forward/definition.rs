//! The section `alerting` of a shard's file.

use config::{DurationMs, HttpClientConfig, Ignored, Report, Spanned};
use discovery::relabel::{RawRelabelConfig, RelabelConfig, process};
use discovery::{NameValidation, Sources, TargetGroup};
use http_client::HttpClient;
use model::LabelsBuilder;
use serde::Deserialize;
use url::Url;

use crate::heartbeat::{HeartbeatConfig, RawHeartbeat};
use crate::local::{LocalConfig, RawLocal};

/// How long one attempt may take where the file doesn't say.
const TIMEOUT: DurationMs = DurationMs(10_000);
const PATH: &str = "/api/v2/alerts";
const SIGV4: &str = "sigv4 is not served: alerts go to Alertmanagers that take basic_auth, authorization, oauth2 or a client certificate. \
                     Remove it, or let a proxy that signs requests stand before Amazon's";

/// `alerting` as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawAlerting {
    alert_relabel_configs: Vec<Spanned<RawRelabelConfig>>,
    alertmanagers: Vec<Spanned<RawAlertmanager>>,
    local: Option<Spanned<RawLocal>>,
    heartbeats: Vec<Spanned<RawHeartbeat>>,
}

discovery::with_sources! {
    /// One of `alertmanagers` as written.
    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct RawAlertmanager {
        scheme: Option<Spanned<String>>,
        path_prefix: Option<String>,
        timeout: Option<Spanned<DurationMs>>,
        api_version: Option<Spanned<String>>,
        relabel_configs: Vec<Spanned<RawRelabelConfig>>,
        alert_relabel_configs: Vec<Spanned<RawRelabelConfig>>,
        sigv4: Option<Spanned<Ignored>>,
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

/// External Alertmanagers that are reached in the same way: an entry of `alertmanagers`.
#[derive(Debug, Clone)]
pub struct AlertmanagerConfig {
    /// Who tells of them.
    pub(crate) sources: Sources,
    /// What changes or drops alerts on their way to these.
    pub(crate) relabeling: Vec<RelabelConfig>,
    /// What speaks to them, with credentials and headers.
    pub(crate) client: HttpClient,
    scheme: String,
    path: String,
    target_rules: Vec<RelabelConfig>,
}

/// Where alerts go, of what an entry's sources have found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Destinations {
    /// URLs that alerts are posted to, each once, in the order they were found.
    pub(crate) kept: Vec<Url>,
    /// Those that relabelling drops, as they were before it.
    pub(crate) dropped: Vec<Url>,
    /// What is wrong with the others.
    pub(crate) refused: Vec<String>,
}

impl AlertmanagerConfig {
    /// What is wrong with the files that tell of them.
    pub fn check_files(&self) -> Vec<config::Error> {
        self.sources.check_files()
    }

    /// What becomes of the targets that were found.
    pub(crate) fn destinations<'a>(&self, found: impl IntoIterator<Item = &'a TargetGroup>) -> Destinations {
        let mut all = Destinations::default();
        let groups = found.into_iter();
        for (group, address) in groups.flat_map(|group| group.targets.iter().map(move |address| (group, address))) {
            let mut labels = LabelsBuilder::new(&group.labels);
            let own = [("__address__", address), ("__scheme__", &self.scheme), ("__alerts_path__", &self.path)];
            for (name, value) in own {
                if labels.get(name).is_none() {
                    labels.set(name, value);
                }
            }
            let before = labels.clone();
            let (list, labels) = match process(&self.target_rules, &mut labels) {
                true => (&mut all.kept, labels),
                false => (&mut all.dropped, before),
            };
            match url(&labels) {
                Ok(url) if list.contains(&url) => {}
                Ok(url) => list.push(url),
                Err(e) => all.refused.push(format!("{address:?} is not an address: {e}")),
            }
        }
        all
    }
}

fn url(labels: &LabelsBuilder) -> Result<Url, url::ParseError> {
    let part = |name: &str| labels.get(name).unwrap_or_default();
    Url::parse(&format!("{}://{}{}", part("__scheme__"), part("__address__"), part("__alerts_path__")))
}

/// A URL for other eyes: without credentials.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only where there can be no credentials in the first place.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

impl RawAlerting {
    /// Checks what was written; relabelling sets labels whose names `names` takes.
    pub fn validate(self, names: NameValidation, report: &mut Report) -> Alerting {
        Alerting {
            relabeling: RelabelConfig::validate_all(self.alert_relabel_configs, names, report),
            alertmanagers: self.alertmanagers.into_iter().filter_map(|raw| alertmanager(raw, names, report)).collect(),
            local: self.local.and_then(|raw| LocalConfig::validate(raw, report)),
            heartbeats: self.heartbeats.into_iter().filter_map(|raw| HeartbeatConfig::validate(raw, report)).collect(),
        }
    }
}

fn alertmanager(
    raw: Spanned<RawAlertmanager>,
    names: NameValidation,
    report: &mut Report,
) -> Option<AlertmanagerConfig> {
    let (position, mut raw) = (raw.position, raw.value);
    if let Some(sigv4) = &raw.sigv4 {
        report.error(sigv4, SIGV4);
    }
    if let Some(version) = raw.api_version.as_ref().filter(|version| version.value != "v2") {
        report.error(version, format_args!("api_version {:?} is not spoken: want v2", version.value));
    }
    if let Some(scheme) = raw.scheme.as_ref().filter(|s| !["http", "https"].contains(&s.as_str())) {
        report.error(scheme, format_args!("unsupported scheme {:?}: want http or https", scheme.value));
    }
    let timeout = raw.timeout.as_ref().map_or(TIMEOUT, |t| t.value).to_std();
    let http = HttpClientConfig::validate(raw.take_http_client(), report);
    let sources = Sources::validate(raw.take_sources(), !raw.relabel_configs.is_empty(), report);
    let prefix = raw.path_prefix.as_deref().unwrap_or("").trim_matches('/');
    let config = AlertmanagerConfig {
        sources,
        relabeling: RelabelConfig::validate_all(raw.alert_relabel_configs, names, report),
        client: report.check(position, HttpClient::new(&http, timeout))?,
        scheme: raw.scheme.map_or_else(|| "http".to_owned(), |scheme| scheme.value),
        path: if prefix.is_empty() { PATH.to_owned() } else { format!("/{prefix}{PATH}") },
        target_rules: RelabelConfig::validate_all(raw.relabel_configs, names, report),
    };
    for refused in config.destinations(&config.sources.fixed).refused {
        report.error(position, refused);
    }
    Some(config)
}

#[cfg(test)]
mod tests {
    use model::Labels;

    use super::*;

    fn validated(text: &str) -> Result<Vec<String>, String> {
        let raw: RawAlerting = config::load(text, "shard.yml").map_err(|e| e.to_string())?;
        let mut report = Report::new("shard.yml");
        let alerting = raw.validate(NameValidation::Utf8, &mut report);
        let alerting = report.finish(alerting).map_err(|e| e.to_string())?;
        let kept = |am: &AlertmanagerConfig| am.destinations(&am.sources.fixed).kept;
        Ok(alerting.alertmanagers.iter().flat_map(kept).map(|url| shown(&url)).collect())
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
    fn what_is_found_becomes_urls() {
        let text =
            "alertmanagers: [{scheme: https, relabel_configs: [{source_labels: [__meta_b], regex: x, action: drop}]}]";
        let raw: RawAlerting = config::load(text, "shard.yml").unwrap();
        let alerting = raw.validate(NameValidation::Utf8, &mut Report::new("shard.yml"));
        let group = |targets: &[&str], labels: &[(&str, &str)]| TargetGroup {
            targets: targets.iter().map(|&target| target.to_owned()).collect(),
            labels: Labels::from_pairs(labels.iter().copied()),
        };
        let groups = [
            group(&["a:1", "b:2", "a b"], &[("__meta_a", "")]),
            group(&["b:2", "c:3"], &[("__scheme__", "http"), ("__alerts_path__", "/in")]),
            group(&["d:4"], &[("__meta_b", "x")]),
            group(&["a:1"], &[]),
        ];
        let found = alerting.alertmanagers[0].destinations(&groups);
        let texts = |urls: &[Url]| urls.iter().map(Url::to_string).collect::<Vec<_>>();
        let kept = ["https://a:1/api/v2/alerts", "https://b:2/api/v2/alerts", "http://b:2/in", "http://c:3/in"];
        assert_eq!(texts(&found.kept), kept);
        assert_eq!(texts(&found.dropped), ["https://d:4/api/v2/alerts"]);
        assert_eq!(found.refused, ["\"a b\" is not an address: invalid international domain name"]);
    }

    #[test]
    fn what_is_not_served_is_refused_by_name() {
        let check = |text: &str, want: &str| {
            let error = validated(text).unwrap_err();
            assert!(error.contains(want), "{error}");
        };
        check("alertmanagers: [{eureka_sd_configs: []}]", "eureka_sd_configs is not served");
        check("alertmanagers: [{sigv4: {}}]", "sigv4 is not served");
        check("alertmanagers: [{static_configs: [{targets: ['a b']}]}]", "1:17: \"a b\" is not an address: invalid");
        check("alertmanagers: [{static_configs: [{targets: ['http://a']}]}]", "\"http://a\" is not a valid hostname");
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
