//! The labels of a machine that a cloud tells of.

use model::LabelsScratch;

use crate::group::TargetGroup;
use crate::meta_labels::sanitized;

/// Labels of a target in the making, which all begin alike; what is set last counts, and an empty value sets nothing.
#[derive(Debug)]
pub(crate) struct MachineLabels {
    prefix: &'static str,
    labels: LabelsScratch,
    name: String,
}

impl MachineLabels {
    /// Labels whose names begin so, as `__meta_ec2_`.
    pub(crate) fn new(prefix: &'static str) -> Self {
        MachineLabels { prefix, labels: LabelsScratch::default(), name: String::new() }
    }

    /// Sets the label `<prefix><name>`.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.set_named(name, "", value)
    }

    /// Sets the label `<prefix><group><name>`, with underscores for what a label's name can't have.
    pub(crate) fn set_named(&mut self, group: &str, name: &str, value: &str) -> &mut Self {
        self.name.clear();
        self.name.push_str(self.prefix);
        self.name.push_str(group);
        self.name.extend(name.chars().map(sanitized));
        self.labels.push(&self.name, value);
        self
    }

    /// Sets a label to all of `values`, with the separator between and around them, so that a regular expression for one of them needs not
    /// know where it stands. No values set nothing.
    pub(crate) fn set_list(&mut self, name: &str, separator: &str, values: &[&str]) -> &mut Self {
        if values.is_empty() {
            return self;
        }
        let value = format!("{separator}{}{separator}", values.join(separator));
        self.set(name, &value)
    }

    /// A target with these labels.
    pub(crate) fn target(&self, address: String) -> TargetGroup {
        TargetGroup { targets: vec![address], labels: self.labels.build() }
    }
}
