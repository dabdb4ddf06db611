//! The labels of a target that say what is known about it where it was found.

use model::{Labels, LabelsScratch};
use serde::{Deserialize, Deserializer};

use crate::group::TargetGroup;

/// Labels of a target in the making; what is set last counts.
#[derive(Debug, Clone)]
pub(crate) struct MetaLabels {
    prefix: &'static str,
    labels: LabelsScratch,
    name: String,
}

impl MetaLabels {
    /// None yet; the names of those to come begin with `prefix`.
    pub(crate) fn new(prefix: &'static str) -> Self {
        MetaLabels { prefix, labels: LabelsScratch::default(), name: String::new() }
    }

    /// Sets the label `<prefix><name>`.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.set_named(name, "", "", value)
    }

    /// Sets the label `<prefix><object><what><name>`, with underscores for what a label's name can't have.
    pub(crate) fn set_named(&mut self, object: &str, what: &str, name: &str, value: &str) -> &mut Self {
        self.name.clear();
        self.name.push_str(self.prefix);
        self.name.push_str(object);
        self.name.push_str(what);
        self.name.extend(name.chars().map(sanitized));
        self.labels.push(&self.name, value);
        self
    }

    /// Sets the label `<prefix><object><name>`, with underscores for what a label's name can't have.
    pub(crate) fn set_sanitized(&mut self, object: &str, name: &str, value: &str) -> &mut Self {
        self.set_named(object, "", name, value)
    }

    /// Sets a label `<prefix><object><name>` for each name.
    pub(crate) fn set_all<'a>(
        &mut self,
        object: &str,
        pairs: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> &mut Self {
        for (name, value) in pairs {
            self.set_sanitized(object, name, value);
        }
        self
    }

    /// Sets a label with another prefix.
    pub(crate) fn set_plain(&mut self, name: &str, value: &str) -> &mut Self {
        self.labels.push(name, value);
        self
    }

    /// Takes labels over.
    pub(crate) fn join(&mut self, labels: &Labels) -> &mut Self {
        labels.iter().for_each(|(name, value)| self.labels.push(name, value));
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

/// A character as the names of labels may have it: an underscore where they may not.
pub(crate) fn sanitized(character: char) -> char {
    if character.is_ascii_alphanumeric() { character } else { '_' }
}

/// `host:port`, with brackets around an IPv6 address.
pub(crate) fn host_port(host: &str, port: impl std::fmt::Display) -> String {
    if host.contains([':', '%']) { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Takes `null` for what is missing: servers that are written in Go write lists without elements so.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_labels_have_underscores_for_what_they_must_not_have() {
        let check = |name: &str, want: &str| {
            let mut labels = MetaLabels::new("__meta_x_");
            labels.set_sanitized("node_label_", name, "x");
            assert_eq!(labels.build().iter().next(), Some((want, "x")), "{name}");
        };
        check("app", "__meta_x_node_label_app");
        check("app.kubernetes.io/part-of", "__meta_x_node_label_app_kubernetes_io_part_of");
        check("9_A", "__meta_x_node_label_9_A");
        check("größe", "__meta_x_node_label_gr__e");
    }

    #[test]
    fn addresses_of_ipv6_have_brackets() {
        let check = |host: &str, want: &str| assert_eq!(host_port(host, 80), want);
        check("10.0.0.1", "10.0.0.1:80");
        check("2001:db8::1", "[2001:db8::1]:80");
        check("a.b.svc", "a.b.svc:80");
    }
}
