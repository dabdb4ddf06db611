//! Services.

use std::collections::BTreeMap;

use model::Labels;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::docker::config::{DockerSwarmSdConfig, Filters};
use crate::docker::daemon::{Daemon, DaemonError};
use crate::docker::network::{SWARM_PREFIX, host_of, network_labels};
use crate::group::TargetGroup;
use crate::meta_labels::{MetaLabels, host_port, or_default};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Service {
    #[serde(rename = "ID")]
    id: String,
    spec: Spec,
    endpoint: Endpoint,
    update_status: Option<UpdateStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Spec {
    name: String,
    #[serde(deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
    mode: Mode,
    task_template: TaskTemplate,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Mode {
    replicated: Option<IgnoredAny>,
    global: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct TaskTemplate {
    #[serde(deserialize_with = "or_default")]
    container_spec: ContainerSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ContainerSpec {
    image: String,
    hostname: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct UpdateStatus {
    state: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Endpoint {
    #[serde(deserialize_with = "or_default")]
    ports: Vec<Port>,
    #[serde(rename = "VirtualIPs", deserialize_with = "or_default")]
    virtual_ips: Vec<VirtualIp>,
}

/// A port that a service or a task publishes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Port {
    name: String,
    protocol: String,
    pub(super) published_port: u16,
    pub(super) publish_mode: String,
}

impl Port {
    /// Whether it can be scraped.
    pub(super) fn is_tcp(&self) -> bool {
        self.protocol == "tcp"
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct VirtualIp {
    #[serde(rename = "NetworkID")]
    network_id: String,
    /// `address/length`; none in a network that has no addresses of its own.
    #[serde(rename = "Addr")]
    address: String,
}

impl Service {
    /// The labels that its tasks have as well.
    fn labels(&self) -> MetaLabels {
        let Spec { name, labels: own, mode, .. } = &self.spec;
        let mode = match mode {
            Mode { global: Some(_), .. } => "global",
            Mode { replicated: Some(_), .. } => "replicated",
            _ => "",
        };
        let mut labels = MetaLabels::new(SWARM_PREFIX);
        labels
            .set("service_id", &self.id)
            .set("service_name", name)
            .set("service_mode", mode)
            .set_all("service_label_", own);
        labels
    }

    /// A target for each of its addresses and published ports, or with the configured port where it publishes none.
    fn add_targets(
        &self,
        networks: &BTreeMap<String, Labels>,
        port: u16,
        targets: &mut Vec<TargetGroup>,
    ) -> Result<(), DaemonError> {
        let mut common = self.labels();
        let container = &self.spec.task_template.container_spec;
        common
            .set("service_task_container_hostname", &container.hostname)
            .set("service_task_container_image", &container.image)
            .set("service_updating_status", self.update_status.as_ref().map_or("", |status| &status.state));
        for address in self.endpoint.virtual_ips.iter().filter(|address| !address.address.is_empty()) {
            let (host, before) = (host_of(&address.address)?, targets.len());
            let mut labels = common.clone();
            labels.join(networks.get(&address.network_id).unwrap_or(&Labels::empty()));
            for port in self.endpoint.ports.iter().filter(|port| port.is_tcp()) {
                let mut labels = labels.clone();
                labels
                    .set("service_endpoint_port_name", &port.name)
                    .set("service_endpoint_port_publish_mode", &port.publish_mode);
                targets.push(labels.target(host_port(host, port.published_port)));
            }
            if targets.len() == before {
                targets.push(labels.target(host_port(host, port)));
            }
        }
        Ok(())
    }
}

/// Targets for all services.
pub(super) async fn targets(
    daemon: &Daemon<'_>,
    config: &DockerSwarmSdConfig,
) -> Result<Vec<TargetGroup>, DaemonError> {
    let services: Vec<Service> = daemon.list("services", &config.filters).await?;
    let networks = network_labels(daemon, SWARM_PREFIX).await?;
    let mut targets = Vec::new();
    for service in &services {
        service.add_targets(&networks, config.port, &mut targets)?;
    }
    Ok(targets)
}

/// The labels of tasks of each service, and its ports, by the ID of the service.
pub(super) async fn labels(daemon: &Daemon<'_>) -> Result<BTreeMap<String, (Labels, Vec<Port>)>, DaemonError> {
    let services: Vec<Service> = daemon.list("services", &Filters::new()).await?;
    let labelled = services.into_iter();
    Ok(labelled.map(|service| (service.id.clone(), (service.labels().build(), service.endpoint.ports))).collect())
}
