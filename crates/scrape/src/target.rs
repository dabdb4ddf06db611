//! From a discovered address to something that can be scraped.

use std::collections::BTreeMap;

use discovery::relabel::process;
use discovery::{TargetGroup, check_address};
use model::{INSTANCE, JOB, Labels, LabelsBuilder, format_duration, parse_duration};
use url::{Position, Url};

use crate::histograms::HistogramForms;
use crate::scrape_config::ScrapeConfig;

const ADDRESS: &str = "__address__";
const METRICS_PATH: &str = "__metrics_path__";
const SCHEME: &str = "__scheme__";
const INTERVAL: &str = "__scrape_interval__";
const TIMEOUT: &str = "__scrape_timeout__";
const CONVERTED: &str = "__convert_classic_histograms_to_nhcb__";
const CLASSIC: &str = "__always_scrape_classic_histograms__";
const NATIVE: &str = "__scrape_native_histograms__";
const PARAM_PREFIX: &str = "__param_";
const META_PREFIX: &str = "__meta_";
const RESERVED_PREFIX: &str = "__";

/// Hosts that mean another machine elsewhere.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Something that is scraped.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Target {
    /// The labels that its series get.
    pub(crate) labels: Labels,
    /// The labels before relabelling.
    pub(crate) discovered: Labels,
    pub(crate) url: Url,
    /// Its address, where the URL has it in another form: `:9100`, `host:80`, `Host`.
    pub(crate) address: Option<Box<str>>,
    pub(crate) interval_ms: i64,
    pub(crate) timeout_ms: i64,
    /// Which forms of its histograms are stored.
    pub(crate) histograms: HistogramForms,
}

/// What became of a discovered address.
#[derive(Debug)]
pub(crate) enum Outcome {
    Scraped(Box<Target>),
    /// Relabelling dropped it; these were its labels.
    Dropped(Labels),
    Invalid {
        discovered: Labels,
        reason: String,
    },
}

/// What makes two targets the same across a reload: the labels of their series and where they are found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TargetKey {
    pub(crate) labels: Labels,
    pub(crate) url: String,
}

impl Target {
    /// Where it is scraped, as Prometheus shows it: with its address as it was given. `hostname` takes the place of a loopback address.
    pub(crate) fn shown_url(&self, hostname: Option<&str>) -> String {
        let address = self.address.as_deref().unwrap_or(&self.url[Position::BeforeHost..Position::AfterPort]);
        let mut rests = LOOPBACK.iter().filter_map(|host| address.strip_prefix(host));
        let mut behind_loopback = || rests.find(|rest| rest.is_empty() || rest.starts_with(':'));
        let (host, rest) = hostname.and_then(|name| Some((name, behind_loopback()?))).unwrap_or((address, ""));
        format!("{}://{host}{rest}{}", self.url.scheme(), &self.url[Position::AfterPort..])
    }

    pub(crate) fn key(&self) -> TargetKey {
        TargetKey { labels: self.labels.clone(), url: self.url.to_string() }
    }
}

/// Makes targets of a group, one outcome per address.
pub(crate) fn targets_of<'a>(group: &'a TargetGroup, config: &'a ScrapeConfig) -> impl Iterator<Item = Outcome> + 'a {
    group.targets.iter().map(move |address| {
        let mut labels = LabelsBuilder::new(&group.labels);
        labels.set(ADDRESS, address);
        set_defaults(&mut labels, config);
        let discovered = labels.build();
        if !process(&config.relabel_configs, &mut labels) {
            return Outcome::Dropped(discovered);
        }
        match finish(&mut labels, config, &discovered) {
            Ok(target) => Outcome::Scraped(Box::new(target)),
            Err(reason) => Outcome::Invalid { discovered, reason },
        }
    })
}

/// What becomes of a target, for people.
#[derive(Debug)]
pub struct Trial {
    /// Its labels before relabelling, defaults of the job among them.
    pub discovered: Labels,
    /// `None` where relabelling drops it, otherwise how it is scraped, or why it can't be.
    pub outcome: Option<Result<Scraped, String>>,
}

/// How a target is scraped.
#[derive(Debug)]
pub struct Scraped {
    /// The labels of its series.
    pub labels: Labels,
    /// What is fetched.
    pub url: String,
    /// How often, in milliseconds.
    pub interval_ms: i64,
    /// How long it may take, in milliseconds.
    pub timeout_ms: i64,
}

impl Trial {
    /// Tries what a job does with a target that is found with these labels.
    pub fn of(config: &ScrapeConfig, labels: &Labels) -> Trial {
        let mut builder = LabelsBuilder::new(labels);
        set_defaults(&mut builder, config);
        let discovered = builder.build();
        let outcome = process(&config.relabel_configs, &mut builder).then(|| {
            finish(&mut builder, config, &discovered).map(|target| Scraped {
                labels: target.labels,
                url: target.url.into(),
                interval_ms: target.interval_ms,
                timeout_ms: target.timeout_ms,
            })
        });
        Trial { discovered, outcome }
    }
}

fn set_defaults(labels: &mut LabelsBuilder, config: &ScrapeConfig) {
    let defaults = [
        (JOB, config.job_name.clone()),
        (INTERVAL, format_duration(config.scrape_interval_ms)),
        (TIMEOUT, format_duration(config.scrape_timeout_ms)),
        (METRICS_PATH, config.metrics_path.clone()),
        (SCHEME, config.scheme.as_str().to_owned()),
        (CONVERTED, config.histograms.converted.to_string()),
        (CLASSIC, config.histograms.classic.to_string()),
        (NATIVE, config.histograms.native.to_string()),
    ];
    for (name, value) in defaults {
        if labels.get(name).is_none() {
            labels.set(name, &value);
        }
    }
    for (name, values) in &config.params {
        if let Some(first) = values.first() {
            labels.set(&format!("{PARAM_PREFIX}{name}"), first);
        }
    }
}

fn finish(labels: &mut LabelsBuilder, config: &ScrapeConfig, discovered: &Labels) -> Result<Target, String> {
    let address = labels.get(ADDRESS).ok_or("no address")?.to_owned();
    check_address(&address)?;
    let time = |name: &str, word: &str| {
        let ms = parse_duration(labels.get(name).unwrap_or(""));
        match ms.map_err(|e| format!("error parsing scrape {word}: {e}"))? {
            0 => Err(format!("scrape {word} cannot be 0")),
            ms => Ok(ms),
        }
    };
    let (interval_ms, timeout_ms) = (time(INTERVAL, "interval")?, time(TIMEOUT, "timeout")?);
    if timeout_ms > interval_ms {
        return Err(format!(
            "scrape timeout cannot be greater than scrape interval ({:?} > {:?})",
            format_duration(timeout_ms),
            format_duration(interval_ms)
        ));
    }
    let histograms = histogram_forms(labels, config.histograms)?;
    let url = url_of(labels, &address, &config.params)?;
    labels.retain(|name, _| !name.starts_with(META_PREFIX));
    if labels.get(INSTANCE).is_none() {
        labels.set(INSTANCE, &address);
    }
    labels.retain(|name, _| !name.starts_with(RESERVED_PREFIX));
    let is_in_url = address == url[Position::BeforeHost..Position::AfterPort];
    let has_password = address.contains('@');
    let address = (!is_in_url && !has_password).then(|| address.into());
    let (labels, discovered) = (labels.build(), discovered.clone());
    Ok(Target { labels, discovered, url, address, interval_ms, timeout_ms, histograms })
}

/// What the labels say of histograms; one that relabelling took away says what the job says.
fn histogram_forms(labels: &LabelsBuilder, job: HistogramForms) -> Result<HistogramForms, String> {
    let flag = |name: &str, default: bool, words: &str| match labels.get(name) {
        None => Ok(default),
        Some(text) => {
            parse_bool(text).ok_or_else(|| format!("error parsing {words}: {text:?} is neither true nor false"))
        }
    };
    Ok(HistogramForms {
        native: flag(NATIVE, job.native, "scrape native histograms")?,
        converted: flag(CONVERTED, job.converted, "convert classic histograms to nhcb")?,
        classic: flag(CLASSIC, job.classic, "always scrape classic histograms")?,
    })
}

/// A flag in a label, in the words of Go.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn url_of(labels: &LabelsBuilder, address: &str, params: &BTreeMap<String, Vec<String>>) -> Result<Url, String> {
    let scheme = labels.get(SCHEME).unwrap_or("");
    if !matches!(scheme, "http" | "https") {
        return Err(format!("unknown scheme {scheme:?}, expected http or https"));
    }
    // A port alone is one of this machine.
    let host = if address.starts_with(':') { "localhost" } else { "" };
    let url = Url::parse(&format!("{scheme}://{host}{address}"));
    let mut url = url.map_err(|e| format!("{address:?} is not a valid address: {e}"))?;
    url.set_path(labels.get(METRICS_PATH).unwrap_or(""));
    let mut values: BTreeMap<&str, Vec<&str>> =
        params.iter().map(|(name, values)| (name.as_str(), values.iter().map(String::as_str).collect())).collect();
    for (name, value) in labels.iter() {
        let Some(name) = name.strip_prefix(PARAM_PREFIX) else { continue };
        match values.entry(name).or_default().first_mut() {
            Some(first) => *first = value,
            None => values.entry(name).or_default().push(value),
        }
    }
    if values.values().any(|values| !values.is_empty()) {
        let mut query = url.query_pairs_mut();
        for (name, values) in values {
            for value in values {
                query.append_pair(name, value);
            }
        }
    }
    Ok(url)
}

#[cfg(test)]
mod tests;
