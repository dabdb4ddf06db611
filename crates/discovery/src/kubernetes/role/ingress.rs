//! `role: ingress`: each path of each host of each ingress.

use crate::group::TargetGroup;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::meta::meta_labels;
use crate::kubernetes::object::ingress::Rule;
use crate::kubernetes::object::record::Record;
use crate::kubernetes::role::joins::Joins;

/// The targets of an ingress.
pub(crate) fn targets(namespace: &str, record: &Record, rules: &[Rule], joins: &mut Joins<'_>) -> Vec<TargetGroup> {
    let mut all = meta_labels();
    all.join(&record.labels);
    joins.join(&mut all, Kind::Namespace, namespace);
    let target = |rule: &Rule, path: &str| {
        let mut labels = all.clone();
        let scheme = if rule.is_tls { "https" } else { "http" };
        labels.set("ingress_scheme", scheme).set("ingress_host", &rule.host).set("ingress_path", path);
        labels.target(rule.host.to_string())
    };
    rules.iter().flat_map(|rule| rule.paths.iter().map(move |path| (rule, path))).map(|(r, p)| target(r, p)).collect()
}
