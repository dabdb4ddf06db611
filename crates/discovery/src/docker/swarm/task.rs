//! Tasks: the containers of services.

use std::collections::BTreeMap;

use model::Labels;
use serde::Deserialize;

use crate::docker::config::DockerSwarmSdConfig;
use crate::docker::daemon::{Daemon, DaemonError};
use crate::docker::network::{SWARM_PREFIX, host_of, network_labels};
use crate::docker::swarm::node;
use crate::docker::swarm::service::{self, Port};
use crate::group::TargetGroup;
use crate::meta_labels::{MetaLabels, host_port, or_default};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Task {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "ServiceID")]
    service_id: String,
    #[serde(rename = "NodeID")]
    node_id: String,
    slot: i64,
    desired_state: String,
    status: Status,
    spec: Spec,
    #[serde(deserialize_with = "or_default")]
    networks_attachments: Vec<Attachment>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Status {
    state: String,
    #[serde(deserialize_with = "or_default")]
    container_status: ContainerStatus,
    #[serde(deserialize_with = "or_default")]
    port_status: PortStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerStatus {
    #[serde(rename = "ContainerID")]
    container_id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct PortStatus {
    #[serde(deserialize_with = "or_default")]
    ports: Vec<Port>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Spec {
    #[serde(deserialize_with = "or_default")]
    container_spec: ContainerSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ContainerSpec {
    #[serde(deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
}

/// Where a task is in a network.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Attachment {
    network: Network,
    /// Each `address/length`.
    #[serde(deserialize_with = "or_default")]
    addresses: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Network {
    #[serde(rename = "ID")]
    id: String,
}

/// What the labels of tasks are made of besides the tasks, by IDs.
struct Others {
    services: BTreeMap<String, (Labels, Vec<Port>)>,
    nodes: BTreeMap<String, (Labels, String)>,
    networks: BTreeMap<String, Labels>,
}

/// Targets for all tasks.
pub(super) async fn targets(
    daemon: &Daemon<'_>,
    config: &DockerSwarmSdConfig,
) -> Result<Vec<TargetGroup>, DaemonError> {
    let tasks: Vec<Task> = daemon.list("tasks", &config.filters).await?;
    let others = Others {
        services: service::labels(daemon).await?,
        nodes: node::labels(daemon).await?,
        networks: network_labels(daemon, SWARM_PREFIX).await?,
    };
    let mut targets = Vec::new();
    for task in &tasks {
        task.add_targets(&others, config.port, &mut targets)?;
    }
    Ok(targets)
}

impl Task {
    fn labels(&self) -> MetaLabels {
        let mut labels = MetaLabels::new(SWARM_PREFIX);
        labels
            .set("task_id", &self.id)
            .set("task_desired_state", &self.desired_state)
            .set("task_state", &self.status.state)
            .set("task_slot", &self.slot.to_string())
            .set("task_container_id", &self.status.container_status.container_id)
            .set_all("container_label_", &self.spec.container_spec.labels);
        labels
    }

    /// A target for each port that it publishes on its node; and in each network one for each port of its service, or with the configured
    /// port where that publishes none.
    fn add_targets(&self, others: &Others, port: u16, targets: &mut Vec<TargetGroup>) -> Result<(), DaemonError> {
        let mut common = self.labels();
        let service = others.services.get(&self.service_id);
        let node = others.nodes.get(&self.node_id);
        for labels in service.map(|(labels, _)| labels).into_iter().chain(node.map(|(labels, _)| labels)) {
            common.join(labels);
        }
        let add = |labels: &MetaLabels, host: &str, port: &Port, targets: &mut Vec<TargetGroup>| {
            let mut labels = labels.clone();
            labels.set("task_port_publish_mode", &port.publish_mode);
            targets.push(labels.target(host_port(host, port.published_port)));
        };
        for port in self.status.port_status.ports.iter().filter(|port| port.is_tcp()) {
            add(&common, node.map_or("", |(_, address)| address), port, targets);
        }
        for attachment in &self.networks_attachments {
            let mut labels = common.clone();
            labels.join(others.networks.get(&attachment.network.id).unwrap_or(&Labels::empty()));
            for address in &attachment.addresses {
                let (host, before) = (host_of(address)?, targets.len());
                for port in service.iter().flat_map(|(_, ports)| ports).filter(|port| port.is_tcp()) {
                    add(&labels, host, port, targets);
                }
                if targets.len() == before {
                    targets.push(labels.target(host_port(host, port)));
                }
            }
        }
        Ok(())
    }
}
