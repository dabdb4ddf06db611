//! Nodes.

use std::collections::BTreeMap;

use model::Labels;
use serde::Deserialize;

use crate::docker::config::{DockerSwarmSdConfig, Filters};
use crate::docker::daemon::{Daemon, DaemonError};
use crate::docker::network::{SWARM_PREFIX, bool_text};
use crate::group::TargetGroup;
use crate::meta_labels::{MetaLabels, host_port, or_default};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Node {
    #[serde(rename = "ID")]
    id: String,
    spec: Spec,
    description: Description,
    status: Status,
    manager_status: Option<Manager>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Spec {
    role: String,
    availability: String,
    #[serde(deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Description {
    hostname: String,
    platform: Platform,
    engine: Engine,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Platform {
    architecture: String,
    #[serde(rename = "OS")]
    os: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Engine {
    engine_version: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Status {
    state: String,
    addr: String,
}

/// What a node has that manages the swarm.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Manager {
    leader: bool,
    reachability: String,
    addr: String,
}

impl Node {
    /// The labels that its tasks have as well.
    fn labels(&self) -> MetaLabels {
        let Node { id, spec, description, status, .. } = self;
        let mut labels = MetaLabels::new(SWARM_PREFIX);
        labels
            .set("node_id", id)
            .set("node_hostname", &description.hostname)
            .set("node_address", &status.addr)
            .set("node_availability", &spec.availability)
            .set("node_platform_architecture", &description.platform.architecture)
            .set("node_platform_os", &description.platform.os)
            .set("node_role", &spec.role)
            .set("node_status", &status.state)
            .set_all("node_label_", &spec.labels);
        labels
    }

    fn target(&self, port: u16) -> TargetGroup {
        let mut labels = self.labels();
        labels.set("node_engine_version", &self.description.engine.engine_version);
        if let Some(manager) = &self.manager_status {
            labels
                .set("node_manager_leader", bool_text(manager.leader))
                .set("node_manager_reachability", &manager.reachability)
                .set("node_manager_address", &manager.addr);
        }
        labels.target(host_port(&self.status.addr, port))
    }
}

/// A target for each node.
pub(super) async fn targets(
    daemon: &Daemon<'_>,
    config: &DockerSwarmSdConfig,
) -> Result<Vec<TargetGroup>, DaemonError> {
    let nodes: Vec<Node> = daemon.list("nodes", &config.filters).await?;
    Ok(nodes.iter().map(|node| node.target(config.port)).collect())
}

/// The labels of tasks on each node, and its address, by the ID of the node.
pub(super) async fn labels(daemon: &Daemon<'_>) -> Result<BTreeMap<String, (Labels, String)>, DaemonError> {
    let nodes: Vec<Node> = daemon.list("nodes", &Filters::new()).await?;
    Ok(nodes.into_iter().map(|node| (node.id.clone(), (node.labels().build(), node.status.addr))).collect())
}
