//! One entry of `scrape_configs`: where a job's targets are found and how they are scraped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{DurationMs, HttpClientConfig, Ignored, Report, Spanned};
use discovery::relabel::{RawRelabelConfig, RelabelConfig};
use discovery::{NameValidation, Sources};
use serde::Deserialize;

use crate::global_config::{GlobalConfig, Limits, log_file};
use crate::histograms::{HistogramForms, HistogramLimits};
use crate::names::{Escaping, NameRules};
use crate::protocols::{Protocol, validate_protocols};

discovery::with_sources! {
    /// An entry of `scrape_configs` as written.
    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    #[expect(missing_docs, reason = "the keys are Prometheus's; what they mean stands at ScrapeConfig")]
    pub struct RawScrapeConfig {
        pub job_name: Option<Spanned<String>>,
        pub scrape_interval: Option<Spanned<DurationMs>>,
        pub scrape_timeout: Option<Spanned<DurationMs>>,
        pub scrape_protocols: Option<Spanned<Vec<Protocol>>>,
        pub fallback_scrape_protocol: Option<Protocol>,
        pub scrape_fallback_protocol: Option<Spanned<Ignored>>,
        pub scrape_native_histograms: Option<bool>,
        pub convert_classic_histograms_to_nhcb: Option<bool>,
        pub always_scrape_classic_histograms: Option<bool>,
        pub extra_scrape_metrics: Option<bool>,
        pub native_histogram_bucket_limit: u64,
        pub native_histogram_min_bucket_factor: f64,
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
        pub metric_name_escaping_scheme: Option<Spanned<Escaping>>,
        pub relabel_configs: Vec<Spanned<RawRelabelConfig>>,
        pub metric_relabel_configs: Vec<Spanned<RawRelabelConfig>>,
    }
}

fn warn_of_none(pattern: &Path) {
    tracing::warn!(pattern = %pattern.display(), "no scrape config file matches");
}

/// A file of `scrape_config_files`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawScrapeConfigFile {
    scrape_configs: Vec<Spanned<RawScrapeConfig>>,
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
    /// Formats that are asked for, in order, where some are configured; or else all that give what is wanted.
    pub scrape_protocols: Option<Vec<Protocol>>,
    /// The format of a target whose `Content-Type` is missing or unknown.
    pub fallback_protocol: Option<Protocol>,
    /// Which names are taken, and how unusual ones are asked for.
    pub names: NameRules,
    /// Which forms of histograms are stored, unless relabelling says otherwise.
    pub histograms: HistogramForms,
    /// How fine native histograms may be.
    pub histogram_limits: HistogramLimits,
    /// Where scrapes that fail are logged, if anywhere.
    pub scrape_failure_log_file: Option<PathBuf>,
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
    /// Formats that are asked for, in order: those that are configured, or all. Protocol buffers are one of these where native
    /// histograms are stored, or where start timestamps are wanted.
    pub(crate) fn protocols(&self, wants_starts: bool) -> Vec<Protocol> {
        let all = || Protocol::defaults(self.histograms.native || wants_starts);
        self.scrape_protocols.clone().unwrap_or_else(all)
    }

    /// Gives every target of the job a label, whatever its own rules say; the value has no `$`.
    pub fn label_targets(&mut self, name: &str, value: &str) {
        self.relabel_configs.extend(RelabelConfig::constant(name, value));
    }

    /// Checks all jobs of a configuration: `raw` are those in its own file, `files` are patterns of files that have more
    /// (`scrape_config_files`). Paths in these are relative to the file that names them.
    pub fn validate_all(
        raw: Vec<Spanned<RawScrapeConfig>>,
        files: &[PathBuf],
        global: &GlobalConfig,
        report: &mut Report,
    ) -> Vec<ScrapeConfig> {
        let mut configs = Vec::with_capacity(raw.len());
        ScrapeConfig::extend(&mut configs, raw, global, report);
        for file in report.take(config::matching_files(files, warn_of_none)).unwrap_or_default() {
            let mut own = Report::new(&file);
            let raw: Option<RawScrapeConfigFile> =
                own.take(config::read_file(&file).and_then(|text| config::load(&text, &file)));
            ScrapeConfig::extend(&mut configs, raw.unwrap_or_default().scrape_configs, global, &mut own);
            report.absorb(own);
        }
        configs
    }

    fn extend(
        configs: &mut Vec<ScrapeConfig>,
        raw: Vec<Spanned<RawScrapeConfig>>,
        global: &GlobalConfig,
        report: &mut Report,
    ) {
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
        let sources = Sources::validate(raw.take_sources(), is_relabelled, report);
        let histograms = HistogramForms {
            native: raw.scrape_native_histograms.unwrap_or(global.histograms.native),
            converted: raw.convert_classic_histograms_to_nhcb.unwrap_or(global.histograms.converted),
            classic: raw.always_scrape_classic_histograms.unwrap_or(global.histograms.classic),
        };
        let names = NameRules::of_job(
            raw.metric_name_validation_scheme.as_ref(),
            raw.metric_name_escaping_scheme.as_ref(),
            global.names,
            position,
            report,
        );
        let scrape_protocols = raw.scrape_protocols.as_ref().map(|protocols| validate_protocols(protocols, report));
        let failure_log = log_file(raw.scrape_failure_log_file.as_ref(), report);
        ScrapeConfig {
            scrape_interval_ms,
            scrape_timeout_ms,
            scrape_protocols: scrape_protocols.or_else(|| global.scrape_protocols.clone()),
            fallback_protocol: raw.fallback_scrape_protocol,
            names,
            histograms,
            histogram_limits: HistogramLimits::new(
                raw.native_histogram_bucket_limit,
                raw.native_histogram_min_bucket_factor,
            ),
            scrape_failure_log_file: failure_log.or_else(|| global.scrape_failure_log_file.clone()),
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
            relabel_configs: RelabelConfig::validate_all(raw.relabel_configs, names.validation, report),
            metric_relabel_configs: RelabelConfig::validate_all(raw.metric_relabel_configs, names.validation, report),
            sources,
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
    let body_size = raw.body_size_limit.as_ref().and_then(|size| report.check(size, config::parse_size(size)));
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
    if let Some(old) = &raw.scrape_fallback_protocol {
        report.error(old, "unknown key \"scrape_fallback_protocol\", did you mean \"fallback_scrape_protocol\"?");
    }
}

#[cfg(test)]
mod tests;
