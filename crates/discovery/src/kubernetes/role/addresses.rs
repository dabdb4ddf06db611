//! `role: endpoints` and `role: endpointslice`: each port of each address of a service, and what else the pods behind them offer.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::group::TargetGroup;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::meta::{key, meta_labels, namespace_of};
use crate::kubernetes::object::address_list::{Address, AddressList, Port};
use crate::kubernetes::object::record::{Body, Record};
use crate::kubernetes::role::joins::Joins;
use crate::kubernetes::role::pod::{set_container, set_port};
use crate::meta_labels::{MetaLabels, host_port};

/// A pod behind some of the addresses.
struct Seen {
    record: Arc<Record>,
    /// The ports under which it is a target.
    ports: Vec<u32>,
}

/// The targets of endpoints or of a slice of them.
pub(crate) fn targets(namespace: &str, record: &Record, list: &AddressList, joins: &mut Joins<'_>) -> Vec<TargetGroup> {
    let mut all = meta_labels();
    if let Some(service) = list.service.as_deref().and_then(|name| joins.find(Kind::Service, &key(namespace, name))) {
        if repeats(list, &service) {
            return Vec::new();
        }
        all.join(&service.labels);
    }
    all.join(&record.labels);
    joins.join(&mut all, Kind::Namespace, namespace);
    let mut seen = BTreeMap::new();
    let mut targets = Vec::new();
    for subset in &list.subsets {
        for address in &subset.addresses {
            for port in &subset.ports {
                let labels = target(&all, address, port, joins, &mut seen);
                let with_port = |host: &str| port.number.map_or_else(|| host.to_owned(), |n| host_port(host, n));
                targets.extend(address.hosts.iter().map(|host| labels.target(with_port(host))));
            }
        }
    }
    for (pod, seen) in &seen {
        other_ports(&all, namespace_of(pod), seen, joins, &mut targets);
    }
    targets
}

/// A slice of the second family of addresses of a service with two has the targets of the first once more.
fn repeats(list: &AddressList, service: &Record) -> bool {
    let Body::Service(service) = &service.body else { return false };
    list.family.is_some() && service.primary_family.as_ref().is_some_and(|first| Some(first) != list.family.as_ref())
}

/// The labels of the targets at a port of an address.
fn target<'a>(
    all: &MetaLabels,
    address: &'a Address,
    port: &Port,
    joins: &mut Joins<'_>,
    seen: &mut BTreeMap<&'a str, Seen>,
) -> MetaLabels {
    let mut labels = all.clone();
    labels.join(&port.labels).join(&address.labels);
    if let Some(node) = &address.node {
        joins.join(&mut labels, Kind::Node, node);
    }
    let Some(name) = address.pod.as_deref() else { return labels };
    let Some(record) = joins.find(Kind::Pod, name) else { return labels };
    joins.join_pod(&mut labels, namespace_of(name), &record);
    if let Body::Pod(pod) = &record.body {
        for container in &pod.containers {
            let same = container.ports.iter().find(|own| Some(own.number) == port.number);
            if let Some(own) = same {
                set_port(set_container(&mut labels, container), own);
                if let Some(protocol) = &port.protocol {
                    labels.set("pod_container_port_protocol", protocol);
                }
            }
        }
    }
    let seen = seen.entry(name).or_insert_with(|| Seen { record, ports: Vec::new() });
    seen.ports.extend(port.number);
    labels
}

/// The ports of a pod that the service doesn't have are targets as well.
fn other_ports(all: &MetaLabels, namespace: &str, seen: &Seen, joins: &mut Joins<'_>, targets: &mut Vec<TargetGroup>) {
    let Body::Pod(pod) = &seen.record.body else { return };
    if pod.ip.is_empty() {
        return;
    }
    for container in &pod.containers {
        for port in container.ports.iter().filter(|port| !seen.ports.contains(&port.number)) {
            let mut labels = all.clone();
            joins.join_pod(&mut labels, namespace, &seen.record);
            set_port(set_container(&mut labels, container), port);
            targets.push(labels.target(host_port(&pod.ip, port.number)));
        }
    }
}
