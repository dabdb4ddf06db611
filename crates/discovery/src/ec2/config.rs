//! `ec2_sd_configs` and `aws_sd_configs` in the configuration.

use std::time::Duration;

use config::{DurationMs, HttpClientConfig, Ignored, Position, Report, Secret, Spanned};
use serde::Deserialize;
use url::Url;

use crate::cloud::words;

const DEFAULT_REFRESH_MS: i64 = 60_000;
/// The roles of `aws_sd_configs` that Prometheus knows.
const ROLES: [&str; 6] = ["ec2", "ecs", "elasticache", "lightsail", "msk", "rds"];

config::with_http_client! {
    /// `ec2_sd_configs` or `aws_sd_configs` as written.
    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct RawEc2SdConfig {
        /// What the targets are; in `aws_sd_configs` alone.
        pub role: Option<Spanned<String>>,
        /// The clusters of other roles than `ec2`.
        pub clusters: Option<Spanned<Ignored>>,
        /// The region; what the environment, the profile or the machine itself says by default.
        pub region: Option<Spanned<String>>,
        /// The URL of the API; that of the region by default.
        pub endpoint: Option<Spanned<String>>,
        /// The key's ID.
        pub access_key: Option<Secret>,
        /// The key.
        pub secret_key: Option<Secret>,
        /// The profile whose credentials are used.
        pub profile: Option<String>,
        /// A role to assume.
        pub role_arn: Option<String>,
        /// What the role's owner wants to be told.
        pub external_id: Option<String>,
        /// How often the instances are listed, 60s by default.
        pub refresh_interval: Option<Spanned<DurationMs>>,
        /// The port of all targets, 80 by default.
        pub port: Option<Spanned<u64>>,
        /// Which instances; all by default.
        pub filters: Vec<Spanned<RawFilter>>,
    }
}

/// An entry of `filters` as written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawFilter {
    /// What is looked at.
    pub name: String,
    /// What it may be.
    pub values: Vec<String>,
}

/// An entry of `filters`: which instances are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// What is looked at.
    pub name: String,
    /// What it may be.
    pub values: Vec<String>,
}

/// `ec2_sd_configs`, validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ec2SdConfig {
    /// The region; nothing where the environment, the profile or the machine itself says it.
    pub region: Option<String>,
    /// The URL of the API; that of the region where there is none.
    pub endpoint: Option<Url>,
    /// The key's ID and the key, where both are given.
    pub keys: Option<(Secret, Secret)>,
    /// The profile whose credentials are used.
    pub profile: Option<String>,
    /// A role to assume.
    pub role_arn: Option<String>,
    /// What the role's owner wants to be told.
    pub external_id: Option<String>,
    /// How often the instances are listed, in milliseconds.
    pub refresh_interval_ms: i64,
    /// The port of all targets.
    pub port: u16,
    /// Which instances.
    pub filters: Vec<Filter>,
    /// How to talk to the API.
    pub http: HttpClientConfig,
}

impl Ec2SdConfig {
    /// Checks an entry of `ec2_sd_configs`.
    pub(crate) fn validate(raw: RawEc2SdConfig, report: &mut Report) -> Option<Self> {
        let of_aws = [("role", raw.role.as_ref().map(|role| role.position)), ("clusters", clusters(&raw))];
        for (key, position) in of_aws {
            if let Some(position) = position {
                report.error(position, format_args!("unknown field `{key}`: it is a word of aws_sd_configs"));
            }
        }
        Ec2SdConfig::validate_instances(raw, report)
    }

    /// Checks an entry of `aws_sd_configs`.
    pub(crate) fn validate_aws(raw: RawEc2SdConfig, position: Position, report: &mut Report) -> Option<Self> {
        let role = raw.role.clone().unwrap_or(Spanned::new(String::new(), position));
        match role.as_str() {
            "ec2" => {}
            other if ROLES.contains(&other) => {
                report.error(
                    &role,
                    format_args!(
                        "the role {other} is not served, only ec2: let whoever knows these targets write them into a file for \
                         file_sd_configs, or answer http_sd_configs with them"
                    ),
                );
                return None;
            }
            other => {
                report.error(&role, format_args!("unknown AWS SD role {other:?}"));
                return None;
            }
        }
        Ec2SdConfig::validate_instances(raw, report)
    }

    fn validate_instances(mut raw: RawEc2SdConfig, report: &mut Report) -> Option<Self> {
        let http = HttpClientConfig::validate(raw.take_http_client(), report);
        let refresh_interval_ms = words::refresh_interval_ms(raw.refresh_interval.as_ref(), DEFAULT_REFRESH_MS, report);
        let port = words::port(raw.port.as_ref(), report);
        let region = raw.region.filter(|region| !region.is_empty());
        let region = region.and_then(|region| report.check(&region, region_name(&region)));
        let endpoint = raw.endpoint.filter(|endpoint| !endpoint.is_empty());
        let endpoint = endpoint.and_then(|endpoint| report.check(&endpoint, endpoint_url(&endpoint)));
        let mut filters = Vec::new();
        for Spanned { value, position } in raw.filters {
            if value.values.is_empty() {
                report.error(position, "EC2 SD configuration filter values cannot be empty");
            }
            filters.push(Filter { name: value.name, values: value.values });
        }
        let keys = raw.access_key.zip(raw.secret_key);
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        Some(Ec2SdConfig {
            region,
            endpoint,
            keys: keys.filter(|(id, key)| !id.is_empty() && !key.is_empty()),
            profile: given(raw.profile),
            role_arn: given(raw.role_arn),
            external_id: given(raw.external_id),
            refresh_interval_ms,
            port,
            filters,
            http,
        })
    }

    pub(crate) fn interval(&self) -> Duration {
        Duration::from_millis(self.refresh_interval_ms.max(1).unsigned_abs())
    }
}

fn clusters(raw: &RawEc2SdConfig) -> Option<Position> {
    raw.clusters.as_ref().map(|clusters| clusters.position)
}

/// A region is a part of hosts' names.
pub(crate) fn region_name(text: &str) -> Result<String, String> {
    let is_good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.is_empty() || text.len() > 63 || !text.bytes().all(is_good) {
        return Err(format!("{text:?} is not a region: it has lowercase letters, digits and hyphens, as eu-west-1"));
    }
    Ok(text.to_owned())
}

/// The URL of an API.
pub(crate) fn endpoint_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("not a valid URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("the URL must begin with https:// or http:// and name a host".to_owned());
    }
    if url.password().is_some() || !url.username().is_empty() {
        return Err("credentials don't belong into the URL: use access_key and secret_key".to_owned());
    }
    if url.query().is_some() {
        return Err("the URL of the API has no query".to_owned());
    }
    Ok(url)
}
