//! Instances as Compute Engine tells them, and the targets that they are.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::cloud::machine::MachineLabels;
use crate::gce::config::GceSdConfig;
use crate::group::TargetGroup;
use crate::meta_labels::host_port;

/// A page of `instances.list`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Instances {
    pub(crate) items: Vec<Instance>,
    /// Empty at the last page.
    pub(crate) next_page_token: String,
}

/// An instance, as far as labels need it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Instance {
    id: String,
    name: String,
    status: String,
    zone: String,
    machine_type: String,
    network_interfaces: Vec<NetworkInterface>,
    tags: Tags,
    metadata: Metadata,
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NetworkInterface {
    name: String,
    network: String,
    subnetwork: String,
    #[serde(rename = "networkIP")]
    network_ip: String,
    access_configs: Vec<AccessConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AccessConfig {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "natIP")]
    nat_ip: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tags {
    items: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    items: Vec<Item>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    key: String,
    value: String,
}

/// The target of an instance; nothing for one that has no IPv4 address.
pub(crate) fn target(instance: &Instance, config: &GceSdConfig) -> Option<TargetGroup> {
    let first = instance.network_interfaces.first()?;
    if first.network_ip.is_empty() {
        return None;
    }
    let tags: Vec<&str> = instance.tags.items.iter().map(String::as_str).collect();
    let mut labels = MachineLabels::new("__meta_gce_");
    labels
        .set("project", &config.project)
        .set("zone", &instance.zone)
        .set("instance_id", &instance.id)
        .set("instance_name", &instance.name)
        .set("instance_status", &instance.status)
        .set("machine_type", &instance.machine_type)
        .set("network", &first.network)
        .set("subnetwork", &first.subnetwork)
        .set("private_ip", &first.network_ip)
        .set_list("tags", &config.tag_separator, &tags);
    for interface in &instance.network_interfaces {
        labels.set_named("interface_ipv4_", &interface.name, &interface.network_ip);
    }
    for item in &instance.metadata.items {
        labels.set_named("metadata_", &item.key, &item.value);
    }
    for (name, value) in &instance.labels {
        labels.set_named("label_", name, value);
    }
    if let Some(access) = first.access_configs.first().filter(|access| access.kind == "ONE_TO_ONE_NAT") {
        labels.set("public_ip", &access.nat_ip);
    }
    Some(labels.target(host_port(&first.network_ip, u32::from(config.port))))
}
