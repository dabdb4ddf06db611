//! Endpoints, the older of the two kinds of objects that have the addresses of a service.

use model::Labels;
use serde::Deserialize;

use crate::kubernetes::meta::{NAMESPACE, ObjectMeta, meta_labels};
use crate::kubernetes::object::address_list::{Address, AddressList, Port, Subset, TargetRef};
use crate::meta_labels::or_default;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EndpointsWire {
    pub(crate) metadata: ObjectMeta,
    #[serde(deserialize_with = "or_default")]
    subsets: Vec<SubsetWire>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SubsetWire {
    #[serde(deserialize_with = "or_default")]
    addresses: Vec<AddressWire>,
    #[serde(deserialize_with = "or_default")]
    not_ready_addresses: Vec<AddressWire>,
    #[serde(deserialize_with = "or_default")]
    ports: Vec<PortWire>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AddressWire {
    ip: String,
    hostname: String,
    node_name: Option<String>,
    target_ref: Option<TargetRef>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PortWire {
    name: String,
    port: u32,
    protocol: String,
}

/// The endpoints and the labels that all their targets have.
pub(crate) fn read(wire: EndpointsWire) -> (Labels, AddressList) {
    let mut labels = meta_labels();
    labels.set(NAMESPACE, &wire.metadata.namespace).describe("endpoints", &wire.metadata);
    let list = AddressList {
        service: Some(wire.metadata.name.into()),
        family: None,
        subsets: wire.subsets.into_iter().map(subset).collect(),
    };
    (labels.build(), list)
}

fn subset(wire: SubsetWire) -> Subset {
    let ready = wire.addresses.into_iter().map(|wire| address(wire, "true"));
    let others = wire.not_ready_addresses.into_iter().map(|wire| address(wire, "false"));
    Subset { addresses: ready.chain(others).collect(), ports: wire.ports.into_iter().map(port).collect() }
}

fn port(wire: PortWire) -> Port {
    let mut labels = meta_labels();
    labels.set("endpoint_port_name", &wire.name).set("endpoint_port_protocol", &wire.protocol);
    Port { number: Some(wire.port), protocol: Some(wire.protocol.into()), labels: labels.build() }
}

fn address(wire: AddressWire, ready: &str) -> Address {
    let mut labels = meta_labels();
    labels.set("endpoint_ready", ready).set("endpoint_hostname", &wire.hostname);
    if let Some(target) = &wire.target_ref {
        labels.set("endpoint_address_target_kind", &target.kind).set("endpoint_address_target_name", &target.name);
    }
    if let Some(node) = &wire.node_name {
        labels.set("endpoint_node_name", node);
    }
    let of_target = wire.target_ref.as_ref().filter(|target| target.kind == "Node").map(|target| target.name.clone());
    Address {
        hosts: [wire.ip.into()].into(),
        node: wire.node_name.or(of_target).map(Into::into),
        pod: wire.target_ref.as_ref().and_then(TargetRef::pod),
        labels: labels.build(),
    }
}
