//! Services.

use model::Labels;
use serde::Deserialize;

use crate::kubernetes::meta::{NAMESPACE, ObjectMeta, meta_labels};
use crate::meta_labels::or_default;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ServiceWire {
    pub(crate) metadata: ObjectMeta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "clusterIP")]
    cluster_ip: String,
    external_name: String,
    #[serde(rename = "loadBalancerIP")]
    load_balancer_ip: String,
    ip_family_policy: Option<String>,
    #[serde(deserialize_with = "or_default")]
    ip_families: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    ports: Vec<PortWire>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PortWire {
    name: String,
    port: u32,
    protocol: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    load_balancer: LoadBalancer,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LoadBalancer {
    #[serde(deserialize_with = "or_default")]
    ingress: Vec<Entry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    ip: String,
}

/// A service.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// `<name>.<namespace>.svc`.
    pub(crate) host: Box<str>,
    /// What its own targets have beside the labels of the service.
    pub(crate) kind: Labels,
    pub(crate) ports: Box<[Port]>,
    /// The first family of addresses, `IPv4` or `IPv6`, of a service that has both: slices of the other repeat its targets.
    pub(crate) primary_family: Option<Box<str>>,
}

/// A port of a service.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) name: Box<str>,
    pub(crate) number: u32,
    pub(crate) protocol: Box<str>,
}

/// The service and the labels that it gives to its endpoints too.
pub(crate) fn read(wire: ServiceWire) -> (Labels, Service) {
    let ServiceWire { metadata, spec, status } = wire;
    let mut labels = meta_labels();
    labels.set(NAMESPACE, &metadata.namespace).describe("service", &metadata);
    let mut kind = meta_labels();
    kind.set("service_type", &spec.kind);
    match spec.kind.as_str() {
        "ExternalName" => kind.set("service_external_name", &spec.external_name),
        _ => kind.set("service_cluster_ip", &spec.cluster_ip),
    };
    if spec.kind == "LoadBalancer" {
        let addresses = status.load_balancer.ingress.into_iter().map(|entry| entry.ip).filter(|ip| !ip.is_empty());
        let addresses: Vec<String> = addresses.collect();
        let address = if addresses.is_empty() { spec.load_balancer_ip } else { addresses.join(",") };
        kind.set("service_loadbalancer_ip", &address);
    }
    let has_both = matches!(spec.ip_family_policy.as_deref(), Some("PreferDualStack" | "RequireDualStack"));
    let port = |wire: PortWire| Port { name: wire.name.into(), number: wire.port, protocol: wire.protocol.into() };
    let service = Service {
        host: format!("{}.{}.svc", metadata.name, metadata.namespace).into(),
        kind: kind.build(),
        ports: spec.ports.into_iter().map(port).collect(),
        primary_family: spec.ip_families.into_iter().next().filter(|_| has_both).map(Into::into),
    };
    (labels.build(), service)
}
