//! Virtual machines as the resource manager tells them, and the targets that they are.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::azure::config::AzureSdConfig;
use crate::azure::interface::Addresses;
use crate::cloud::machine::MachineLabels;
use crate::group::TargetGroup;
use crate::meta_labels::host_port;
use crate::meta_labels::or_default;

/// A virtual machine by itself or in a scale set, as far as labels need it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Machine {
    pub(crate) id: String,
    pub(crate) name: String,
    location: String,
    /// The number of a machine in a scale set.
    pub(crate) instance_id: String,
    #[serde(deserialize_with = "or_default")]
    tags: BTreeMap<String, Option<String>>,
    #[serde(deserialize_with = "or_default")]
    properties: Properties,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Properties {
    #[serde(deserialize_with = "or_default")]
    hardware_profile: HardwareProfile,
    #[serde(deserialize_with = "or_default")]
    storage_profile: StorageProfile,
    #[serde(deserialize_with = "or_default")]
    os_profile: OsProfile,
    #[serde(deserialize_with = "or_default")]
    network_profile: NetworkProfile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct HardwareProfile {
    #[serde(deserialize_with = "or_default")]
    vm_size: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StorageProfile {
    #[serde(deserialize_with = "or_default")]
    os_disk: OsDisk,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OsDisk {
    #[serde(deserialize_with = "or_default")]
    os_type: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OsProfile {
    #[serde(deserialize_with = "or_default")]
    computer_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NetworkProfile {
    #[serde(deserialize_with = "or_default")]
    network_interfaces: Vec<Reference>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reference {
    id: String,
}

impl Machine {
    /// The IDs of its network interfaces.
    pub(crate) fn interfaces(&self) -> impl Iterator<Item = &str> {
        self.properties.network_profile.network_interfaces.iter().map(|interface| interface.id.as_str())
    }

    /// The target that it is.
    pub(crate) fn target(
        &self,
        group: &str,
        scale_set: Option<&str>,
        addresses: &Addresses,
        config: &AzureSdConfig,
    ) -> TargetGroup {
        let Properties { hardware_profile, storage_profile, os_profile, .. } = &self.properties;
        let mut labels = MachineLabels::new("__meta_azure_");
        labels
            .set("subscription_id", &config.subscription_id)
            .set("tenant_id", &config.tenant_id)
            .set("machine_id", &self.id)
            .set("machine_name", &self.name)
            .set("machine_computer_name", &os_profile.computer_name)
            .set("machine_os_type", &storage_profile.os_disk.os_type)
            .set("machine_location", &self.location)
            .set("machine_resource_group", group)
            .set("machine_size", &hardware_profile.vm_size)
            .set("machine_scale_set", scale_set.unwrap_or_default())
            .set("machine_public_ip", addresses.public.as_deref().unwrap_or_default())
            .set("machine_private_ip", &addresses.private);
        for (name, value) in &self.tags {
            labels.set_named("machine_tag_", name, value.as_deref().unwrap_or_default());
        }
        labels.target(host_port(&addresses.private, u32::from(config.port)))
    }
}
