//! `http_sd_configs`: a server tells the targets, in the form of files of targets.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use config::{DurationMs, HttpClientConfig, HttpClientError, Report, Spanned};
use http_client::HttpClient;
use model::{Labels, LabelsBuilder};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde::Deserialize;
use url::Url;

use crate::answer::{Answer, AnswerError};
use crate::environment::Environment;
use crate::group::{Round, TargetGroup};
use crate::refresh::Asked;

const DEFAULT_REFRESH_MS: i64 = 60_000;
const URL_LABEL: &str = "__meta_url";
const REFRESH_HEADER: &str = "x-prometheus-refresh-interval-seconds";

config::with_http_client! {
    /// `http_sd_configs` as written.
    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct RawHttpSdConfig {
        /// Where the list is.
        pub url: Option<Spanned<String>>,
        /// How often the list is fetched, 60s by default.
        pub refresh_interval: Option<Spanned<DurationMs>>,
    }
}

/// `http_sd_configs`, validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSdConfig {
    /// Where the list is.
    pub url: Url,
    /// How often the list is fetched, in milliseconds.
    pub refresh_interval_ms: i64,
    /// How to talk to the server.
    pub http: HttpClientConfig,
}

impl HttpSdConfig {
    pub(crate) fn validate(
        mut raw: RawHttpSdConfig,
        position: config::Position,
        report: &mut Report,
    ) -> Option<HttpSdConfig> {
        let http = HttpClientConfig::validate(raw.take_http_client(), report);
        let refresh = raw.refresh_interval.map_or(DEFAULT_REFRESH_MS, |interval| {
            if interval.0 <= 0 {
                report.error(&interval, "refresh_interval must be longer than 0");
            }
            interval.0
        });
        let Some(text) = raw.url.filter(|url| !url.is_empty()) else {
            report.error(position, "URL is missing");
            return None;
        };
        let url = report.check(&text, list_url(&text))?;
        Some(HttpSdConfig { url, refresh_interval_ms: refresh, http })
    }

    pub(crate) fn interval(&self) -> Duration {
        Duration::from_millis(self.refresh_interval_ms.max(1).unsigned_abs())
    }
}

fn list_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("not a valid URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("URL scheme must be 'http' or 'https'".to_owned());
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("host is missing in URL".to_owned());
    }
    if url.password().is_some() {
        return Err("credentials don't belong into the URL: use basic_auth".to_owned());
    }
    Ok(url)
}

/// Why a server's list was not taken.
#[derive(Debug, thiserror::Error)]
enum ListError {
    #[error("the HTTP client can't be used")]
    Client(#[from] HttpClientError),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error("unsupported content type {0:?}")]
    ContentType(String),
}

#[derive(Debug, Deserialize)]
struct ListedGroup {
    #[serde(default)]
    targets: Vec<String>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

/// Fetches the list.
pub(crate) struct HttpSource {
    config: HttpSdConfig,
    environment: Arc<Environment>,
    owner: String,
    /// Made once its certificates and keys are there.
    client: OnceLock<HttpClient>,
}

impl HttpSource {
    pub(crate) fn new(config: HttpSdConfig, environment: Arc<Environment>, owner: String) -> Self {
        HttpSource { config, environment, owner, client: OnceLock::new() }
    }

    fn client(&self) -> Result<&HttpClient, HttpClientError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = HttpClient::new(&self.config.http, self.config.interval())?;
        Ok(self.client.get_or_init(|| client))
    }
}

impl Asked for HttpSource {
    fn interval(&self) -> Duration {
        self.config.interval()
    }

    async fn ask(&self) -> Round {
        let groups = self.fetch().await.inspect_err(|error| {
            self.environment.metrics.http_failures.inc();
            self.environment.metrics.refresh_failed(&self.owner, "http", error);
        });
        vec![(String::new(), groups.ok())]
    }
}

impl HttpSource {
    async fn fetch(&self) -> Result<Vec<TargetGroup>, ListError> {
        let request = self
            .client()?
            .get(self.config.url.clone())
            .header(ACCEPT, "application/json")
            .header(REFRESH_HEADER, self.config.interval().as_secs_f64().to_string());
        let response = Answer::of(request).await?;
        let content_type = response.header(&CONTENT_TYPE);
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(ListError::ContentType(content_type.to_owned()));
        }
        let groups: Vec<ListedGroup> = response.json().await?;
        Ok(groups.into_iter().map(|group| self.with_url(group)).collect())
    }

    fn with_url(&self, group: ListedGroup) -> TargetGroup {
        let mut labels = LabelsBuilder::new(&Labels::from_pairs(group.labels.iter().flatten()));
        labels.set(URL_LABEL, self.config.url.as_str());
        TargetGroup { targets: group.targets, labels: labels.build() }
    }
}
