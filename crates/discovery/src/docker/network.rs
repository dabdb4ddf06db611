//! Networks, and the labels that targets in them have.

use std::collections::BTreeMap;
use std::net::IpAddr;

use model::Labels;
use serde::Deserialize;

use crate::docker::config::Filters;
use crate::docker::daemon::{Daemon, DaemonError};
use crate::meta_labels::{MetaLabels, or_default};

/// How the labels of what a swarm has begin.
pub(crate) const SWARM_PREFIX: &str = "__meta_dockerswarm_";

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Network {
    id: String,
    name: String,
    scope: String,
    internal: bool,
    ingress: bool,
    #[serde(deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
}

/// The labels of all networks by their ID.
pub(crate) async fn network_labels(
    daemon: &Daemon<'_>,
    prefix: &'static str,
) -> Result<BTreeMap<String, Labels>, DaemonError> {
    let networks: Vec<Network> = daemon.list("networks", &Filters::new()).await?;
    let labelled = networks.into_iter().map(|network| {
        let mut labels = MetaLabels::new(prefix);
        labels
            .set("network_id", &network.id)
            .set("network_name", &network.name)
            .set("network_scope", &network.scope)
            .set("network_internal", bool_text(network.internal))
            .set("network_ingress", bool_text(network.ingress))
            .set_all("network_label_", &network.labels);
        (network.id, labels.build())
    });
    Ok(labelled.collect())
}

/// The address of `address/length`.
pub(crate) fn host_of(cidr: &str) -> Result<&str, DaemonError> {
    let parts = cidr.split_once('/').filter(|(host, _)| host.parse::<IpAddr>().is_ok());
    parts.map(|(host, _)| host).ok_or_else(|| DaemonError::Address(cidr.to_owned()))
}

/// As a label has it.
pub(crate) fn bool_text(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
