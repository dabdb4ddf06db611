//! From objects to groups of targets, as each role does it.

pub(crate) mod addresses;
pub(crate) mod ingress;
pub(crate) mod joins;
pub(crate) mod node;
pub(crate) mod pod;
pub(crate) mod service;
