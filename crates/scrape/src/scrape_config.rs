//! One entry of `scrape_configs`: where a job's targets are found and how they are scraped.

use std::collections::BTreeMap;

use config::{DurationMs, HttpClientConfig, Ignored, Report, Spanned};
use discovery::relabel::{RawRelabelConfig, RelabelConfig};
use discovery::{
    RawDnsSdConfig, RawFileSdConfig, RawHttpSdConfig, RawKubernetesSdConfig, RawSources, RawTargetGroup, Sources,
};
use serde::Deserialize;

use crate::global_config::{GlobalConfig, Limits, NameValidation};
use crate::protocols::{Escaping, Protocol, validate_protocols};
use crate::size::parse_size;

config::with_http_client! {
    /// An entry of `scrape_configs` as written.
    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    #[expect(missing_docs, reason = "the keys are Prometheus's; what they mean stands at ScrapeConfig")]
    pub struct RawScrapeConfig {
        pub job_name: Option<Spanned<String>>,
        pub scrape_interval: Option<Spanned<DurationMs>>,
        pub scrape_timeout: Option<Spanned<DurationMs>>,
        pub scrape_protocols: Option<Spanned<Vec<Protocol>>>,
        pub scrape_fallback_protocol: Option<Spanned<Protocol>>,
        pub scrape_native_histograms: Option<Spanned<bool>>,
        pub convert_classic_histograms_to_nhcb: Option<Spanned<bool>>,
        pub always_scrape_classic_histograms: Option<bool>,
        pub extra_scrape_metrics: Option<bool>,
        pub native_histogram_bucket_limit: Option<u64>,
        pub native_histogram_min_bucket_factor: Option<f64>,
        pub scrape_failure_log_file: Option<Spanned<String>>,
        pub metrics_path: Option<String>,
        pub scheme: Option<Spanned<String>>,
        pub params: BTreeMap<String, Vec<String>>,
        pub honor_labels: bool,
        pub honor_timestamps: Option<bool>,
        pub track_timestamps_staleness: bool,
        pub enable_compression: Option<bool>,
        pub body_size_limit: Option<Spanned<String>>,
        pub sample_limit: Option<u64>,
        pub target_limit: Option<u64>,
        pub label_limit: Option<u64>,
        pub label_name_length_limit: Option<u64>,
        pub label_value_length_limit: Option<u64>,
        pub keep_dropped_targets: Option<u64>,
        pub metric_name_validation_scheme: Option<Spanned<NameValidation>>,
        pub metric_name_escaping_scheme: Option<Escaping>,
        pub relabel_configs: Vec<Spanned<RawRelabelConfig>>,
        pub metric_relabel_configs: Vec<Spanned<RawRelabelConfig>>,
        pub static_configs: Vec<RawTargetGroup>,
        pub file_sd_configs: Vec<Spanned<RawFileSdConfig>>,
        pub dns_sd_configs: Vec<Spanned<RawDnsSdConfig>>,
        pub http_sd_configs: Vec<Spanned<RawHttpSdConfig>>,
        pub kubernetes_sd_configs: Vec<Spanned<RawKubernetesSdConfig>>,
        pub aws_sd_configs: Option<Spanned<Ignored>>,
        pub azure_sd_configs: Option<Spanned<Ignored>>,
        pub consul_sd_configs: Option<Spanned<Ignored>>,
        pub digitalocean_sd_configs: Option<Spanned<Ignored>>,
        pub docker_sd_configs: Option<Spanned<Ignored>>,
        pub dockerswarm_sd_configs: Option<Spanned<Ignored>>,
        pub ec2_sd_configs: Option<Spanned<Ignored>>,
        pub eureka_sd_configs: Option<Spanned<Ignored>>,
        pub gce_sd_configs: Option<Spanned<Ignored>>,
        pub hetzner_sd_configs: Option<Spanned<Ignored>>,
        pub ionos_sd_configs: Option<Spanned<Ignored>>,
        pub kuma_sd_configs: Option<Spanned<Ignored>>,
        pub lightsail_sd_configs: Option<Spanned<Ignored>>,
        pub linode_sd_configs: Option<Spanned<Ignored>>,
        pub marathon_sd_configs: Option<Spanned<Ignored>>,
        pub nerve_sd_configs: Option<Spanned<Ignored>>,
        pub nomad_sd_configs: Option<Spanned<Ignored>>,
        pub openstack_sd_configs: Option<Spanned<Ignored>>,
        pub ovhcloud_sd_configs: Option<Spanned<Ignored>>,
        pub puppetdb_sd_configs: Option<Spanned<Ignored>>,
        pub scaleway_sd_configs: Option<Spanned<Ignored>>,
        pub serverset_sd_configs: Option<Spanned<Ignored>>,
        pub stackit_sd_configs: Option<Spanned<Ignored>>,
        pub triton_sd_configs: Option<Spanned<Ignored>>,
        pub uyuni_sd_configs: Option<Spanned<Ignored>>,
        pub vultr_sd_configs: Option<Spanned<Ignored>>,
    }
}

/// `http` or `https`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The word in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "http" => Ok(Scheme::Http),
            "https" => Ok(Scheme::Https),
            _ => Err(format!("unknown scheme {text:?}, expected http or https")),
        }
    }
}

/// A job, validated, with defaults in place.
#[derive(Debug, Clone, PartialEq)]
pub struct ScrapeConfig {
    /// The job's name and the value of the label `job`.
    pub job_name: String,
    /// How often targets are scraped, in milliseconds, unless relabelling says otherwise.
    pub scrape_interval_ms: i64,
    /// How long a scrape may take, in milliseconds, unless relabelling says otherwise.
    pub scrape_timeout_ms: i64,
    /// Formats that are asked for, in order.
    pub scrape_protocols: Vec<Protocol>,
    /// The format of a target whose `Content-Type` is missing or unknown.
    pub fallback_protocol: Option<Protocol>,
    /// How unusual names are asked for.
    pub escaping: Escaping,
    /// Whether the series about limits and body size are stored as well.
    pub extra_scrape_metrics: bool,
    /// The path of the metrics, `/metrics`.
    pub metrics_path: String,
    /// `http`.
    pub scheme: Scheme,
    /// Parameters of the URL.
    pub params: BTreeMap<String, Vec<String>>,
    /// Whether a label of the target's own wins over the job's.
    pub honor_labels: bool,
    /// Whether a timestamp of the target's own is taken; yes.
    pub honor_timestamps: bool,
    /// Whether series with a timestamp of their own get stale markers.
    pub track_timestamps_staleness: bool,
    /// Whether gzip is asked for; yes.
    pub enable_compression: bool,
    /// Bounds.
    pub limits: Limits,
    /// Credentials, TLS, redirects.
    pub http: HttpClientConfig,
    /// Rules for targets.
    pub relabel_configs: Vec<RelabelConfig>,
    /// Rules for samples.
    pub metric_relabel_configs: Vec<RelabelConfig>,
    /// Where targets are found.
    pub sources: Sources,
}

impl ScrapeConfig {
    /// Gives every target of the job a label, whatever its own rules say; the value has no `$`.
    pub fn label_targets(&mut self, name: &str, value: &str) {
        self.relabel_configs.extend(RelabelConfig::constant(name, value));
    }

    /// Checks all jobs of a file, their names against each other included.
    pub fn validate_all(
        raw: Vec<Spanned<RawScrapeConfig>>,
        global: &GlobalConfig,
        report: &mut Report,
    ) -> Vec<ScrapeConfig> {
        let mut configs: Vec<ScrapeConfig> = Vec::with_capacity(raw.len());
        for raw in raw {
            let name = raw.job_name.clone();
            let config = ScrapeConfig::validate(raw, global, report);
            if let Some(name) = name
                && configs.iter().any(|other| other.job_name == *name)
            {
                report.error(&name, format_args!("found multiple scrape configs with job name {:?}", *name));
            }
            configs.push(config);
        }
        configs
    }

    /// Checks a job; what the job leaves open is taken from `global`.
    pub fn validate(raw: Spanned<RawScrapeConfig>, global: &GlobalConfig, report: &mut Report) -> ScrapeConfig {
        let (position, mut raw) = (raw.position, raw.value);
        refuse_unserved(&raw, report);
        let job_name = raw.job_name.take().map(|name| name.value).unwrap_or_default();
        if job_name.is_empty() {
            report.error(position, "job_name is empty");
        }
        let (scrape_interval_ms, scrape_timeout_ms) = times(&raw, &job_name, global, report);
        let limits = limits(&raw, &global.limits, report);
        let http = HttpClientConfig::validate(raw.take_http_client(), report);
        let is_relabelled = !raw.relabel_configs.is_empty();
        let sources = RawSources {
            fixed: raw.static_configs,
            files: raw.file_sd_configs,
            dns: raw.dns_sd_configs,
            http: raw.http_sd_configs,
            kubernetes: raw.kubernetes_sd_configs,
        };
        ScrapeConfig {
            scrape_interval_ms,
            scrape_timeout_ms,
            scrape_protocols: match &raw.scrape_protocols {
                Some(protocols) => validate_protocols(protocols, report),
                None => global.scrape_protocols.clone(),
            },
            fallback_protocol: raw.scrape_fallback_protocol.map(|protocol| protocol.value),
            escaping: raw.metric_name_escaping_scheme.unwrap_or(global.escaping),
            extra_scrape_metrics: raw.extra_scrape_metrics.unwrap_or(global.extra_scrape_metrics),
            metrics_path: raw.metrics_path.filter(|p| !p.is_empty()).unwrap_or_else(|| "/metrics".to_owned()),
            scheme: raw.scheme.and_then(|s| report.check(&s, Scheme::parse(&s))).unwrap_or(Scheme::Http),
            params: raw.params,
            honor_labels: raw.honor_labels,
            honor_timestamps: raw.honor_timestamps.unwrap_or(true),
            track_timestamps_staleness: raw.track_timestamps_staleness,
            enable_compression: raw.enable_compression.unwrap_or(true),
            limits,
            http,
            relabel_configs: RelabelConfig::validate_all(raw.relabel_configs, report),
            metric_relabel_configs: RelabelConfig::validate_all(raw.metric_relabel_configs, report),
            sources: Sources::validate(sources, is_relabelled, report),
            job_name,
        }
    }
}

/// Interval and timeout of a job, in milliseconds.
fn times(raw: &RawScrapeConfig, job: &str, global: &GlobalConfig, report: &mut Report) -> (i64, i64) {
    let given = |value: &Option<Spanned<DurationMs>>| value.as_ref().map(|d| d.0).filter(|ms| *ms > 0);
    let interval = given(&raw.scrape_interval).unwrap_or(global.scrape_interval_ms);
    let timeout = given(&raw.scrape_timeout).unwrap_or_else(|| global.scrape_timeout_ms.min(interval));
    if let Some(given) = raw.scrape_timeout.as_ref().filter(|_| timeout > interval) {
        report.error(
            given,
            format_args!("scrape timeout greater than scrape interval for scrape config with job name {job:?}"),
        );
    }
    (interval, timeout)
}

fn limits(raw: &RawScrapeConfig, global: &Limits, report: &mut Report) -> Limits {
    let body_size = raw.body_size_limit.as_ref().and_then(|size| report.check(size, parse_size(size)));
    // 0 is "not given" in Prometheus as well: the global bound then counts.
    let or = |value: Option<u64>, global: u64| value.filter(|limit| *limit > 0).unwrap_or(global);
    Limits {
        body_size: or(body_size, global.body_size),
        samples: or(raw.sample_limit, global.samples),
        targets: or(raw.target_limit, global.targets),
        labels: or(raw.label_limit, global.labels),
        label_name_length: or(raw.label_name_length_limit, global.label_name_length),
        label_value_length: or(raw.label_value_length_limit, global.label_value_length),
        keep_dropped_targets: or(raw.keep_dropped_targets, global.keep_dropped_targets),
    }
}

fn refuse_unserved(raw: &RawScrapeConfig, report: &mut Report) {
    let on = |value: &Option<Spanned<bool>>| value.clone().filter(|on| on.value);
    report.unsupported("scrape_native_histograms", on(&raw.scrape_native_histograms).as_ref());
    report.unsupported("convert_classic_histograms_to_nhcb", on(&raw.convert_classic_histograms_to_nhcb).as_ref());
    report.unsupported("scrape_failure_log_file", raw.scrape_failure_log_file.as_ref());
    let legacy = raw.metric_name_validation_scheme.as_ref().filter(|scheme| scheme.value == NameValidation::Legacy);
    report.unsupported("metric_name_validation_scheme: legacy", legacy);
    if let Some(fallback) = raw.scrape_fallback_protocol.as_ref().filter(|protocol| !protocol.is_served()) {
        report.error(fallback, "this scrape_fallback_protocol is not supported yet: use PrometheusText0.0.4");
    }
    let discoveries = [
        ("aws_sd_configs", &raw.aws_sd_configs),
        ("azure_sd_configs", &raw.azure_sd_configs),
        ("consul_sd_configs", &raw.consul_sd_configs),
        ("digitalocean_sd_configs", &raw.digitalocean_sd_configs),
        ("docker_sd_configs", &raw.docker_sd_configs),
        ("dockerswarm_sd_configs", &raw.dockerswarm_sd_configs),
        ("ec2_sd_configs", &raw.ec2_sd_configs),
        ("eureka_sd_configs", &raw.eureka_sd_configs),
        ("gce_sd_configs", &raw.gce_sd_configs),
        ("hetzner_sd_configs", &raw.hetzner_sd_configs),
        ("ionos_sd_configs", &raw.ionos_sd_configs),
        ("kuma_sd_configs", &raw.kuma_sd_configs),
        ("lightsail_sd_configs", &raw.lightsail_sd_configs),
        ("linode_sd_configs", &raw.linode_sd_configs),
        ("marathon_sd_configs", &raw.marathon_sd_configs),
        ("nerve_sd_configs", &raw.nerve_sd_configs),
        ("nomad_sd_configs", &raw.nomad_sd_configs),
        ("openstack_sd_configs", &raw.openstack_sd_configs),
        ("ovhcloud_sd_configs", &raw.ovhcloud_sd_configs),
        ("puppetdb_sd_configs", &raw.puppetdb_sd_configs),
        ("scaleway_sd_configs", &raw.scaleway_sd_configs),
        ("serverset_sd_configs", &raw.serverset_sd_configs),
        ("stackit_sd_configs", &raw.stackit_sd_configs),
        ("triton_sd_configs", &raw.triton_sd_configs),
        ("uyuni_sd_configs", &raw.uyuni_sd_configs),
        ("vultr_sd_configs", &raw.vultr_sd_configs),
    ];
    for (key, value) in discoveries {
        report.unsupported(key, value.as_ref());
    }
}

#[cfg(test)]
mod tests;
