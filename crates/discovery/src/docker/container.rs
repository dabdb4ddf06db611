//! Containers, and the targets that they are: one for each network and exposed port.

use std::collections::BTreeMap;

use model::Labels;
use serde::Deserialize;

use crate::docker::config::DockerSdConfig;
use crate::docker::daemon::{Daemon, DaemonError};
use crate::docker::network::network_labels;
use crate::group::TargetGroup;
use crate::meta_labels::{MetaLabels, host_port, or_default};

const PREFIX: &str = "__meta_docker_";

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Container {
    id: String,
    #[serde(deserialize_with = "or_default")]
    names: Vec<String>,
    image: String,
    #[serde(rename = "ImageID")]
    image_id: String,
    #[serde(deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    ports: Vec<Port>,
    #[serde(deserialize_with = "or_default")]
    host_config: HostConfig,
    #[serde(deserialize_with = "or_default")]
    network_settings: NetworkSettings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Port {
    #[serde(rename = "IP")]
    ip: String,
    private_port: u16,
    public_port: u16,
    #[serde(rename = "Type")]
    protocol: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    network_mode: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NetworkSettings {
    #[serde(deserialize_with = "or_default")]
    networks: BTreeMap<String, Option<Endpoint>>,
}

/// Where a container is in a network.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Endpoint {
    #[serde(rename = "NetworkID")]
    network_id: String,
    #[serde(rename = "IPAddress")]
    ipv4: String,
    #[serde(rename = "GlobalIPv6Address")]
    ipv6: String,
}

impl Endpoint {
    fn ip(&self) -> &str {
        if self.ipv4.is_empty() { &self.ipv6 } else { &self.ipv4 }
    }
}

/// The targets of a daemon's containers.
pub(crate) async fn container_targets(
    daemon: &Daemon<'_>,
    config: &DockerSdConfig,
) -> Result<Vec<TargetGroup>, DaemonError> {
    let containers: Vec<Container> = daemon.list("containers/json", &config.filters).await?;
    let networks = network_labels(daemon, PREFIX).await?;
    let by_id: BTreeMap<&str, &Container> =
        containers.iter().map(|container| (container.id.as_str(), container)).collect();
    let mut targets = Vec::new();
    for container in &containers {
        let Some(name) = container.names.first() else { continue };
        let labels = container.labels(name);
        let endpoints = container.networks(&by_id).values().flatten();
        for endpoint in endpoints.take(if config.match_first_network { 1 } else { usize::MAX }) {
            let mut labels = labels.clone();
            labels.join(networks.get(&endpoint.network_id).unwrap_or(&Labels::empty()));
            labels.set("network_ip", endpoint.ip());
            container.add_targets(endpoint.ip(), &labels, config, &mut targets);
        }
    }
    Ok(targets)
}

impl Container {
    fn labels(&self, name: &str) -> MetaLabels {
        let mut labels = MetaLabels::new(PREFIX);
        labels
            .set("container_id", &self.id)
            .set("container_name", name)
            .set("container_network_mode", &self.host_config.network_mode)
            .set("container_image", &self.image)
            .set("container_image_id", &self.image_id)
            .set_all("container_label_", &self.labels);
        labels
    }

    /// Its networks by name, or those of the container whose networks it has.
    fn networks<'a>(&'a self, by_id: &BTreeMap<&str, &'a Container>) -> &'a BTreeMap<String, Option<Endpoint>> {
        let mut of = self;
        // No chain is longer than there are containers.
        for _ in by_id {
            let other = of.host_config.network_mode.strip_prefix("container:").and_then(|id| by_id.get(id));
            let Some(other) = other.filter(|_| of.network_settings.networks.is_empty()) else { break };
            of = other;
        }
        &of.network_settings.networks
    }

    /// A target for each exposed port in a network; one with the configured port where there is none.
    fn add_targets(&self, ip: &str, labels: &MetaLabels, config: &DockerSdConfig, targets: &mut Vec<TargetGroup>) {
        let before = targets.len();
        for port in self.ports.iter().filter(|port| port.protocol == "tcp") {
            let mut labels = labels.clone();
            labels.set("port_private", &port.private_port.to_string());
            if port.public_port > 0 {
                labels.set("port_public", &port.public_port.to_string()).set("port_public_ip", &port.ip);
            }
            targets.push(labels.target(host_port(ip, port.private_port)));
        }
        if targets.len() == before {
            let address = match self.host_config.network_mode.as_str() {
                "host" => config.host_networking_host.clone(),
                _ => host_port(ip, config.port),
            };
            targets.push(labels.target(address));
        }
    }
}
