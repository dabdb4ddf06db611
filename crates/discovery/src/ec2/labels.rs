//! The target that an instance is.

use std::collections::BTreeMap;

use crate::cloud::machine::MachineLabels;
use crate::ec2::instance::Instance;
use crate::group::TargetGroup;
use crate::meta_labels::host_port;

const SEPARATOR: &str = ",";
/// An instance has at most some dozen network interfaces; what says that it is beyond this is not believed.
const DEVICES_MAX: u16 = 256;

/// What the instances of a round have in common.
pub(crate) struct Region<'a> {
    pub(crate) name: &'a str,
    pub(crate) port: u16,
    /// The IDs of zones by their names.
    pub(crate) zones: &'a BTreeMap<String, String>,
}

/// The target of an instance; nothing for one that has no address.
pub(crate) fn target(instance: &Instance, owner: &str, region: &Region<'_>) -> Option<TargetGroup> {
    let Ipv6 { primary, all } = ipv6(instance);
    let default = primary.iter().chain(&all).find(|address| !address.is_empty()).copied().unwrap_or_default();
    let private = instance.private_ip_address.as_str();
    let address = if private.is_empty() { default } else { private };
    if address.is_empty() {
        return None;
    }
    let zone = instance.placement.availability_zone.as_str();
    let mut labels = MachineLabels::new("__meta_ec2_");
    labels
        .set("instance_id", &instance.instance_id)
        .set("region", region.name)
        .set("owner_id", owner)
        .set("default_ipv6_address", default)
        .set("private_ip", private)
        .set("private_dns_name", &instance.private_dns_name)
        .set("platform", &instance.platform)
        .set("ami", &instance.image_id)
        .set("availability_zone", zone)
        .set("availability_zone_id", region.zones.get(zone).map_or("", String::as_str))
        .set("instance_state", &instance.instance_state.name)
        .set("instance_type", &instance.instance_type)
        .set("instance_lifecycle", &instance.instance_lifecycle)
        .set("architecture", &instance.architecture)
        .set_list("primary_ipv6_addresses", SEPARATOR, &primary)
        .set_list("ipv6_addresses", SEPARATOR, &all);
    if !instance.ip_address.is_empty() {
        labels.set("public_ip", &instance.ip_address).set("public_dns_name", &instance.dns_name);
    }
    if !instance.vpc_id.is_empty() {
        labels.set("vpc_id", &instance.vpc_id).set("primary_subnet_id", &instance.subnet_id);
        labels.set_list("subnet_id", SEPARATOR, &subnets(instance));
    }
    for tag in &instance.tag_set.item {
        labels.set_named("tag_", &tag.key, &tag.value);
    }
    Some(labels.target(host_port(address, u32::from(region.port))))
}

/// The subnets of the network interfaces, each once, in their order.
fn subnets(instance: &Instance) -> Vec<&str> {
    let mut subnets = Vec::new();
    for interface in &instance.network_interface_set.item {
        let subnet = interface.subnet_id.as_str();
        if !subnet.is_empty() && !subnets.contains(&subnet) {
            subnets.push(subnet);
        }
    }
    subnets
}

/// The IPv6 addresses of an instance in a VPC.
#[derive(Default)]
struct Ipv6<'a> {
    /// Each at the index of its network interface, which may leave gaps.
    primary: Vec<&'a str>,
    all: Vec<&'a str>,
}

fn ipv6(instance: &Instance) -> Ipv6<'_> {
    let mut found = Ipv6::default();
    if instance.vpc_id.is_empty() {
        return found;
    }
    for interface in instance.network_interface_set.item.iter().filter(|interface| !interface.subnet_id.is_empty()) {
        let device = usize::from(interface.attachment.device_index.min(DEVICES_MAX));
        for address in &interface.ipv6_addresses_set.item {
            found.all.push(&address.ipv6_address);
            if address.is_primary_ipv6 {
                found.primary.resize(found.primary.len().max(device + 1), "");
                found.primary[device] = &address.ipv6_address;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
