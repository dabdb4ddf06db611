//! `consul_sd_configs` in the configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use config::{DurationMs, HttpClientConfig, Position, RawBasicAuth, RawHttpClientConfig, Report, Secret, Spanned};
use serde::Deserialize;

use crate::refresh::interval;
use crate::server::Server;

const DEFAULT_SERVER: &str = "localhost:8500";
const DEFAULT_REFRESH: Duration = Duration::from_secs(30);

config::with_http_client! {
    /// `consul_sd_configs` as written.
    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct RawConsulSdConfig {
        /// The agent, `host:port` or a URL; `localhost:8500` by default.
        pub server: Option<Spanned<String>>,
        /// What comes before the paths of the API, behind a gateway.
        pub path_prefix: Option<String>,
        /// The token of Consul's access control.
        pub token: Option<Spanned<Secret>>,
        /// The datacenter that is asked about; that of the agent by default.
        pub datacenter: Option<String>,
        /// The namespace that is asked about (Consul Enterprise).
        pub namespace: Option<String>,
        /// The admin partition that is asked about (Consul Enterprise).
        pub partition: Option<String>,
        /// `http`, the default, or `https`.
        pub scheme: Option<Spanned<String>>,
        /// The old word for `basic_auth: {username: …}`.
        pub username: Option<Spanned<String>>,
        /// The old word for `basic_auth: {password: …}`.
        pub password: Option<Spanned<Secret>>,
        /// The services; all by default.
        pub services: Vec<String>,
        /// Tags that an instance must have, all of them.
        pub tags: Vec<String>,
        /// Metadata that a node must have.
        pub node_meta: BTreeMap<String, String>,
        /// An expression that picks services out of the catalog.
        pub filter: Option<String>,
        /// An expression that picks instances of a service.
        pub health_filter: Option<String>,
        /// What stands between tags in a label; a comma by default.
        pub tag_separator: Option<String>,
        /// Whether any server of Consul may answer; yes by default.
        pub allow_stale: Option<bool>,
        /// How often the same is asked at most, 30s by default.
        pub refresh_interval: Option<Spanned<DurationMs>>,
    }
}

/// `consul_sd_configs`, validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsulSdConfig {
    /// The agent that is asked.
    pub server: Server,
    /// The token of Consul's access control.
    pub token: Option<Secret>,
    /// The datacenter that is asked about; empty for that of the agent.
    pub datacenter: String,
    /// The namespace that is asked about; empty for that of the token.
    pub namespace: String,
    /// The admin partition that is asked about; empty for that of the agent.
    pub partition: String,
    /// The services; all where there are none.
    pub services: Vec<String>,
    /// Tags that an instance must have, all of them.
    pub tags: Vec<String>,
    /// Metadata that a node must have.
    pub node_meta: BTreeMap<String, String>,
    /// An expression that picks services out of the catalog; empty for all.
    pub filter: String,
    /// An expression that picks instances of a service; empty for all.
    pub health_filter: String,
    /// What stands between tags in a label, and around them.
    pub tag_separator: String,
    /// Whether any server of Consul may answer.
    pub allow_stale: bool,
    /// How often the same is asked at most.
    pub refresh_interval: Duration,
}

impl ConsulSdConfig {
    pub(crate) fn validate(mut raw: RawConsulSdConfig, position: Position, report: &mut Report) -> Option<Self> {
        let mut http = raw.take_http_client();
        if let Some(token) = raw.token.as_ref().filter(|token| !token.is_empty())
            && (http.authorization.is_some() || http.oauth2.is_some())
        {
            report.error(token, "at most one of consul SD token, authorization, or oauth2 can be configured");
        }
        put_basic_auth(&mut http, raw.username, raw.password, report);
        let http = HttpClientConfig::validate(http, report);
        let refresh_interval = interval(raw.refresh_interval, DEFAULT_REFRESH, report);
        let server = raw.server.unwrap_or_else(|| Spanned::new(DEFAULT_SERVER.to_owned(), position));
        if server.trim().is_empty() {
            report.error(&server, "consul SD configuration requires a server address");
            return None;
        }
        if let Some(scheme) = raw.scheme.as_ref().filter(|scheme| !matches!(scheme.as_str(), "http" | "https" | "")) {
            report.error(scheme, format_args!("scheme {:?} is not supported, expected http or https", scheme.value));
            return None;
        }
        let url = url(&server, raw.scheme.as_deref().map_or("", String::as_str));
        let mut parsed = report.check(&server, Server::parse(&url, http))?;
        if let Some(prefix) = raw.path_prefix.filter(|_| parsed.url.path() == "/") {
            parsed.url = parsed.url_of(prefix.split('/').filter(|segment| !segment.is_empty()));
        }
        Some(ConsulSdConfig {
            server: parsed,
            token: raw.token.map(|token| token.value).filter(|token| !token.is_empty()),
            datacenter: raw.datacenter.unwrap_or_default(),
            namespace: raw.namespace.unwrap_or_default(),
            partition: raw.partition.unwrap_or_default(),
            services: raw.services,
            tags: raw.tags,
            node_meta: raw.node_meta,
            filter: raw.filter.unwrap_or_default(),
            health_filter: raw.health_filter.unwrap_or_default(),
            tag_separator: raw.tag_separator.unwrap_or_else(|| ",".to_owned()),
            allow_stale: raw.allow_stale.unwrap_or(true),
            refresh_interval,
        })
    }

    /// Whether services are picked out of the catalog; otherwise those that are listed are asked about, whether they are there or not.
    pub(crate) fn has_catalog(&self) -> bool {
        self.services.is_empty() || !self.tags.is_empty() || !self.filter.is_empty()
    }

    /// Whether a service of the catalog is looked at, which has instances with these tags.
    pub(crate) fn has_service(&self, name: &str, tags: &[String]) -> bool {
        (self.services.is_empty() || self.services.iter().any(|service| service == name))
            && self.tags.iter().all(|tag| tags.contains(tag))
    }
}

/// The URL of a server: a scheme in it counts, but never against `https`.
fn url(server: &str, scheme: &str) -> String {
    match server.split_once("://") {
        Some(("http", rest)) if scheme == "https" => format!("https://{rest}"),
        Some(_) => server.to_owned(),
        None if scheme.is_empty() => format!("http://{server}"),
        None => format!("{scheme}://{server}"),
    }
}

/// Takes the old words for `basic_auth` over.
fn put_basic_auth(
    http: &mut RawHttpClientConfig,
    username: Option<Spanned<String>>,
    password: Option<Spanned<Secret>>,
    report: &mut Report,
) {
    let username = username.filter(|username| !username.is_empty());
    let password = password.filter(|password| !password.is_empty());
    let first = username.as_ref().map(Position::from).or(password.as_ref().map(Position::from));
    let Some(position) = first else { return };
    if http.basic_auth.is_some() {
        report.error(
            position,
            "at most one of consul SD configuration username and password and basic auth can be configured",
        );
        return;
    }
    let value = RawBasicAuth {
        username: username.map(|username| username.value),
        password: password.map(|password| password.value),
        ..RawBasicAuth::default()
    };
    http.basic_auth = Some(Spanned::new(value, position));
}
