//! What a group knows of one of its rules from one evaluation to the next, and what of that is noted for the next start.

use std::time::Duration;

use model::{Labels, Timestamp};

use crate::alerts::AlertSet;
use crate::definition::Rule;
use crate::instance::Times;
use crate::journal;
use crate::status::Health;
use crate::write::Known;

/// So many bytes of notes go into one transaction; what exceeds them is noted with the next ones.
pub(crate) const NOTES_BYTES_MAX: usize = 8 << 20;

/// The state of a rule.
#[derive(Debug)]
pub(crate) struct RuleState {
    pub(crate) health: Health,
    pub(crate) last_error: Option<String>,
    pub(crate) evaluation_time: Duration,
    pub(crate) last_evaluation: Option<Timestamp>,
    pub(crate) alerts: AlertSet,
    /// Whether the alerts have been restored; until then they are neither stored nor noted, or they would hide what is to be restored.
    pub(crate) restored: bool,
    /// The name of its note; `None` for a recording rule.
    pub(crate) note: Option<String>,
    /// Whether there is that note, so that a start looks for nothing but notes.
    pub(crate) is_noted: bool,
    /// The series that the last evaluation gave.
    pub(crate) known: Known,
}

/// What rules leave that are gone.
#[derive(Debug, Default)]
pub(crate) struct Leavings {
    /// Their series, which get a stale marker.
    pub(crate) series: Vec<Labels>,
    /// The names of their alerts' notes, which are taken away.
    pub(crate) notes: Vec<String>,
}

/// Notes of an evaluation, and what they say.
#[derive(Debug, Default)]
pub(crate) struct Noting {
    /// Names and contents.
    pub(crate) notes: Vec<(String, Vec<u8>)>,
    /// The rules that are noted for the first time.
    pub(crate) rules: Vec<usize>,
    /// The rule, the alert's labels and its times.
    pub(crate) alerts: Vec<(usize, Labels, Option<Times>)>,
    bytes: usize,
}

impl Noting {
    /// Whether nothing more goes into the transaction.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= NOTES_BYTES_MAX
    }
}

impl RuleState {
    /// That of a rule that was never evaluated. `restored` says that there is nothing to restore.
    pub(crate) fn new(rule: &Rule, group_note: &str, restored: bool) -> Self {
        RuleState {
            health: Health::Unknown,
            last_error: None,
            evaluation_time: Duration::ZERO,
            last_evaluation: None,
            alerts: AlertSet::default(),
            restored,
            note: rule.alerting().map(|alerting| journal::rule_note(group_note, rule, alerting)),
            is_noted: false,
            known: Known::default(),
        }
    }

    /// Adds what has to be noted of the rule, which is the `i`th of its group.
    pub(crate) fn write_notes(&self, i: usize, rule: &Rule, noting: &mut Noting) {
        let Some(note) = self.note.as_ref().filter(|_| self.restored) else { return };
        if !self.is_noted {
            noting.notes.push((note.clone(), journal::write_rule(rule)));
            noting.rules.push(i);
        }
        for (labels, instance) in self.alerts.unnoted() {
            if noting.is_full() {
                return;
            }
            let content = instance.map(|instance| journal::write_alert(labels, instance)).unwrap_or_default();
            noting.bytes += content.len();
            noting.notes.push((journal::alert_note(note, labels), content));
            noting.alerts.push((i, labels.clone(), instance.map(|instance| instance.times)));
        }
    }

    /// The names of its note and of its alerts', which are no longer its.
    pub(crate) fn take_notes(&mut self) -> Vec<String> {
        let Some(note) = &self.note else { return Vec::new() };
        let alerts = self.alerts.take_noted().map(|labels| journal::alert_note(note, &labels));
        alerts.chain(std::mem::take(&mut self.is_noted).then(|| note.clone())).collect()
    }
}
