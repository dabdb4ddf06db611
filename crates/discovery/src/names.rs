//! Which names of metrics and labels are taken.

use model::{Labels, METRIC_NAME, is_valid_label_name, is_valid_metric_name};
use serde::Deserialize;

/// How names of metrics and labels are checked (`metric_name_validation_scheme`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum NameValidation {
    /// Any UTF-8.
    #[default]
    Utf8,
    /// Letters, digits, underscores and, in metrics, colons.
    Legacy,
}

impl NameValidation {
    /// Whether all names of a series are taken.
    pub fn takes(self, labels: &Labels) -> bool {
        self == NameValidation::Utf8
            || labels
                .iter()
                .all(|(name, value)| is_valid_label_name(name) && (name != METRIC_NAME || is_valid_metric_name(value)))
    }

    /// Whether a label may be called so.
    pub fn takes_label(self, name: &str) -> bool {
        !name.is_empty() && (self == NameValidation::Utf8 || is_valid_label_name(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legacy_names_are_those_of_the_old_grammar() {
        let check = |metric: &str, label: &str, want: bool| {
            let labels = Labels::from_pairs([(METRIC_NAME, metric), (label, "ü")]);
            assert_eq!(NameValidation::Legacy.takes(&labels), want, "{labels}");
            assert!(NameValidation::Utf8.takes(&labels));
        };
        check("a:b", "c_1", true);
        check("a.b", "c", false);
        check("a", "c:d", false);
        check("1a", "c", false);
    }
}
