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

use crate::environment::Environment;
use crate::group::{Round, TargetGroup};
use crate::metrics::SourceLabels;

const DEFAULT_REFRESH_MS: i64 = 60_000;
/// A list of targets larger than this is not read.
const BODY_BYTES_MAX: usize = 64 << 20;
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
    #[error("the request failed")]
    Request(#[from] http_client::Error),
    #[error("the answer broke off")]
    Broken(#[source] reqwest::Error),
    #[error("server returned HTTP status {0}")]
    Status(reqwest::StatusCode),
    #[error("unsupported content type {0:?}")]
    ContentType(String),
    #[error("the list is larger than {BODY_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the list can't be read")]
    Json(#[from] serde_json::Error),
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

    pub(crate) async fn ask(&self) -> Round {
        let groups = self.fetch().await.inspect_err(|error| {
            let metrics = &self.environment.metrics;
            metrics.http_failures.inc();
            let labels = SourceLabels { config: self.owner.clone(), mechanism: "http".to_owned() };
            metrics.refresh_failures.get_or_create(&labels).inc();
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            tracing::error!(config = %self.owner, %error, cause, "list of targets not fetched, its last targets stay");
        });
        vec![(String::new(), groups.ok())]
    }

    async fn fetch(&self) -> Result<Vec<TargetGroup>, ListError> {
        let request = self
            .client()?
            .get(self.config.url.clone())
            .header(ACCEPT, "application/json")
            .header(REFRESH_HEADER, self.config.interval().as_secs_f64().to_string());
        let mut response = request.send().await?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(ListError::Status(response.status()));
        }
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().trim().to_owned();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(ListError::ContentType(content_type));
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| ListError::Broken(error.without_url()))? {
            body.extend_from_slice(&piece);
            if body.len() > BODY_BYTES_MAX {
                return Err(ListError::TooLarge);
            }
        }
        let groups: Vec<ListedGroup> = serde_json::from_slice(&body)?;
        Ok(groups.into_iter().map(|group| self.with_url(group)).collect())
    }

    fn with_url(&self, group: ListedGroup) -> TargetGroup {
        let mut labels = LabelsBuilder::new(&Labels::from_pairs(group.labels.iter().flatten()));
        labels.set(URL_LABEL, self.config.url.as_str());
        TargetGroup { targets: group.targets, labels: labels.build() }
    }
}
