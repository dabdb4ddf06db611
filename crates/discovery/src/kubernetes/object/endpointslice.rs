//! Slices of endpoints, the newer of the two kinds of objects that have the addresses of a service.

use std::collections::BTreeMap;

use model::Labels;
use serde::Deserialize;

use crate::kubernetes::meta::{NAMESPACE, ObjectMeta, meta_labels};
use crate::kubernetes::object::address_list::{Address, AddressList, Port, Subset, TargetRef};
use crate::meta_labels::or_default;

/// The label in which a slice names its service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EndpointSliceWire {
    pub(crate) metadata: ObjectMeta,
    address_type: String,
    #[serde(deserialize_with = "or_default")]
    endpoints: Vec<EndpointWire>,
    #[serde(deserialize_with = "or_default")]
    ports: Vec<PortWire>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct EndpointWire {
    #[serde(deserialize_with = "or_default")]
    addresses: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    conditions: Conditions,
    hostname: Option<String>,
    target_ref: Option<TargetRef>,
    #[serde(deserialize_with = "or_default")]
    deprecated_topology: BTreeMap<String, String>,
    node_name: Option<String>,
    zone: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Conditions {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PortWire {
    name: Option<String>,
    protocol: Option<String>,
    port: Option<u32>,
    app_protocol: Option<String>,
}

/// The slice and the labels that all its targets have.
pub(crate) fn read(wire: EndpointSliceWire) -> (Labels, AddressList) {
    let EndpointSliceWire { mut metadata, address_type, endpoints, ports } = wire;
    let mut labels = meta_labels();
    labels
        .set(NAMESPACE, &metadata.namespace)
        .set("endpointslice_address_type", &address_type)
        .describe("endpointslice", &metadata);
    let addresses = endpoints.into_iter().map(address).collect();
    let subset = Subset { addresses, ports: ports.iter().map(port).collect() };
    let list = AddressList {
        service: metadata.labels.remove(SERVICE_NAME).map(Into::into),
        family: Some(address_type.into()),
        subsets: [subset].into(),
    };
    (labels.build(), list)
}

fn port(wire: &PortWire) -> Port {
    let mut labels = meta_labels();
    let texts = [
        ("endpointslice_port_name", wire.name.as_deref()),
        ("endpointslice_port_protocol", wire.protocol.as_deref()),
        ("endpointslice_port_app_protocol", wire.app_protocol.as_deref()),
    ];
    for (name, value) in texts {
        labels.set(name, value.unwrap_or_default());
    }
    if let Some(number) = wire.port {
        labels.set("endpointslice_port", &number.to_string());
    }
    Port { number: wire.port, protocol: None, labels: labels.build() }
}

fn address(wire: EndpointWire) -> Address {
    let mut labels = meta_labels();
    let texts = [
        ("endpointslice_endpoint_hostname", wire.hostname.as_deref()),
        ("endpointslice_endpoint_node_name", wire.node_name.as_deref()),
        ("endpointslice_endpoint_zone", wire.zone.as_deref()),
        ("endpointslice_address_target_kind", wire.target_ref.as_ref().map(|target| target.kind.as_str())),
        ("endpointslice_address_target_name", wire.target_ref.as_ref().map(|target| target.name.as_str())),
    ];
    for (name, value) in texts {
        labels.set(name, value.unwrap_or_default());
    }
    let conditions = [
        ("endpointslice_endpoint_conditions_ready", wire.conditions.ready),
        ("endpointslice_endpoint_conditions_serving", wire.conditions.serving),
        ("endpointslice_endpoint_conditions_terminating", wire.conditions.terminating),
    ];
    for (name, value) in conditions {
        labels.set(name, value.map_or("", |is| if is { "true" } else { "false" }));
    }
    for (name, value) in &wire.deprecated_topology {
        labels.set_sanitized("endpointslice_endpoint_topology_", name, value);
        labels.set_sanitized("endpointslice_endpoint_topology_present_", name, "true");
    }
    let of_target = wire.target_ref.as_ref().filter(|target| target.kind == "Node").map(|target| target.name.clone());
    Address {
        hosts: wire.addresses.into_iter().map(Into::into).collect(),
        node: of_target.or(wire.node_name).map(Into::into),
        pod: wire.target_ref.as_ref().and_then(TargetRef::pod),
        labels: labels.build(),
    }
}
