//! Relabelling: rules that change, keep or drop label sets, for targets, series and alerts.

mod steps;

use std::fmt;

use config::{Position, Report, Spanned};
use md5::{Digest, Md5};
use model::{GoRegex, LabelsBuilder};
use serde::Deserialize;

use crate::names::NameValidation;

pub use steps::{Step, steps};

const DEFAULT_SEPARATOR: &str = ";";
const DEFAULT_REGEX: &str = "(.*)";
const DEFAULT_REPLACEMENT: &str = "$1";

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Sets the target label to the replacement where the expression matches.
    Replace,
    /// Drops what doesn't match.
    Keep,
    /// Drops what matches.
    Drop,
    /// Drops what has another value in the target label.
    KeepEqual,
    /// Drops what has the same value in the target label.
    DropEqual,
    /// Sets the target label to the MD5 hash of the source modulo the modulus.
    HashMod,
    /// Copies labels whose names match to the names that the replacement gives.
    LabelMap,
    /// Removes labels whose names match.
    LabelDrop,
    /// Removes labels whose names don't match.
    LabelKeep,
    /// Sets the target label to the source in lower case.
    Lowercase,
    /// Sets the target label to the source in upper case.
    Uppercase,
}

const ACTIONS: [(&str, Action); 11] = [
    ("replace", Action::Replace),
    ("keep", Action::Keep),
    ("drop", Action::Drop),
    ("keepequal", Action::KeepEqual),
    ("dropequal", Action::DropEqual),
    ("hashmod", Action::HashMod),
    ("labelmap", Action::LabelMap),
    ("labeldrop", Action::LabelDrop),
    ("labelkeep", Action::LabelKeep),
    ("lowercase", Action::Lowercase),
    ("uppercase", Action::Uppercase),
];

impl Action {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        ACTIONS.iter().find(|(_, action)| *action == self).map_or("", |(word, _)| word)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let word = text.to_lowercase();
        ACTIONS.iter().find(|(known, _)| *known == word).map(|(_, action)| *action).ok_or_else(|| {
            let known: Vec<&str> = ACTIONS.iter().map(|(word, _)| *word).collect();
            match config::suggestion(&word, &known) {
                Some(meant) => format!("unknown relabel action {text:?}, did you mean {meant:?}?"),
                None => format!("unknown relabel action {text:?}, expected one of: {}", known.join(", ")),
            }
        })
    }
}

/// A rule as written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawRelabelConfig {
    /// The labels whose values, joined, are the source.
    pub source_labels: Option<Vec<Spanned<String>>>,
    /// What joins them, `;` by default.
    pub separator: Option<String>,
    /// The expression that the whole source must match, `(.*)` by default.
    pub regex: Option<Spanned<String>>,
    /// The modulus of `hashmod`.
    pub modulus: Option<u64>,
    /// The label that is set.
    pub target_label: Option<Spanned<String>>,
    /// What it is set to, `$1` by default.
    pub replacement: Option<String>,
    /// What is done, `replace` by default.
    pub action: Option<Spanned<String>>,
}

/// A rule, validated.
#[derive(Debug, Clone)]
pub struct RelabelConfig {
    action: Action,
    source_labels: Vec<String>,
    separator: String,
    pattern: String,
    regex: GoRegex,
    modulus: u64,
    target_label: String,
    replacement: String,
    names: NameValidation,
    /// A `replace` that sets its label whatever the source is.
    is_constant: bool,
}

impl PartialEq for RelabelConfig {
    fn eq(&self, other: &Self) -> bool {
        let key = |c: &RelabelConfig| (c.action, c.modulus, c.names);
        let texts =
            |c: &RelabelConfig| (c.separator.clone(), c.pattern.clone(), c.target_label.clone(), c.replacement.clone());
        key(self) == key(other) && self.source_labels == other.source_labels && texts(self) == texts(other)
    }
}

impl fmt::Display for RelabelConfig {
    /// The rule on one line, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.action.as_str())?;
        if !self.source_labels.is_empty() {
            write!(f, " [{}]", self.source_labels.join(", "))?;
        }
        match self.action {
            Action::Replace if self.is_constant => write!(f, " {} = {:?}", self.target_label, self.replacement),
            Action::Replace => write!(f, " =~ {:?} -> {} = {:?}", self.pattern, self.target_label, self.replacement),
            Action::Keep | Action::Drop | Action::LabelDrop | Action::LabelKeep => write!(f, " =~ {:?}", self.pattern),
            Action::KeepEqual | Action::DropEqual => write!(f, " == {}", self.target_label),
            Action::HashMod => write!(f, " modulo {} -> {}", self.modulus, self.target_label),
            Action::LabelMap => write!(f, " =~ {:?} -> {:?}", self.pattern, self.replacement),
            Action::Lowercase | Action::Uppercase => write!(f, " -> {}", self.target_label),
        }
    }
}

impl RelabelConfig {
    /// Checks a list of rules. Labels that they set have the names that `names` takes.
    pub fn validate_all(
        raw: Vec<Spanned<RawRelabelConfig>>,
        names: NameValidation,
        report: &mut Report,
    ) -> Vec<RelabelConfig> {
        raw.into_iter().filter_map(|rule| RelabelConfig::validate(rule, names, report)).collect()
    }

    /// Checks a rule; `None` where it is wrong, which the report then says.
    pub fn validate(
        raw: Spanned<RawRelabelConfig>,
        names: NameValidation,
        report: &mut Report,
    ) -> Option<RelabelConfig> {
        let (position, raw) = (raw.position, raw.value);
        let action = match &raw.action {
            Some(word) => report.check(word, Action::parse(word))?,
            None => Action::Replace,
        };
        let errors = report.error_count();
        check_fields(action, position, &raw, report);
        check_names(action, position, &raw, names, report);
        let pattern = raw.regex.as_ref().map_or(DEFAULT_REGEX, |regex| regex.as_str()).to_owned();
        let at = raw.regex.as_ref().map_or(position, |regex| regex.position);
        let regex = report.check(at, GoRegex::new(&pattern))?;
        if report.error_count() > errors {
            return None;
        }
        let replacement = raw.replacement.unwrap_or_else(|| DEFAULT_REPLACEMENT.to_owned());
        let target_label = raw.target_label.map(|label| label.value).unwrap_or_default();
        let is_constant = action == Action::Replace
            && pattern == DEFAULT_REGEX
            && !target_label.contains('$')
            && !replacement.contains('$');
        Some(RelabelConfig {
            action,
            source_labels: raw.source_labels.unwrap_or_default().into_iter().map(|label| label.value).collect(),
            separator: raw.separator.unwrap_or_else(|| DEFAULT_SEPARATOR.to_owned()),
            pattern,
            regex,
            modulus: raw.modulus.unwrap_or(0),
            target_label,
            replacement,
            names,
            is_constant,
        })
    }

    /// A rule that sets a label, whatever the others are; `None` where the value has a `$`.
    pub fn constant(label: &str, value: &str) -> Option<RelabelConfig> {
        let written = |text: &str| Some(Spanned::new(text.to_owned(), Position::default()));
        let raw = RawRelabelConfig {
            target_label: written(label),
            replacement: Some(value.to_owned()).filter(|value| !value.contains('$')),
            ..RawRelabelConfig::default()
        };
        RelabelConfig::validate(Spanned::new(raw, Position::default()), NameValidation::Utf8, &mut Report::new(""))
    }

    /// What the rule does.
    pub fn action(&self) -> Action {
        self.action
    }

    /// Applies the rule; false where it drops the label set.
    pub fn apply(&self, labels: &mut LabelsBuilder) -> bool {
        match self.action {
            Action::Replace => self.replace(labels),
            Action::Keep => return self.regex.is_match(&self.source(labels)),
            Action::Drop => return !self.regex.is_match(&self.source(labels)),
            Action::KeepEqual => return labels.get(&self.target_label).unwrap_or("") == self.source(labels),
            Action::DropEqual => return labels.get(&self.target_label).unwrap_or("") != self.source(labels),
            Action::HashMod => {
                let remainder = hash(&self.source(labels)) % self.modulus;
                labels.set(&self.target_label, &remainder.to_string());
            }
            Action::LabelMap => {
                let renamed: Vec<(String, String)> = labels
                    .iter()
                    .filter_map(|(name, value)| Some((self.regex.expand(name, &self.replacement)?, value.to_owned())))
                    .collect();
                for (name, value) in renamed.iter().filter(|(name, _)| !name.is_empty()) {
                    labels.set(name, value);
                }
            }
            Action::LabelDrop => {
                labels.retain(|name, _| !self.regex.is_match(name));
            }
            Action::LabelKeep => {
                labels.retain(|name, _| self.regex.is_match(name));
            }
            Action::Lowercase => {
                let value = self.source(labels).to_lowercase();
                labels.set(&self.target_label, &value);
            }
            Action::Uppercase => {
                let value = self.source(labels).to_uppercase();
                labels.set(&self.target_label, &value);
            }
        }
        true
    }

    fn replace(&self, labels: &mut LabelsBuilder) {
        if self.is_constant {
            labels.set(&self.target_label, &self.replacement);
            return;
        }
        let source = self.source(labels);
        let Some(target) = self.regex.expand(&source, &self.target_label) else { return };
        if !self.names.takes_label(&target) {
            return;
        }
        let value = self.regex.expand(&source, &self.replacement).unwrap_or_default();
        labels.set(&target, &value); // an empty value deletes the label
    }

    fn source(&self, labels: &LabelsBuilder) -> String {
        let mut source = String::new();
        for (at, name) in self.source_labels.iter().enumerate() {
            if at > 0 {
                source.push_str(&self.separator);
            }
            source.push_str(labels.get(name).unwrap_or(""));
        }
        source
    }
}

/// Applies rules in order; false as soon as one drops the label set.
pub fn process(rules: &[RelabelConfig], labels: &mut LabelsBuilder) -> bool {
    rules.iter().all(|rule| rule.apply(labels))
}

/// The last eight bytes of the MD5 hash as a number, as Prometheus takes them.
fn hash(text: &str) -> u64 {
    let digest: [u8; 16] = Md5::digest(text.as_bytes()).into();
    let [.., a, b, c, d, e, f, g, h] = digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Which fields an action needs, and which it must not have.
fn check_fields(action: Action, position: Position, raw: &RawRelabelConfig, report: &mut Report) {
    use Action::{DropEqual, HashMod, KeepEqual, LabelDrop, LabelKeep, Lowercase, Replace, Uppercase};
    let word = action.as_str();
    let target = raw.target_label.as_ref().map_or("", |label| label.as_str());
    let replacement = raw.replacement.as_deref().unwrap_or(DEFAULT_REPLACEMENT);
    let has_regex = raw.regex.as_ref().is_some_and(|regex| regex.as_str() != DEFAULT_REGEX);
    let has_separator = raw.separator.as_deref().unwrap_or(DEFAULT_SEPARATOR) != DEFAULT_SEPARATOR;
    let has_replacement = replacement != DEFAULT_REPLACEMENT;
    let has_modulus = raw.modulus.unwrap_or(0) != 0;
    if action == HashMod && !has_modulus {
        report.error(position, "relabel configuration for hashmod requires non-zero modulus");
    }
    if matches!(action, Replace | HashMod | Lowercase | Uppercase | KeepEqual | DropEqual) && target.is_empty() {
        report.error(position, format_args!("relabel configuration for {word} action requires 'target_label' value"));
    }
    if matches!(action, Lowercase | Uppercase | KeepEqual | DropEqual) && has_replacement {
        report.error(position, format_args!("'replacement' can not be set for {word} action"));
    }
    if matches!(action, KeepEqual | DropEqual) && (has_regex || has_modulus || has_separator) {
        report.error(
            position,
            format_args!("{word} action requires only 'source_labels' and 'target_label', and no other fields"),
        );
    }
    let has_source = raw.source_labels.is_some() || !target.is_empty();
    if matches!(action, LabelDrop | LabelKeep) && (has_source || has_modulus || has_separator || has_replacement) {
        report.error(position, format_args!("{word} action requires only 'regex', and no other fields"));
    }
    for name in raw.source_labels.iter().flatten().filter(|name| name.is_empty()) {
        report.error(name, "a name in source_labels is empty");
    }
}

/// Which names a rule may set. A `$` stands for what the expression finds.
fn check_names(action: Action, position: Position, raw: &RawRelabelConfig, names: NameValidation, report: &mut Report) {
    let takes = |name: &str, is_template: bool| match is_template {
        true => names.takes_label(&name.replace(['$', '{', '}'], "_")),
        false => names.takes_label(name),
    };
    if let Some(label) = raw.target_label.as_ref().filter(|label| !label.is_empty())
        && !takes(label, action == Action::Replace)
    {
        report.error(label, format_args!("{:?} is invalid 'target_label' for {} action", label.value, action.as_str()));
    }
    let replacement = raw.replacement.as_deref().unwrap_or(DEFAULT_REPLACEMENT);
    if action == Action::LabelMap && !takes(replacement, true) {
        report.error(position, format_args!("{replacement:?} is invalid 'replacement' for labelmap action"));
    }
}

#[cfg(test)]
mod tests;
