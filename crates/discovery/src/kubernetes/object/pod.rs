//! Pods.

use model::Labels;
use serde::Deserialize;

use crate::kubernetes::meta::{ObjectMeta, Owner, meta_labels};
use crate::meta_labels::or_default;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PodWire {
    pub(crate) metadata: ObjectMeta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    node_name: String,
    #[serde(deserialize_with = "or_default")]
    containers: Vec<ContainerWire>,
    #[serde(deserialize_with = "or_default")]
    init_containers: Vec<ContainerWire>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerWire {
    name: String,
    image: String,
    #[serde(deserialize_with = "or_default")]
    ports: Vec<PortWire>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PortWire {
    name: String,
    container_port: u32,
    protocol: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: String,
    #[serde(rename = "podIP")]
    pod_ip: String,
    #[serde(rename = "hostIP")]
    host_ip: String,
    #[serde(deserialize_with = "or_default")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "or_default")]
    container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "or_default")]
    init_container_statuses: Vec<ContainerStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerStatus {
    name: String,
    #[serde(rename = "containerID")]
    container_id: String,
}

/// A pod.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pod {
    /// Nothing while the pod starts, and after it was evicted.
    pub(crate) ip: Box<str>,
    pub(crate) node: Box<str>,
    pub(crate) controller: Option<Owner>,
    /// Those that run first stand behind the others.
    pub(crate) containers: Box<[Container]>,
}

/// A container of a pod.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) name: Box<str>,
    pub(crate) image: Box<str>,
    /// As `containerd://…`; nothing before it runs.
    pub(crate) id: Box<str>,
    pub(crate) is_init: bool,
    pub(crate) ports: Box<[Port]>,
}

/// A port of a container.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) name: Box<str>,
    pub(crate) number: u32,
    pub(crate) protocol: Box<str>,
}

/// The pod and the labels that it gives to all its targets.
pub(crate) fn read(wire: PodWire) -> (Labels, Pod) {
    let PodWire { metadata, spec, status } = wire;
    let mut labels = meta_labels();
    let ready = status.conditions.iter().find(|condition| condition.kind == "Ready");
    labels
        .set("pod_ip", &status.pod_ip)
        .set("pod_ready", &ready.map_or("unknown".to_owned(), |condition| condition.status.to_lowercase()))
        .set("pod_phase", &status.phase)
        .set("pod_node_name", &spec.node_name)
        .set("pod_host_ip", &status.host_ip)
        .set("pod_uid", &metadata.uid)
        .describe("pod", &metadata);
    let controller = metadata.controller();
    if let Some(owner) = &controller {
        labels.set("pod_controller_kind", &owner.kind).set("pod_controller_name", &owner.name);
    }
    let running = spec.containers.into_iter().map(|wire| container(wire, &status.container_statuses, false));
    let first = spec.init_containers.into_iter().map(|wire| container(wire, &status.init_container_statuses, true));
    let containers = running.chain(first).collect();
    (labels.build(), Pod { ip: status.pod_ip.into(), node: spec.node_name.into(), controller, containers })
}

fn container(wire: ContainerWire, statuses: &[ContainerStatus], is_init: bool) -> Container {
    let id = statuses.iter().find(|status| status.name == wire.name).map_or("", |status| &status.container_id);
    let port =
        |wire: PortWire| Port { name: wire.name.into(), number: wire.container_port, protocol: wire.protocol.into() };
    Container {
        id: id.into(),
        name: wire.name.into(),
        image: wire.image.into(),
        is_init,
        ports: wire.ports.into_iter().map(port).collect(),
    }
}
