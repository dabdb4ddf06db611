//! `role: node`: the kubelet of each node.

use model::Labels;

use crate::group::TargetGroup;
use crate::kubernetes::meta::meta_labels;
use crate::kubernetes::object::node::Node;

/// The target of a node; none before it has an address.
pub(crate) fn targets(labels: &Labels, node: &Node) -> Vec<TargetGroup> {
    let target = |address: &str| meta_labels().join(labels).join(&node.own).target(address.to_owned());
    node.address.as_deref().map(target).into_iter().collect()
}
