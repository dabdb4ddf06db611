//! Ingresses.

use model::Labels;
use serde::Deserialize;

use crate::kubernetes::meta::{NAMESPACE, ObjectMeta, meta_labels};
use crate::meta_labels::or_default;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct IngressWire {
    pub(crate) metadata: ObjectMeta,
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    ingress_class_name: Option<String>,
    #[serde(deserialize_with = "or_default")]
    tls: Vec<Tls>,
    #[serde(deserialize_with = "or_default")]
    rules: Vec<RuleWire>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tls {
    #[serde(deserialize_with = "or_default")]
    hosts: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RuleWire {
    host: String,
    http: Option<Http>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Http {
    #[serde(deserialize_with = "or_default")]
    paths: Vec<PathWire>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PathWire {
    path: String,
}

/// A rule of an ingress: a host and what is served of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) host: Box<str>,
    pub(crate) is_tls: bool,
    /// Never empty themselves.
    pub(crate) paths: Box<[Box<str>]>,
}

/// The rules of an ingress and the labels that all its targets have.
pub(crate) fn read(wire: IngressWire) -> (Labels, Box<[Rule]>) {
    let IngressWire { metadata, spec } = wire;
    let mut labels = meta_labels();
    labels
        .set(NAMESPACE, &metadata.namespace)
        .set("ingress_class_name", spec.ingress_class_name.as_deref().unwrap_or_default())
        .describe("ingress", &metadata);
    let or_root = |path: String| if path.is_empty() { "/".into() } else { path.into() };
    let rule = |rule: RuleWire| Rule {
        is_tls: spec.tls.iter().flat_map(|tls| &tls.hosts).any(|pattern| matches(pattern, &rule.host)),
        paths: match rule.http {
            None => ["/".into()].into(),
            Some(http) => http.paths.into_iter().map(|path| or_root(path.path)).collect(),
        },
        host: rule.host.into(),
    };
    (labels.build(), spec.rules.into_iter().map(rule).collect())
}

/// Whether a name of a certificate is that of a host. A star stands for the first part of a name, and for all of it.
fn matches(pattern: &str, host: &str) -> bool {
    let below_star = pattern.strip_prefix("*.").zip(host.split_once('.'));
    pattern == host || below_star.is_some_and(|(pattern, (_, host))| pattern == host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_one_part_of_a_name() {
        let check =
            |pattern: &str, host: &str, want: bool| assert_eq!(matches(pattern, host), want, "{pattern} {host}");
        check("a.example.com", "a.example.com", true);
        check("*.example.com", "a.example.com", true);
        check("*.example.com", "example.com", false);
        check("*.example.com", "a.b.example.com", false);
        check("a.*.com", "a.example.com", false);
        check("example.com", "a.example.com", false);
    }
}
