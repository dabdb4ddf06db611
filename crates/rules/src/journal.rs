//! The state of alerts in notes, which the storage keeps with the samples of the same transaction.
//!
//! `ALERTS_FOR_STATE` tells since when a condition has held, and nothing else: not that an alert fires only because of `keep_firing_for` or
//! because a scrape was missed, and nothing of one that has ended and has to be told. So each alert has a note with its
//! times, written when one of them changes; each rule has one, by which a start knows that the absence of others means that there was no alert;
//! and each group one with the time of its last evaluation. The names bear hashes of what a rule says: one that says something else
//! finds no notes. `docs/format/alert-state.md` tells of them.

use std::collections::BTreeMap;

use model::{Labels, Timestamp, format_float, parse_float};
use serde::{Deserialize, Serialize};
use storage::Appendable;

use crate::definition::{Alerting, Rule};
use crate::instance::{Instance, Times};

/// What the names of all notes begin with.
const PREFIX: &str = "alerts/";

/// An alert as a note tells it.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    labels: Labels,
    annotations: Labels,
    value: String,
    #[serde(flatten)]
    times: Times,
}

/// The name of a group's note; `key` is the group's.
pub(crate) fn group_note(key: &str) -> String {
    format!("{PREFIX}{:016x}", Labels::from_pairs([("group", key)]).stable_hash())
}

/// The name of the note of an alerting rule.
pub(crate) fn rule_note(group_note: &str, rule: &Rule, alerting: &Alerting) -> String {
    let (hold, labels) = (alerting.for_ms.to_string(), rule.label_sources().to_string());
    let said = [("alert", rule.name.as_str()), ("expr", &rule.query), ("for", &hold), ("labels", &labels)];
    format!("{group_note}/{:016x}", Labels::from_pairs(said).stable_hash())
}

/// The name of the note of one of a rule's alerts.
pub(crate) fn alert_note(rule_note: &str, labels: &Labels) -> String {
    format!("{rule_note}/{:016x}", labels.stable_hash())
}

/// What the note of a rule says: its name, for whoever reads it.
pub(crate) fn write_rule(rule: &Rule) -> Vec<u8> {
    rule.name.clone().into_bytes()
}

/// What the note of an alert says.
pub(crate) fn write_alert(labels: &Labels, instance: &Instance) -> Vec<u8> {
    let Instance { annotations, value, times, .. } = instance;
    let (labels, annotations) = (labels.clone(), annotations.clone());
    let line = Line { labels, annotations, value: format_float(*value), times: *times };
    serde_json::to_vec(&line).expect("a tree of texts and numbers, which JSON can hold")
}

fn read_alert(note: &[u8]) -> Option<(Labels, Instance)> {
    let Line { labels, annotations, value, times } = serde_json::from_slice(note).ok()?;
    let value = parse_float(&value)?;
    Some((labels, Instance { annotations, value, times, last_sent_at: None, recalled: true }))
}

/// What the note of a group says.
pub(crate) fn write_time(time: Timestamp) -> Vec<u8> {
    time.as_ms().to_string().into_bytes()
}

fn read_time(note: &[u8]) -> Option<Timestamp> {
    str::from_utf8(note).ok()?.parse().ok().map(Timestamp::from_ms)
}

/// The notes that a start finds.
#[derive(Debug)]
pub(crate) struct Recalled(BTreeMap<String, Vec<u8>>);

impl Recalled {
    /// All there are.
    pub(crate) fn read(storage: &dyn Appendable) -> Self {
        Recalled(storage.notes(PREFIX).into_iter().collect())
    }

    /// When a group was last evaluated while it had alerts.
    pub(crate) fn last_evaluation(&mut self, group_note: &str) -> Option<Timestamp> {
        let time = read_time(self.0.get(group_note)?)?;
        self.0.remove(group_note);
        Some(time)
    }

    /// Whether a rule with this note was evaluated before.
    pub(crate) fn knows(&mut self, rule_note: &str) -> bool {
        self.0.remove(rule_note).is_some()
    }

    /// The alerts of a rule.
    pub(crate) fn alerts(&mut self, rule_note: &str) -> Vec<(Labels, Instance)> {
        let (from, end) = (format!("{rule_note}/"), format!("{rule_note}0")); // the character behind the slash
        let names: Vec<String> = self.0.range(from..end).map(|(name, _)| name.clone()).collect();
        let mut take = |name: String| {
            let alert = read_alert(self.0.get(&name)?)?;
            self.0.remove(&name);
            Some(alert)
        };
        names.into_iter().filter_map(&mut take).collect()
    }

    /// The names of those that nobody has asked for, or that can't be read.
    pub(crate) fn left(self) -> Vec<String> {
        self.0.into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::files::RuleSet;
    use crate::validate::GroupDefaults;

    /// The examples of `docs/format/alert-state.md` are what is written, byte for byte, and read back.
    #[test]
    fn the_documented_examples_are_right() {
        let doc = include_str!("../../../docs/format/alert-state.md");
        let example = doc.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
        let notes: Vec<(&str, &str)> = example.lines().filter_map(|line| line.split_once(' ')).collect();
        let [group, _, alerts @ ..] = &notes[..] else { panic!("too few notes") };
        let text = doc.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a rule");
        let defaults = GroupDefaults::default();
        let set = RuleSet::check(Path::new("/etc/watershed/rules.yml"), text, defaults).expect("good rules");
        let rule = &set.groups[0].rules[0];
        let group_name = group_note(&set.groups[0].key());
        let rule_name = rule_note(&group_name, rule, rule.alerting().expect("an alert"));
        let mut written = vec![
            (group_name, write_time(read_time(group.1.as_bytes()).expect("a time"))),
            (rule_name.clone(), write_rule(rule)),
        ];
        for (_, note) in alerts {
            let (labels, instance) = read_alert(note.as_bytes()).expect("an alert");
            written.push((alert_note(&rule_name, &labels), write_alert(&labels, &instance)));
        }
        let shown = |(name, note): (String, Vec<u8>)| format!("{name} {}\n", String::from_utf8(note).expect("text"));
        assert_eq!(written.into_iter().map(shown).collect::<String>(), example);
    }
}
