//! Instances of a service, as the health endpoint tells them, and the targets they are.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::consul::config::ConsulSdConfig;
use crate::group::TargetGroup;
use crate::meta_labels::{MetaLabels, host_port, or_default};

/// An instance of a service on a node.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Instance {
    node: Node,
    service: Service,
    #[serde(default, deserialize_with = "or_default")]
    checks: Vec<Check>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Node {
    node: String,
    address: String,
    datacenter: String,
    #[serde(deserialize_with = "or_default")]
    tagged_addresses: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    meta: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Service {
    #[serde(rename = "ID")]
    id: String,
    address: String,
    port: i64,
    #[serde(deserialize_with = "or_default")]
    tags: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    meta: BTreeMap<String, String>,
    namespace: String,
    partition: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Check {
    #[serde(rename = "CheckID")]
    id: String,
    status: String,
}

impl Instance {
    /// The target that an instance of the service `name` is.
    pub(crate) fn target(&self, name: &str, config: &ConsulSdConfig) -> TargetGroup {
        let Instance { node, service, checks } = self;
        let asked = Some(config.datacenter.as_str()).filter(|datacenter| !datacenter.is_empty());
        let separator = &config.tag_separator;
        let tags = format!("{separator}{}{separator}", service.tags.join(separator));
        let mut labels = MetaLabels::new("__meta_consul_");
        labels
            .set("service", name)
            .set("dc", asked.unwrap_or(&node.datacenter))
            .set("address", &node.address)
            .set("node", &node.node)
            .set("namespace", &service.namespace)
            .set("partition", &service.partition)
            .set("tags", &tags)
            .set("service_address", &service.address)
            .set("service_port", &service.port.to_string())
            .set("service_id", &service.id)
            .set("health", health(checks))
            .set_all("metadata_", &node.meta)
            .set_all("service_metadata_", &service.meta)
            .set_all("tagged_address_", &node.tagged_addresses);
        // One that was registered by another node says where it is itself.
        let host = if service.address.is_empty() { &node.address } else { &service.address };
        labels.target(host_port(host, service.port))
    }
}

/// What the checks of an instance and of its node say together, as Consul's own clients see it: maintenance, then the worst;
/// nothing where a check has a state that isn't known.
fn health(checks: &[Check]) -> &'static str {
    const BEST_FIRST: [&str; 4] = ["passing", "warning", "critical", "maintenance"];
    let mut worst = 0;
    for check in checks {
        let is_maintenance = check.id == "_node_maintenance" || check.id.starts_with("_service_maintenance:");
        let found = if is_maintenance { Some(3) } else { BEST_FIRST[..3].iter().position(|s| *s == check.status) };
        let Some(rank) = found else { return "" };
        worst = worst.max(rank);
    }
    BEST_FIRST[worst]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_check_counts() {
        let check = |checks: &[(&str, &str)], want: &str| {
            let of = |(id, status): &(&str, &str)| Check { id: (*id).to_owned(), status: (*status).to_owned() };
            assert_eq!(health(&checks.iter().map(of).collect::<Vec<_>>()), want, "{checks:?}");
        };
        check(&[], "passing");
        check(&[("serfHealth", "passing"), ("service:a", "passing")], "passing");
        check(&[("a", "warning"), ("b", "passing")], "warning");
        check(&[("a", "warning"), ("b", "critical"), ("c", "passing")], "critical");
        check(&[("a", "critical"), ("_node_maintenance", "critical")], "maintenance");
        check(&[("_service_maintenance:a", "critical"), ("a", "passing")], "maintenance");
        check(&[("a", "critical"), ("b", "curious")], "");
    }
}
