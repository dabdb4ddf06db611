//! Instances and zones, as EC2 tells them.

use serde::Deserialize;

/// A list in EC2's XML.
#[derive(Debug, Deserialize)]
pub(crate) struct List<T> {
    #[serde(default = "Vec::new")]
    pub(crate) item: Vec<T>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        List { item: Vec::new() }
    }
}

/// A page of `DescribeInstances`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Instances {
    pub(crate) reservation_set: List<Reservation>,
    /// Empty at the last page.
    pub(crate) next_token: String,
}

/// Instances that were started together.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Reservation {
    pub(crate) owner_id: String,
    pub(crate) instances_set: List<Instance>,
}

/// An instance, as far as labels need it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Instance {
    pub(crate) instance_id: String,
    pub(crate) image_id: String,
    pub(crate) instance_state: State,
    pub(crate) instance_type: String,
    pub(crate) instance_lifecycle: String,
    pub(crate) architecture: String,
    pub(crate) platform: String,
    pub(crate) placement: Placement,
    pub(crate) private_ip_address: String,
    pub(crate) private_dns_name: String,
    /// The public one.
    pub(crate) ip_address: String,
    /// The public one.
    pub(crate) dns_name: String,
    pub(crate) vpc_id: String,
    pub(crate) subnet_id: String,
    pub(crate) network_interface_set: List<NetworkInterface>,
    pub(crate) tag_set: List<Tag>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    pub(crate) name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Placement {
    pub(crate) availability_zone: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NetworkInterface {
    pub(crate) subnet_id: String,
    pub(crate) attachment: Attachment,
    pub(crate) ipv6_addresses_set: List<Ipv6Address>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Attachment {
    pub(crate) device_index: u16,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Ipv6Address {
    pub(crate) ipv6_address: String,
    pub(crate) is_primary_ipv6: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// The answer to `DescribeAvailabilityZones`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Zones {
    pub(crate) availability_zone_info: List<Zone>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Zone {
    pub(crate) zone_name: String,
    pub(crate) zone_id: String,
}
