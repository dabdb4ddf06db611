//! `azure_sd_configs` in the configuration.

use std::time::Duration;

use config::{DurationMs, HttpClientConfig, Position, Report, Secret, Spanned};
use serde::Deserialize;

use crate::cloud::words;

const DEFAULT_REFRESH_MS: i64 = 300_000;
/// The clouds by their names, which may be written in any case.
const CLOUDS: [(&str, AzureCloud); 6] = [
    ("AzurePublicCloud", AzureCloud::Public),
    ("AzureCloud", AzureCloud::Public),
    ("AzureGermanCloud", AzureCloud::Public),
    ("AzureChinaCloud", AzureCloud::China),
    ("AzureUSGovernment", AzureCloud::UsGovernment),
    ("AzureUSGovernmentCloud", AzureCloud::UsGovernment),
];

config::with_http_client! {
    /// `azure_sd_configs` as written.
    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct RawAzureSdConfig {
        /// The cloud, `AzurePublicCloud` by default.
        pub environment: Option<Spanned<String>>,
        /// How to get a token, `OAuth` by default.
        pub authentication_method: Option<Spanned<String>>,
        /// The subscription.
        pub subscription_id: String,
        /// The tenant.
        pub tenant_id: String,
        /// Who asks.
        pub client_id: String,
        /// The secret of who asks.
        pub client_secret: Secret,
        /// Where to look; in the whole subscription by default.
        pub resource_group: String,
        /// How often the machines are listed, 5m by default.
        pub refresh_interval: Option<Spanned<DurationMs>>,
        /// The port of all targets, 80 by default.
        pub port: Option<Spanned<u64>>,
    }
}

/// One of Azure's clouds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Azure's")]
pub enum AzureCloud {
    #[default]
    Public,
    China,
    UsGovernment,
}

/// How to get a token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AzureAuthentication {
    /// With the secret of an application.
    #[default]
    OAuth,
    /// From the machine that this runs on.
    ManagedIdentity,
    /// With what the environment says: a secret, a token in a file, or the machine.
    Sdk,
    /// With a token that Kubernetes has put into a file.
    WorkloadIdentity,
}

impl AzureAuthentication {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "OAuth" => Ok(AzureAuthentication::OAuth),
            "ManagedIdentity" => Ok(AzureAuthentication::ManagedIdentity),
            "SDK" => Ok(AzureAuthentication::Sdk),
            "WorkloadIdentity" => Ok(AzureAuthentication::WorkloadIdentity),
            _ => Err(format!(
                "unknown authentication_type {text:?}. Supported types are \"OAuth\", \"ManagedIdentity\", \"SDK\" or \
                 \"WorkloadIdentity\""
            )),
        }
    }
}

/// `azure_sd_configs`, validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureSdConfig {
    /// The cloud.
    pub cloud: AzureCloud,
    /// How to get a token.
    pub authentication: AzureAuthentication,
    /// The subscription.
    pub subscription_id: String,
    /// The tenant; empty where the environment says it.
    pub tenant_id: String,
    /// Who asks; empty where the environment or the machine says it.
    pub client_id: String,
    /// The secret of who asks.
    pub client_secret: Secret,
    /// Where to look; empty for the whole subscription.
    pub resource_group: String,
    /// How often the machines are listed, in milliseconds.
    pub refresh_interval_ms: i64,
    /// The port of all targets.
    pub port: u16,
    /// How to talk to the API.
    pub http: HttpClientConfig,
}

impl AzureSdConfig {
    pub(crate) fn validate(mut raw: RawAzureSdConfig, position: Position, report: &mut Report) -> Option<Self> {
        let http = HttpClientConfig::validate(raw.take_http_client(), report);
        let cloud = raw.environment.filter(|name| !name.is_empty());
        let cloud = cloud.map_or(Some(AzureCloud::default()), |name| report.check(&name, cloud_by_name(&name)));
        let method = raw.authentication_method.filter(|method| !method.is_empty());
        let authentication = match method {
            Some(method) => report.check(&method, AzureAuthentication::parse(&method)),
            None => Some(AzureAuthentication::default()),
        };
        let needs_application = authentication == Some(AzureAuthentication::OAuth);
        let words = [
            ("subscription_id", raw.subscription_id.is_empty(), true),
            ("tenant_id", raw.tenant_id.is_empty(), needs_application),
            ("client_id", raw.client_id.is_empty(), needs_application),
            ("client_secret", raw.client_secret.is_empty(), needs_application),
        ];
        for (word, is_empty, is_needed) in words {
            if is_empty && is_needed {
                report.error(position, format_args!("azure SD configuration requires a {word}"));
            }
        }
        Some(AzureSdConfig {
            refresh_interval_ms: words::refresh_interval_ms(raw.refresh_interval.as_ref(), DEFAULT_REFRESH_MS, report),
            port: words::port(raw.port.as_ref(), report),
            cloud: cloud?,
            authentication: authentication?,
            subscription_id: raw.subscription_id,
            tenant_id: raw.tenant_id,
            client_id: raw.client_id,
            client_secret: raw.client_secret,
            resource_group: raw.resource_group,
            http,
        })
    }

    pub(crate) fn interval(&self) -> Duration {
        Duration::from_millis(self.refresh_interval_ms.max(1).unsigned_abs())
    }
}

fn cloud_by_name(name: &str) -> Result<AzureCloud, String> {
    let found = CLOUDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, cloud)| *cloud);
    found.ok_or_else(|| format!("there is no cloud configuration matching the name {name:?}"))
}
