//! `nomad_sd_configs`: targets are the instances of services that Nomad itself knows.

use crate::answer::Answer;
use std::sync::Arc;
use std::time::Duration;

use config::{DurationMs, HttpClientConfig, Position, Report, Spanned};
use futures::{StreamExt, TryStreamExt, stream};
use http_client::HttpClient;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::environment::Environment;
use crate::group::{Round, TargetGroup};
use crate::meta_labels::{MetaLabels, host_port, or_default};
use crate::refresh::{Asked, interval};
use crate::server::{AskError, Server};

const DEFAULT_SERVER: &str = "http://localhost:4646";
const DEFAULT_REFRESH: Duration = Duration::from_secs(60);
/// So many services are asked about at once: an agent takes 100 connections of one address by default.
const QUESTIONS_MAX: usize = 10;

config::with_http_client! {
    /// `nomad_sd_configs` as written.
    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct RawNomadSdConfig {
        /// The URL of an agent; `http://localhost:4646` by default.
        pub server: Option<Spanned<String>>,
        /// The namespace of the services, `default` by default; `*` for all.
        pub namespace: Option<String>,
        /// The region of the services; `global` by default.
        pub region: Option<String>,
        /// What stands between tags in a label; a comma by default.
        pub tag_separator: Option<String>,
        /// Whether any server of Nomad may answer; yes by default.
        pub allow_stale: Option<bool>,
        /// How often the services are asked for, 60s by default.
        pub refresh_interval: Option<Spanned<DurationMs>>,
    }
}

/// `nomad_sd_configs`, validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NomadSdConfig {
    /// The agent that is asked.
    pub server: Server,
    /// The namespace of the services; `*` for all.
    pub namespace: String,
    /// The region of the services.
    pub region: String,
    /// What stands between tags in a label, and around them.
    pub tag_separator: String,
    /// Whether any server of Nomad may answer.
    pub allow_stale: bool,
    /// How often the services are asked for.
    pub refresh_interval: Duration,
}

impl NomadSdConfig {
    pub(crate) fn validate(mut raw: RawNomadSdConfig, position: Position, report: &mut Report) -> Option<Self> {
        let http = HttpClientConfig::validate(raw.take_http_client(), report);
        let refresh_interval = interval(raw.refresh_interval, DEFAULT_REFRESH, report);
        let server = raw.server.unwrap_or_else(|| Spanned::new(DEFAULT_SERVER.to_owned(), position));
        if server.trim().is_empty() {
            report.error(&server, "nomad SD configuration requires a server address");
            return None;
        }
        Some(NomadSdConfig {
            server: report.check(&server, Server::parse(&server, http))?,
            namespace: raw.namespace.unwrap_or_else(|| "default".to_owned()),
            region: raw.region.unwrap_or_else(|| "global".to_owned()),
            tag_separator: raw.tag_separator.unwrap_or_else(|| ",".to_owned()),
            allow_stale: raw.allow_stale.unwrap_or(true),
            refresh_interval,
        })
    }
}

/// The services of a namespace.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Namespace {
    namespace: String,
    #[serde(deserialize_with = "or_default")]
    services: Vec<Service>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Service {
    service_name: String,
}

/// An instance of a service.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Instance {
    #[serde(rename = "ID")]
    id: String,
    service_name: String,
    namespace: String,
    #[serde(rename = "NodeID")]
    node_id: String,
    datacenter: String,
    #[serde(deserialize_with = "or_default")]
    tags: Vec<String>,
    address: String,
    port: i64,
}

impl Instance {
    fn target(&self, separator: &str) -> TargetGroup {
        let mut labels = MetaLabels::new("__meta_nomad_");
        labels
            .set("address", &self.address)
            .set("dc", &self.datacenter)
            .set("namespace", &self.namespace)
            .set("node_id", &self.node_id)
            .set("service", &self.service_name)
            .set("service_address", &self.address)
            .set("service_id", &self.id)
            .set("service_port", &self.port.to_string());
        if !self.tags.is_empty() {
            labels.set("tags", &format!("{separator}{}{separator}", self.tags.join(separator)));
        }
        labels.target(host_port(&self.address, self.port))
    }
}

/// Why Nomad's services aren't known.
#[derive(Debug, thiserror::Error)]
enum NomadError {
    #[error("services not listed")]
    List(#[source] AskError),
    #[error("service {name:?} not read")]
    Service {
        name: String,
        #[source]
        source: AskError,
    },
}

/// Asks for services.
pub(crate) struct NomadSource {
    pub(crate) config: NomadSdConfig,
    pub(crate) environment: Arc<Environment>,
    pub(crate) owner: String,
}

impl Asked for NomadSource {
    fn interval(&self) -> Duration {
        self.config.refresh_interval
    }

    async fn ask(&self) -> Round {
        let targets = self.targets().await.inspect_err(|error| {
            self.environment.metrics.nomad_failures.inc();
            self.environment.metrics.refresh_failed(&self.owner, "nomad", error);
        });
        vec![(String::new(), targets.ok())]
    }
}

impl NomadSource {
    /// The instances of all services. One service that can't be read spoils them all, as nothing says whether it is still there.
    async fn targets(&self) -> Result<Vec<TargetGroup>, NomadError> {
        let client = self.client().map_err(NomadError::List)?;
        let NomadSdConfig { namespace, tag_separator, .. } = &self.config;
        let namespaces: Vec<Namespace> =
            self.read(&client, &["v1", "services"], namespace).await.map_err(NomadError::List)?;
        let mut questions = Vec::new();
        for all in &namespaces {
            questions.extend(all.services.iter().map(|one| self.instances(&client, &all.namespace, &one.service_name)));
        }
        let instances: Vec<Vec<Instance>> = stream::iter(questions).buffered(QUESTIONS_MAX).try_collect().await?;
        Ok(instances.iter().flatten().map(|instance| instance.target(tag_separator)).collect())
    }

    async fn instances(&self, client: &HttpClient, namespace: &str, name: &str) -> Result<Vec<Instance>, NomadError> {
        let instances = self.read(client, &["v1", "service", name], namespace).await;
        instances.map_err(|source| NomadError::Service { name: name.to_owned(), source })
    }

    /// Made anew for each round, so that keys and certificates may be replaced.
    fn client(&self) -> Result<HttpClient, AskError> {
        Ok(self.config.server.client(self.config.refresh_interval)?)
    }

    async fn read<T: DeserializeOwned>(
        &self,
        client: &HttpClient,
        path: &[&str],
        namespace: &str,
    ) -> Result<T, AskError> {
        let mut url = self.config.server.url_of(path.iter().copied());
        let words = [("namespace", namespace), ("region", &self.config.region)];
        url.query_pairs_mut().extend_pairs(words.iter().filter(|(_, value)| !value.is_empty()));
        if self.config.allow_stale {
            url.query_pairs_mut().append_pair("stale", "");
        }
        Ok(Answer::of(client.get(url)).await?.json().await?)
    }
}
