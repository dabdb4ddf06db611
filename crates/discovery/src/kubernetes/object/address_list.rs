//! Addresses that stand for a service, whichever of the two kinds of objects has them.

use model::Labels;
use serde::Deserialize;

/// Addresses with ports: endpoints or a slice of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AddressList {
    /// The name of the service they belong to.
    pub(crate) service: Option<Box<str>>,
    /// `IPv4`, `IPv6` or `FQDN`, of a slice.
    pub(crate) family: Option<Box<str>>,
    pub(crate) subsets: Box<[Subset]>,
}

/// Addresses of which each has each of the ports.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Subset {
    pub(crate) ports: Box<[Port]>,
    pub(crate) addresses: Box<[Address]>,
}

/// A port.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) number: Option<u32>,
    /// The protocol that a target's container port is said to have, where it isn't the container's own word.
    pub(crate) protocol: Option<Box<str>>,
    /// What a target at this port has.
    pub(crate) labels: Labels,
}

/// Where something is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// One or more addresses of it.
    pub(crate) hosts: Box<[Box<str>]>,
    pub(crate) node: Option<Box<str>>,
    /// The key of the pod it is.
    pub(crate) pod: Option<Box<str>>,
    /// What a target at this address has.
    pub(crate) labels: Labels,
}

/// What an address stands for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TargetRef {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) namespace: String,
}

impl TargetRef {
    /// The key of the pod it names.
    pub(crate) fn pod(&self) -> Option<Box<str>> {
        (self.kind == "Pod").then(|| format!("{}/{}", self.namespace, self.name).into())
    }
}
