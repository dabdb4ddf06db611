//! Heartbeats as configured: `alerting.heartbeats`.

use std::time::Duration;

use config::{DurationMs, HttpClientConfig, Report, Spanned};
use http_client::HttpClient;
use reqwest::Method;
use serde::Deserialize;

use crate::receiver::{UrlSource, WebhookUrl};

const INTERVAL: Duration = Duration::from_secs(30);
const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// How long one attempt may take where the file doesn't say, unless the interval is shorter.
const TIMEOUT: Duration = Duration::from_secs(10);
const METHODS: [Method; 4] = [Method::POST, Method::PUT, Method::GET, Method::HEAD];

config::with_http_client! {
    /// One of `alerting.heartbeats` as written.
    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub(crate) struct RawHeartbeat {
        url: Option<Spanned<String>>,
        url_file: Option<Spanned<String>>,
        interval: Option<Spanned<DurationMs>>,
        timeout: Option<Spanned<DurationMs>>,
        method: Option<Spanned<String>>,
    }
}

/// A webhook that is called at an interval while the node works.
#[derive(Debug)]
pub struct HeartbeatConfig {
    pub(crate) url: UrlSource,
    pub(crate) interval: Duration,
    pub(crate) method: Method,
    pub(crate) client: HttpClient,
}

impl HeartbeatConfig {
    /// Checks what was written.
    pub(crate) fn validate(raw: Spanned<RawHeartbeat>, report: &mut Report) -> Option<Self> {
        let (position, mut raw) = (raw.position, raw.value);
        let http = HttpClientConfig::validate(raw.take_http_client(), report);
        let url = match (raw.url, raw.url_file) {
            (Some(url), None) => UrlSource::Inline(report.check(&url, WebhookUrl::parse(&url))?),
            (None, Some(file)) => UrlSource::File(report.resolve(&file)),
            _ => {
                report.error(position, "a heartbeat needs either url or url_file");
                return None;
            }
        };
        let interval = raw.interval.as_ref().map_or(INTERVAL, |interval| interval.to_std());
        if let Some(short) = raw.interval.as_ref().filter(|_| interval < INTERVAL_MIN) {
            report.error(short, "the interval of a heartbeat is at least 1s");
        }
        let timeout = raw.timeout.map_or(TIMEOUT.min(interval), |timeout| timeout.to_std());
        let method = match &raw.method {
            Some(name) => match METHODS.into_iter().find(|method| method.as_str() == name.to_ascii_uppercase()) {
                Some(method) => method,
                None => {
                    report
                        .error(name, format_args!("unsupported method {:?}: want POST, PUT, GET or HEAD", name.value));
                    return None;
                }
            },
            None => Method::POST,
        };
        let client = report.check(position, HttpClient::new(&http, timeout))?;
        Some(HeartbeatConfig { url, interval, method, client })
    }

    /// Where it goes, for other eyes: the server, because path and query often are the token that lets one in.
    pub(crate) fn shown(&self) -> String {
        match &self.url {
            UrlSource::Inline(url) => url.shown(),
            UrlSource::File(path) => path.display().to_string(),
        }
    }
}
