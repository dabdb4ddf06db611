//! `docker_sd_configs` and `dockerswarm_sd_configs` in the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use config::{DurationMs, HttpClientConfig, Position, Report, Spanned};
use serde::Deserialize;

use crate::refresh::interval;
use crate::server::Server;

const DEFAULT_REFRESH: Duration = Duration::from_secs(60);
const DEFAULT_PORT: u16 = 80;

config::with_http_client! {
    /// `docker_sd_configs` as written.
    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct RawDockerSdConfig {
        /// The daemon: `unix://`, `tcp://`, `http://` or `https://`.
        pub host: Option<Spanned<String>>,
        /// The port of containers that have none, 80 by default.
        pub port: Option<Spanned<u64>>,
        /// Which containers; all that run by default.
        pub filters: Vec<RawFilter>,
        /// The host of containers that have the network of theirs, `localhost` by default.
        pub host_networking_host: Option<String>,
        /// Whether only the first of a container's networks counts; yes by default.
        pub match_first_network: Option<bool>,
        /// How often the containers are asked for, 60s by default.
        pub refresh_interval: Option<Spanned<DurationMs>>,
    }
}

config::with_http_client! {
    /// `dockerswarm_sd_configs` as written.
    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct RawDockerSwarmSdConfig {
        /// A daemon that manages the swarm: `unix://`, `tcp://`, `http://` or `https://`.
        pub host: Option<Spanned<String>>,
        /// What the targets are: `services`, `tasks` or `nodes`.
        pub role: Option<Spanned<String>>,
        /// The port of nodes, and of services and tasks that publish none; 80 by default.
        pub port: Option<Spanned<u64>>,
        /// Which of them; all by default.
        pub filters: Vec<RawFilter>,
        /// How often they are asked for, 60s by default.
        pub refresh_interval: Option<Spanned<DurationMs>>,
    }
}

/// An entry of `filters` as written: what it is about, and values that it may have.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawFilter {
    /// As `label`.
    pub name: String,
    /// Any of them fits.
    pub values: Vec<String>,
}

/// Which objects are asked for: by what a filter is about, any of its values fits.
pub type Filters = BTreeMap<String, BTreeSet<String>>;

/// `docker_sd_configs`, validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerSdConfig {
    /// The daemon.
    pub server: Server,
    /// The port of containers that have none.
    pub port: u16,
    /// Which containers; all that run where there is none.
    pub filters: Filters,
    /// The host of containers that have the network of theirs.
    pub host_networking_host: String,
    /// Whether only the first of a container's networks counts.
    pub match_first_network: bool,
    /// How often the containers are asked for.
    pub refresh_interval: Duration,
}

/// What the targets of a swarm are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwarmRole {
    /// Services, by their virtual addresses.
    Services,
    /// Tasks: the containers of services.
    Tasks,
    /// Nodes.
    Nodes,
}

/// `dockerswarm_sd_configs`, validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerSwarmSdConfig {
    /// A daemon that manages the swarm.
    pub server: Server,
    /// What the targets are.
    pub role: SwarmRole,
    /// The port of nodes, and of services and tasks that publish none.
    pub port: u16,
    /// Which of them; all where there is none.
    pub filters: Filters,
    /// How often they are asked for.
    pub refresh_interval: Duration,
}

impl DockerSdConfig {
    pub(crate) fn validate(mut raw: RawDockerSdConfig, position: Position, report: &mut Report) -> Option<Self> {
        let http = HttpClientConfig::validate(raw.take_http_client(), report);
        let refresh_interval = interval(raw.refresh_interval, DEFAULT_REFRESH, report);
        let port = port(raw.port, report);
        Some(DockerSdConfig {
            server: server(raw.host, http, position, report)?,
            port,
            filters: filters(raw.filters),
            host_networking_host: raw.host_networking_host.unwrap_or_else(|| "localhost".to_owned()),
            match_first_network: raw.match_first_network.unwrap_or(true),
            refresh_interval,
        })
    }
}

impl DockerSwarmSdConfig {
    pub(crate) fn validate(mut raw: RawDockerSwarmSdConfig, position: Position, report: &mut Report) -> Option<Self> {
        let http = HttpClientConfig::validate(raw.take_http_client(), report);
        let refresh_interval = interval(raw.refresh_interval, DEFAULT_REFRESH, report);
        let port = port(raw.port, report);
        let server = server(raw.host, http, position, report);
        let role = match raw.role.filter(|role| !role.is_empty()) {
            Some(role) => report.check(&role, SwarmRole::parse(&role)),
            None => {
                report.error(position, "role missing (one of: tasks, services, nodes)");
                None
            }
        };
        Some(DockerSwarmSdConfig {
            server: server?,
            role: role?,
            port,
            filters: filters(raw.filters),
            refresh_interval,
        })
    }
}

impl SwarmRole {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "services" => Ok(SwarmRole::Services),
            "tasks" => Ok(SwarmRole::Tasks),
            "nodes" => Ok(SwarmRole::Nodes),
            _ => Err(format!("invalid role {text}, expected tasks, services, or nodes")),
        }
    }
}

fn server(
    host: Option<Spanned<String>>,
    http: HttpClientConfig,
    position: Position,
    report: &mut Report,
) -> Option<Server> {
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        report.error(position, "host missing");
        return None;
    };
    // The daemon's word for plain HTTP.
    let parsed = match host.strip_prefix("tcp://") {
        Some(rest) => Server::parse(&format!("http://{rest}"), http),
        None => Server::parse(&host, http),
    };
    report.check(&host, parsed.map_err(|error| error.replace("http://, https://", "tcp://, http://, https://")))
}

fn port(raw: Option<Spanned<u64>>, report: &mut Report) -> u16 {
    let Some(raw) = raw else { return DEFAULT_PORT };
    report.check(&raw, u16::try_from(raw.value).map_err(|_| format!("{} is not a port", raw.value))).unwrap_or_default()
}

fn filters(raw: Vec<RawFilter>) -> Filters {
    let mut filters = Filters::new();
    for RawFilter { name, values } in raw {
        if !values.is_empty() {
            filters.entry(name).or_default().extend(values);
        }
    }
    filters
}
