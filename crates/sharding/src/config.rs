//! The section `sharding`.

use std::time::Duration;

use config::{DurationMs, HttpClientConfig, Report, Spanned, expand_environment};
use discovery::Sources;
use serde::Deserialize;
use url::Url;

/// How many shards scrape a target where nobody says otherwise.
const REPLICATION_FACTOR: usize = 2;
/// The port of a member that names none: a shard's own default.
const PORT: u16 = 9090;
/// Bounds of `takeover_after` where nobody says otherwise.
const TAKEOVER_MS: (i64, i64) = (2_000, 30_000);

discovery::with_sources! {
    /// `sharding` as written. The words of an HTTP client say how members are asked.
    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    #[expect(missing_docs, reason = "what the keys mean stands at ShardingConfig")]
    pub struct RawSharding {
        #[serde(rename = "self")]
        pub own: Option<Spanned<String>>,
        pub peers: Vec<Spanned<String>>,
        pub replication_factor: Option<Spanned<u64>>,
        pub takeover_after: Option<Spanned<DurationMs>>,
        pub unshared_jobs: Vec<Spanned<String>>,
        pub scheme: Option<Spanned<String>>,
        pub path_prefix: Option<String>,
    }
}

/// `sharding`, validated, with defaults in place.
#[derive(Debug, Clone, PartialEq)]
pub struct ShardingConfig {
    /// This shard, as the others know it: `host:port`. Environment variables are expanded, so that all members may have one file.
    pub name: String,
    /// The other members, and this one, as listed.
    pub peers: Vec<String>,
    /// Where other members are found; the address of what is found is the member's name.
    pub sources: Sources,
    /// How many shards scrape each target; 2.
    pub replication_factor: usize,
    /// For how long a member may be silent before others do its work; half a scrape interval, and between 2 and 30 seconds.
    pub takeover_after: Duration,
    /// Jobs whose targets every member scrapes. Loopback addresses are never shared.
    pub unshared_jobs: Vec<String>,
    /// `http` or `https`.
    pub scheme: String,
    /// What stands before `/api/v1` in the members' URLs; mostly nothing.
    pub path_prefix: String,
    /// How members are asked.
    pub http: HttpClientConfig,
}

impl ShardingConfig {
    /// Checks what was written. `environment` looks up the variables in `self`, `jobs` are the names of all jobs, `interval_ms` is how
    /// often targets are scraped.
    pub fn validate(
        raw: Spanned<RawSharding>,
        environment: impl Fn(&str) -> Option<String>,
        jobs: &[&str],
        interval_ms: i64,
        report: &mut Report,
    ) -> Option<ShardingConfig> {
        let (position, mut raw) = (raw.position, raw.value);
        let http = HttpClientConfig::validate(raw.take_http_client(), report);
        let sources = Sources::validate(raw.take_sources(), false, report);
        for job in raw.unshared_jobs.iter().filter(|job| !jobs.contains(&job.as_str())) {
            report.error(job, format_args!("there is no scrape config with job name {:?}", job.value));
        }
        let replication_factor = replication_factor(raw.replication_factor.as_ref(), report);
        let takeover_after = takeover_after(raw.takeover_after.as_ref(), interval_ms, report);
        let scheme = raw.scheme.map_or("http".to_owned(), |scheme| {
            if !["http", "https"].contains(&scheme.as_str()) {
                report.error(&scheme, format_args!("unknown scheme {:?}, expected http or https", scheme.value));
            }
            scheme.value
        });
        let Some(own) = raw.own.filter(|own| !own.is_empty()) else {
            report.error(
                position,
                "sharding needs self: this shard as it stands among its peers, for example shard-a:9090",
            );
            return None;
        };
        let (name, missing) = expand_environment(&own, environment);
        if let Some(variable) = missing.first() {
            report.error(&own, format_args!("the environment variable {variable} in sharding.self is not set"));
            return None;
        }
        let mut config = ShardingConfig {
            name: with_port(&name),
            peers: Vec::new(),
            sources,
            replication_factor,
            takeover_after,
            unshared_jobs: raw.unshared_jobs.into_iter().map(|job| job.value).collect(),
            scheme,
            path_prefix: raw.path_prefix.unwrap_or_default().trim_matches('/').to_owned(),
            http,
        };
        for peer in raw.peers.iter().chain([&own]) {
            let name = if std::ptr::eq(peer, &own) { config.name.clone() } else { with_port(peer) };
            report.check(peer, config.url_of(&name));
        }
        config.peers = raw.peers.iter().map(|peer| with_port(peer)).collect();
        let is_listed = config.peers.contains(&config.name);
        let is_elsewhere = !config.sources.found.is_empty() || !config.sources.fixed.is_empty();
        if !is_listed && !is_elsewhere {
            let among = if config.peers.is_empty() { "none".to_owned() } else { config.peers.join(", ") };
            report.error(
                &own,
                format_args!(
                    "sharding.self {:?} is not among sharding.peers ({among}), which all members list alike",
                    config.name
                ),
            );
        }
        Some(config)
    }

    /// Where a member is asked whether it is there.
    pub(crate) fn url_of(&self, name: &str) -> Result<Url, String> {
        let wrong = |reason: &dyn std::fmt::Display| format!("{name:?} is not a member's address, host:port: {reason}");
        if name.contains('/') {
            return Err(wrong(&"it has a slash"));
        }
        let prefix = if self.path_prefix.is_empty() { String::new() } else { format!("/{}", self.path_prefix) };
        Url::parse(&format!("{}://{name}{prefix}/api/v1/sharding?scope=self", self.scheme))
            .map_err(|error| wrong(&error))
    }
}

fn replication_factor(raw: Option<&Spanned<u64>>, report: &mut Report) -> usize {
    let Some(factor) = raw else { return REPLICATION_FACTOR };
    if factor.value == 0 {
        report.error(factor, "replication_factor must be at least 1");
    }
    usize::try_from(factor.value).unwrap_or(usize::MAX)
}

fn takeover_after(raw: Option<&Spanned<DurationMs>>, interval_ms: i64, report: &mut Report) -> Duration {
    let ms = raw.map_or((interval_ms / 2).clamp(TAKEOVER_MS.0, TAKEOVER_MS.1), |after| after.0);
    if let Some(after) = raw.filter(|after| after.0 < 1000) {
        report.error(after, "takeover_after must be at least 1s: members are asked once a second");
    }
    Duration::from_millis(ms.unsigned_abs())
}

fn with_port(name: &str) -> String {
    let has_port = name.rsplit_once(':').is_some_and(|(host, port)| {
        !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && (!host.contains(':') || host.ends_with(']'))
    });
    if has_port || name.contains('/') { name.to_owned() } else { format!("{name}:{PORT}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validate(text: &str) -> Result<ShardingConfig, String> {
        let raw: Spanned<RawSharding> = config::load(text, "shard.yml").map_err(|errors| errors.to_string())?;
        let mut report = Report::new("shard.yml");
        let environment = |name: &str| (name == "POD").then(|| "shard-1.shards".to_owned());
        let config = ShardingConfig::validate(raw, environment, &["node"], 15_000, &mut report);
        report.finish(()).map_err(|errors| errors.to_string())?;
        config.ok_or_else(|| "refused without a reason".to_owned())
    }

    #[test]
    fn has_defaults() {
        let config = validate("self: a\npeers: [a, 'b:9091']").expect("valid");
        assert_eq!(
            (config.name.as_str(), config.peers.as_slice()),
            ("a:9090", &["a:9090".into(), "b:9091".into()][..])
        );
        assert_eq!((config.replication_factor, config.takeover_after), (2, Duration::from_millis(7500)));
        let config = validate(
            "self: '${POD}:9090'\ndns_sd_configs: [{names: [_web._tcp.shards]}]\nreplication_factor: 3\n\
             takeover_after: 5s\nunshared_jobs: [node]\nscheme: https\npath_prefix: /prom/\nbasic_auth: {username: u}",
        )
        .expect("valid");
        assert_eq!((config.name.as_str(), config.replication_factor), ("shard-1.shards:9090", 3));
        let url = config.url_of("shard-2.shards:9090").map(String::from);
        assert_eq!(url.as_deref(), Ok("https://shard-2.shards:9090/prom/api/v1/sharding?scope=self"));
        let names = ["a", "a:1", "10.0.0.1", "[::1]", "[::1]:7"].map(with_port);
        assert_eq!(names, ["a:9090", "a:1", "10.0.0.1:9090", "[::1]:9090", "[::1]:7"]);
    }

    #[test]
    fn refuses_with_the_place() {
        let check = |text: &str, want: &str| assert_eq!(validate(text).expect_err(text), format!("shard.yml:{want}"));
        check(
            "peers: [a]",
            "1:1: sharding needs self: this shard as it stands among its peers, for example shard-a:9090",
        );
        check(
            "self: c\npeers: [a, b]",
            "1:7: sharding.self \"c:9090\" is not among sharding.peers (a:9090, b:9090), which all members list alike",
        );
        check("self: a\npeers: [a]\nreplication_factor: 0", "3:21: replication_factor must be at least 1");
        check(
            "self: a\npeers: [a]\ntakeover_after: 10ms",
            "3:17: takeover_after must be at least 1s: members are asked once a second",
        );
        check(
            "self: a\npeers: [a, 'http://b:1']",
            "2:12: \"http://b:1\" is not a member's address, host:port: it has a slash",
        );
        check("self: a\npeers: [a]\nunshared_jobs: [nod]", "3:17: there is no scrape config with job name \"nod\"");
        check("self: a\npeers: [a]\nscheme: ftp", "3:9: unknown scheme \"ftp\", expected http or https");
        check("self: '$NAME'\npeers: [a]", "1:7: the environment variable NAME in sharding.self is not set");
        check("self: a\npeer: [a]", "2:1: unknown key \"peer\", did you mean \"peers\"?");
    }
}
