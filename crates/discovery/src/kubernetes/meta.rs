//! What all objects have, and the labels that are made of it.

use std::collections::BTreeMap;

use model::{Labels, LabelsScratch};
use serde::{Deserialize, Deserializer};

use crate::group::TargetGroup;

const PREFIX: &str = "__meta_kubernetes_";
/// The label of the namespace of a target.
pub(crate) const NAMESPACE: &str = "namespace";

/// `metadata` of an object, as far as labels or the watch need it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ObjectMeta {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    owner_references: Vec<OwnerReference>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OwnerReference {
    kind: String,
    name: String,
    #[serde(deserialize_with = "or_default")]
    controller: bool,
}

/// The controller that made an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) kind: Box<str>,
    pub(crate) name: Box<str>,
}

impl ObjectMeta {
    /// `namespace/name`, or the name of an object that is in no namespace.
    pub(crate) fn key(&self) -> String {
        if self.namespace.is_empty() { self.name.clone() } else { key(&self.namespace, &self.name) }
    }

    /// The controller of the object.
    pub(crate) fn controller(&self) -> Option<Owner> {
        let owner = self.owner_references.iter().find(|owner| owner.controller)?;
        Some(Owner { kind: owner.kind.as_str().into(), name: owner.name.as_str().into() })
    }
}

/// `namespace/name`.
pub(crate) fn key(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

/// The namespace of a key; nothing where it has none.
pub(crate) fn namespace_of(key: &str) -> &str {
    key.split_once('/').map_or("", |(namespace, _)| namespace)
}

/// Takes `null` for what is missing: the API server writes lists without elements so.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Labels of a target in the making; what is set last counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct MetaLabels {
    labels: LabelsScratch,
    name: String,
}

impl MetaLabels {
    /// Sets the label `__meta_kubernetes_<name>`.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.set_named(name, "", "", value)
    }

    /// Sets the label `__meta_kubernetes_<object>_<what>_<name>`, with underscores for what a label's name can't have.
    fn set_named(&mut self, object: &str, what: &str, name: &str, value: &str) -> &mut Self {
        self.name.clear();
        self.name.push_str(PREFIX);
        self.name.push_str(object);
        self.name.push_str(what);
        self.name.extend(name.chars().map(sanitized));
        self.labels.push(&self.name, value);
        self
    }

    /// Sets the label `__meta_kubernetes_<prefix><name>`, with underscores for what a label's name can't have.
    pub(crate) fn set_sanitized(&mut self, prefix: &str, name: &str, value: &str) -> &mut Self {
        self.set_named(prefix, "", name, value)
    }

    /// Sets a label that isn't Kubernetes' own.
    pub(crate) fn set_plain(&mut self, name: &str, value: &str) -> &mut Self {
        self.labels.push(name, value);
        self
    }

    /// Takes labels over.
    pub(crate) fn join(&mut self, labels: &Labels) -> &mut Self {
        labels.iter().for_each(|(name, value)| self.labels.push(name, value));
        self
    }

    /// The name, the labels and the annotations of an object.
    pub(crate) fn describe(&mut self, object: &str, meta: &ObjectMeta) -> &mut Self {
        self.set_named(object, "_name", "", &meta.name).describe_unnamed(object, meta)
    }

    /// The labels and the annotations of an object.
    pub(crate) fn describe_unnamed(&mut self, object: &str, meta: &ObjectMeta) -> &mut Self {
        for (name, value) in &meta.labels {
            self.set_named(object, "_label_", name, value).set_named(object, "_labelpresent_", name, "true");
        }
        for (name, value) in &meta.annotations {
            self.set_named(object, "_annotation_", name, value).set_named(object, "_annotationpresent_", name, "true");
        }
        self
    }

    /// The labels so far.
    pub(crate) fn build(&self) -> Labels {
        self.labels.build()
    }

    /// A target with these labels.
    pub(crate) fn target(&self, address: String) -> TargetGroup {
        TargetGroup { targets: vec![address], labels: self.labels.build() }
    }
}

fn sanitized(character: char) -> char {
    if character.is_ascii_alphanumeric() { character } else { '_' }
}

/// `host:port`, with brackets around an IPv6 address.
pub(crate) fn host_port(host: &str, port: u32) -> String {
    if host.contains([':', '%']) { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_labels_have_underscores_for_what_they_must_not_have() {
        let check = |name: &str, want: &str| {
            let mut labels = MetaLabels::default();
            labels.set_sanitized("node_label_", name, "x");
            assert_eq!(labels.build().iter().next(), Some((want, "x")), "{name}");
        };
        check("app", "__meta_kubernetes_node_label_app");
        check("app.kubernetes.io/part-of", "__meta_kubernetes_node_label_app_kubernetes_io_part_of");
        check("9_A", "__meta_kubernetes_node_label_9_A");
        check("größe", "__meta_kubernetes_node_label_gr__e");
    }

    #[test]
    fn addresses_of_ipv6_have_brackets() {
        let check = |host: &str, want: &str| assert_eq!(host_port(host, 80), want);
        check("10.0.0.1", "10.0.0.1:80");
        check("2001:db8::1", "[2001:db8::1]:80");
        check("a.b.svc", "a.b.svc:80");
    }
}
