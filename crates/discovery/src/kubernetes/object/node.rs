//! Nodes.

use model::Labels;
use serde::Deserialize;

use crate::kubernetes::meta::{ObjectMeta, meta_labels};
use crate::meta_labels::{host_port, or_default};

/// The types of addresses, the best one first.
const PREFERENCE: [&str; 6] = ["InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "LegacyHostIP", "Hostname"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NodeWire {
    pub(crate) metadata: ObjectMeta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    #[serde(rename = "providerID")]
    provider_id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    #[serde(deserialize_with = "or_default")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "or_default")]
    addresses: Vec<Address>,
    daemon_endpoints: DaemonEndpoints,
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
struct Address {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DaemonEndpoints {
    kubelet_endpoint: DaemonEndpoint,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct DaemonEndpoint {
    port: u32,
}

/// A node.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Where its kubelet is; a node without any address has none.
    pub(crate) address: Option<Box<str>>,
    /// What its own target has beside the labels of the node.
    pub(crate) own: Labels,
}

/// The node and the labels that it gives to pods on it too.
pub(crate) fn read(wire: NodeWire) -> (Labels, Node) {
    let NodeWire { metadata, spec, status } = wire;
    let mut own = meta_labels();
    own.set("node_provider_id", &spec.provider_id).set_plain(model::INSTANCE, &metadata.name);
    for condition in &status.conditions {
        own.set_sanitized("node_condition_", &condition.kind.to_lowercase(), &condition.status.to_lowercase());
    }
    for address in status.addresses.iter().rev() {
        own.set_sanitized("node_address_", &address.kind, &address.address); // the first of a type comes last and counts
    }
    let best = PREFERENCE.iter().find_map(|kind| status.addresses.iter().find(|address| address.kind == *kind));
    let port = status.daemon_endpoints.kubelet_endpoint.port;
    let mut labels = meta_labels();
    labels.describe("node", &metadata);
    (labels.build(), Node { address: best.map(|best| host_port(&best.address, port).into()), own: own.build() })
}
