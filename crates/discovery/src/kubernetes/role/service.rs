//! `role: service`: each port of each service, by the name that the cluster's DNS has for it.

use crate::group::TargetGroup;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::meta::meta_labels;
use crate::kubernetes::object::record::Record;
use crate::kubernetes::object::service::Service;
use crate::kubernetes::role::joins::Joins;
use crate::meta_labels::host_port;

/// The targets of a service.
pub(crate) fn targets(namespace: &str, record: &Record, service: &Service, joins: &mut Joins<'_>) -> Vec<TargetGroup> {
    let mut all = meta_labels();
    all.join(&record.labels).join(&service.kind);
    joins.join(&mut all, Kind::Namespace, namespace);
    let target = |port: &crate::kubernetes::object::service::Port| {
        let mut labels = all.clone();
        labels
            .set("service_port_name", &port.name)
            .set("service_port_number", &port.number.to_string())
            .set("service_port_protocol", &port.protocol);
        labels.target(host_port(&service.host, port.number))
    };
    service.ports.iter().map(target).collect()
}
