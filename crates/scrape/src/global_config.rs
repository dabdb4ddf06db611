//! The section `global`: defaults for jobs and rules, and the labels that name this node to the outside.

use std::collections::BTreeMap;
use std::path::PathBuf;

use config::{DurationMs, Report, Spanned, expand_environment};
use discovery::NameValidation;
use model::Labels;
use serde::Deserialize;

use crate::histograms::HistogramForms;
use crate::names::{Escaping, NameRules};
use crate::protocols::{Protocol, validate_protocols};

const DEFAULT_INTERVAL_MS: i64 = 60_000;
const DEFAULT_TIMEOUT_MS: i64 = 10_000;

/// `global` as written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the keys are Prometheus's; what they mean stands at GlobalConfig")]
pub struct RawGlobalConfig {
    pub scrape_interval: Option<Spanned<DurationMs>>,
    pub scrape_timeout: Option<Spanned<DurationMs>>,
    pub scrape_protocols: Option<Spanned<Vec<Protocol>>>,
    pub scrape_native_histograms: bool,
    pub convert_classic_histograms_to_nhcb: bool,
    pub always_scrape_classic_histograms: bool,
    pub extra_scrape_metrics: Option<bool>,
    pub evaluation_interval: Option<Spanned<DurationMs>>,
    pub rule_query_offset: Option<DurationMs>,
    pub query_log_file: Option<Spanned<String>>,
    pub scrape_failure_log_file: Option<Spanned<String>>,
    pub external_labels: BTreeMap<String, Spanned<String>>,
    pub body_size_limit: Option<Spanned<String>>,
    pub sample_limit: Option<u64>,
    pub target_limit: Option<u64>,
    pub label_limit: Option<u64>,
    pub label_name_length_limit: Option<u64>,
    pub label_value_length_limit: Option<u64>,
    pub keep_dropped_targets: Option<u64>,
    pub metric_name_validation_scheme: Option<Spanned<NameValidation>>,
    pub metric_name_escaping_scheme: Option<Spanned<Escaping>>,
}

/// Bounds on what a scrape may bring; 0 is no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body after decompression.
    pub body_size: u64,
    /// Samples of a scrape after relabelling.
    pub samples: u64,
    /// Targets of a job.
    pub targets: u64,
    /// Labels of a series.
    pub labels: u64,
    /// Bytes of a label's name.
    pub label_name_length: u64,
    /// Bytes of a label's value.
    pub label_value_length: u64,
    /// Dropped targets of a job that are remembered.
    pub keep_dropped_targets: u64,
}

/// `global`, validated, with defaults in place.
#[derive(Debug, Clone, PartialEq)]
pub struct GlobalConfig {
    /// How often targets are scraped, in milliseconds; 1m.
    pub scrape_interval_ms: i64,
    /// How long a scrape may take, in milliseconds; 10s, or the interval where that is shorter.
    pub scrape_timeout_ms: i64,
    /// How often rules are evaluated, in milliseconds; 1m.
    pub evaluation_interval_ms: i64,
    /// How far behind the clock rules are evaluated, in milliseconds; 0.
    pub rule_query_offset_ms: i64,
    /// The labels that name this node to the outside, environment variables expanded.
    pub external_labels: Labels,
    /// Formats that are asked for, in order; where nothing is configured it follows from what each job stores.
    pub scrape_protocols: Option<Vec<Protocol>>,
    /// Which names are taken, and how unusual ones are asked for.
    pub names: NameRules,
    /// Which forms of histograms are stored.
    pub histograms: HistogramForms,
    /// Whether the series about limits and body size are stored as well.
    pub extra_scrape_metrics: bool,
    /// Bounds of each job.
    pub limits: Limits,
    /// Where queries are logged, if anywhere.
    pub query_log_file: Option<PathBuf>,
    /// Where scrapes that fail are logged, if anywhere.
    pub scrape_failure_log_file: Option<PathBuf>,
}

impl Default for GlobalConfig {
    fn default() -> Self {
        GlobalConfig {
            scrape_interval_ms: DEFAULT_INTERVAL_MS,
            scrape_timeout_ms: DEFAULT_TIMEOUT_MS,
            evaluation_interval_ms: DEFAULT_INTERVAL_MS,
            rule_query_offset_ms: 0,
            external_labels: Labels::empty(),
            scrape_protocols: None,
            names: NameRules::default(),
            histograms: HistogramForms::default(),
            extra_scrape_metrics: false,
            limits: Limits::default(),
            query_log_file: None,
            scrape_failure_log_file: None,
        }
    }
}

impl GlobalConfig {
    /// Checks what was written. `environment` looks up the variables in external labels.
    pub fn validate(
        raw: RawGlobalConfig,
        environment: impl Fn(&str) -> Option<String>,
        report: &mut Report,
    ) -> GlobalConfig {
        let interval = |raw: &Option<Spanned<DurationMs>>| raw.as_ref().map(|d| d.0).filter(|ms| *ms > 0);
        let scrape_interval_ms = interval(&raw.scrape_interval).unwrap_or(DEFAULT_INTERVAL_MS);
        let scrape_timeout_ms = match interval(&raw.scrape_timeout) {
            Some(timeout) => timeout,
            None => scrape_interval_ms.min(DEFAULT_TIMEOUT_MS),
        };
        if let Some(timeout) = raw.scrape_timeout.as_ref().filter(|_| scrape_timeout_ms > scrape_interval_ms) {
            report.error(timeout, "global scrape timeout greater than scrape interval");
        }
        let names =
            NameRules::global(raw.metric_name_validation_scheme.as_ref(), raw.metric_name_escaping_scheme.as_ref());
        let body_size = raw.body_size_limit.as_ref().and_then(|size| report.check(size, config::parse_size(size)));
        GlobalConfig {
            scrape_interval_ms,
            scrape_timeout_ms,
            evaluation_interval_ms: interval(&raw.evaluation_interval).unwrap_or(DEFAULT_INTERVAL_MS),
            rule_query_offset_ms: raw.rule_query_offset.unwrap_or_default().0,
            external_labels: external_labels(raw.external_labels, names.validation, environment, report),
            scrape_protocols: raw.scrape_protocols.as_ref().map(|protocols| validate_protocols(protocols, report)),
            names,
            histograms: HistogramForms {
                native: raw.scrape_native_histograms,
                converted: raw.convert_classic_histograms_to_nhcb,
                classic: raw.always_scrape_classic_histograms,
            },
            extra_scrape_metrics: raw.extra_scrape_metrics.unwrap_or(false),
            limits: Limits {
                body_size: body_size.unwrap_or(0),
                samples: raw.sample_limit.unwrap_or(0),
                targets: raw.target_limit.unwrap_or(0),
                labels: raw.label_limit.unwrap_or(0),
                label_name_length: raw.label_name_length_limit.unwrap_or(0),
                label_value_length: raw.label_value_length_limit.unwrap_or(0),
                keep_dropped_targets: raw.keep_dropped_targets.unwrap_or(0),
            },
            query_log_file: log_file(raw.query_log_file.as_ref(), report),
            scrape_failure_log_file: log_file(raw.scrape_failure_log_file.as_ref(), report),
        }
    }
}

/// The path of a log, if one is wanted.
pub(crate) fn log_file(file: Option<&Spanned<String>>, report: &Report) -> Option<PathBuf> {
    file.filter(|file| !file.is_empty()).map(|file| report.resolve(file))
}

fn external_labels(
    raw: BTreeMap<String, Spanned<String>>,
    validation: NameValidation,
    environment: impl Fn(&str) -> Option<String>,
    report: &mut Report,
) -> Labels {
    let mut expanded = Vec::new();
    for (name, value) in raw {
        if !validation.takes_label(&name) {
            report.error(&value, format_args!("{name:?} is not a valid label name"));
        }
        let (text, missing) = expand_environment(&value, &environment);
        for variable in missing {
            tracing::warn!(label = %name, %variable, "environment variable in an external label is not set");
        }
        expanded.push((name, text));
    }
    Labels::from_pairs(expanded)
}
