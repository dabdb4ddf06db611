//! What all objects have, and the labels that are made of it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::meta_labels::{MetaLabels, or_default};

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

/// Labels in the making, of an object in a cluster.
pub(crate) fn meta_labels() -> MetaLabels {
    MetaLabels::new("__meta_kubernetes_")
}

impl MetaLabels {
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
}
