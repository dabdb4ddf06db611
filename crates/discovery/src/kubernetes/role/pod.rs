//! `role: pod`: each port of each container, and containers without ports.

use crate::group::TargetGroup;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::meta::{NAMESPACE, meta_labels};
use crate::kubernetes::object::pod::{Container, Pod, Port};
use crate::kubernetes::object::record::Record;
use crate::kubernetes::role::joins::Joins;
use crate::meta_labels::{MetaLabels, host_port};

/// The targets of a pod; none while it has no address, nor where its node is joined and isn't among those that were selected.
pub(crate) fn targets(namespace: &str, record: &Record, pod: &Pod, joins: &mut Joins<'_>) -> Vec<TargetGroup> {
    if pod.ip.is_empty() {
        return Vec::new();
    }
    let mut all = meta_labels();
    joins.join_pod(&mut all, namespace, record);
    all.set(NAMESPACE, namespace);
    if joins.has(Kind::Node) {
        let Some(node) = joins.find(Kind::Node, &pod.node) else { return Vec::new() };
        all.join(&node.labels);
    }
    joins.join(&mut all, Kind::Namespace, namespace);
    let mut targets = Vec::new();
    for container in &pod.containers {
        let mut labels = all.clone();
        set_container(&mut labels, container).set("pod_container_id", &container.id);
        if container.ports.is_empty() {
            // Which port it is, only relabelling can say.
            targets.push(labels.target(pod.ip.to_string()));
        }
        for port in &container.ports {
            let mut labels = labels.clone();
            set_port(&mut labels, port);
            targets.push(labels.target(host_port(&pod.ip, port.number)));
        }
    }
    targets
}

/// Says which container a target is.
pub(crate) fn set_container<'a>(labels: &'a mut MetaLabels, container: &Container) -> &'a mut MetaLabels {
    labels
        .set("pod_container_name", &container.name)
        .set("pod_container_image", &container.image)
        .set("pod_container_init", if container.is_init { "true" } else { "false" })
}

/// Says which port of a container a target is.
pub(crate) fn set_port<'a>(labels: &'a mut MetaLabels, port: &Port) -> &'a mut MetaLabels {
    labels
        .set("pod_container_port_name", &port.name)
        .set("pod_container_port_number", &port.number.to_string())
        .set("pod_container_port_protocol", &port.protocol)
}
