//! Relabelling step by step, for people.

use model::{Labels, LabelsBuilder};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::RelabelConfig;

/// What one rule did.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<'a> {
    /// The rule.
    pub rule: &'a RelabelConfig,
    /// The labels behind it; none once the label set has been dropped.
    pub labels: Labels,
    /// Whether the label set is still there.
    pub is_kept: bool,
}

/// What each rule does to a label set. Behind the rule that drops it nothing is there any more.
pub fn steps<'a>(rules: &'a [RelabelConfig], labels: &Labels) -> Vec<Step<'a>> {
    let mut builder = LabelsBuilder::new(labels);
    let mut is_kept = true;
    let step = |rule: &'a RelabelConfig| {
        is_kept = is_kept && rule.apply(&mut builder);
        Step { rule, labels: if is_kept { builder.build() } else { Labels::empty() }, is_kept }
    };
    rules.iter().map(step).collect()
}

impl Serialize for RelabelConfig {
    /// As Prometheus's API shows a rule.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.source_labels.is_empty() {
            map.serialize_entry("source_labels", &self.source_labels)?;
        }
        map.serialize_entry("separator", &self.separator)?;
        map.serialize_entry("regex", &self.pattern)?;
        if self.modulus != 0 {
            map.serialize_entry("modulus", &self.modulus)?;
        }
        if !self.target_label.is_empty() {
            map.serialize_entry("target_label", &self.target_label)?;
        }
        map.serialize_entry("replacement", &self.replacement)?;
        map.serialize_entry("action", self.action.as_str())?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use config::{Report, Spanned};

    use super::super::RawRelabelConfig;
    use super::*;
    use crate::names::NameValidation;

    #[test]
    fn shows_what_each_rule_does_up_to_the_end() {
        let text = "
- {source_labels: [a], target_label: b}
- {action: labeldrop, regex: a}
- {source_labels: [b], action: drop, regex: x}
- {target_label: c, replacement: d}
";
        let raw: Vec<Spanned<RawRelabelConfig>> = config::load(text, "a.yml").expect("rules");
        let rules = RelabelConfig::validate_all(raw, NameValidation::Utf8, &mut Report::new("a.yml"));
        let shown = |labels: &Labels| {
            let steps = steps(&rules, labels);
            steps.iter().map(|step| format!("{} {}", step.labels, step.is_kept)).collect::<Vec<_>>()
        };
        let labels = Labels::from_pairs([("a", "y")]);
        assert_eq!(
            shown(&labels),
            [r#"{a="y", b="y"} true"#, r#"{b="y"} true"#, r#"{b="y"} true"#, r#"{b="y", c="d"} true"#]
        );
        let labels = Labels::from_pairs([("a", "x")]);
        assert_eq!(shown(&labels), [r#"{a="x", b="x"} true"#, r#"{b="x"} true"#, "{} false", "{} false"]);
        assert_eq!(
            serde_json::to_string(&rules[0]).expect("JSON"),
            r#"{"source_labels":["a"],"separator":";","regex":"(.*)","target_label":"b","replacement":"$1","action":"replace"}"#
        );
    }
}
