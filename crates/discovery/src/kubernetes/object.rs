//! The objects, read from the API's JSON and cut down to what makes labels.

pub(crate) mod address_list;
pub(crate) mod endpoints;
pub(crate) mod endpointslice;
pub(crate) mod ingress;
pub(crate) mod node;
pub(crate) mod pod;
pub(crate) mod record;
pub(crate) mod service;
