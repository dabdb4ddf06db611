//! From a rule file as written to checked rule groups; everything that is wrong is reported at once.

use std::collections::{BTreeMap, HashSet};

use config::{DurationMs, Position, Report, Spanned};
use model::METRIC_NAME;
use promql::{Expr, ParseOptions};
use template::Template;

use crate::definition::{Alerting, Rule, RuleGroup, RuleKind, Text};
use crate::position::locate;
use crate::raw::{RawFile, RawGroup, RawRule, Texts};

/// What groups get that don't say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupDefaults {
    /// `global.evaluation_interval`, in milliseconds.
    pub interval_ms: i64,
    /// `global.rule_query_offset`, in milliseconds.
    pub query_offset_ms: i64,
    /// What of the language their expressions may use.
    pub language: ParseOptions,
}

impl Default for GroupDefaults {
    /// One minute, no offset, as in Prometheus.
    fn default() -> Self {
        GroupDefaults { interval_ms: 60_000, query_offset_ms: 0, language: ParseOptions::default() }
    }
}

/// Checks a rule file. `text` is the file's, for the places of errors inside expressions.
pub(crate) fn check_file(raw: RawFile, text: &str, defaults: GroupDefaults, report: &mut Report) -> Vec<RuleGroup> {
    let mut names = HashSet::new();
    let mut groups = Vec::new();
    for group in raw.groups.unwrap_or_default() {
        let place = group.position;
        let name_place = group.value.name.as_ref().map_or(place, |name| name.position);
        if let Some(group) = (Group { text, place, language: defaults.language, report }).check(group.value, defaults) {
            if !names.insert(group.name.clone()) {
                report.error(name_place, format_args!("groupname: {:?} is repeated in the same file", group.name));
            }
            groups.push(group);
        }
    }
    groups
}

/// Checks one group.
struct Group<'a> {
    text: &'a str,
    place: Position,
    language: ParseOptions,
    report: &'a mut Report,
}

impl Group<'_> {
    fn check(&mut self, raw: RawGroup, defaults: GroupDefaults) -> Option<RuleGroup> {
        let name = match raw.name {
            Some(name) if !name.is_empty() => name.value,
            name => {
                self.report.error(name.map_or(self.place, |name| name.position), "Groupname must not be empty");
                return None;
            }
        };
        let labels = self.checked_names(raw.labels.unwrap_or_default(), &format!("group {name:?}"), "label");
        let mut rules = Vec::new();
        for (number, rule) in (1..).zip(raw.rules.unwrap_or_default()) {
            rules.extend(self.rule(&name, number, rule, &labels));
        }
        let interval_ms = match raw.interval {
            Some(interval) if interval.0 > 0 => interval.0,
            _ => defaults.interval_ms,
        };
        Some(RuleGroup {
            file: self.report.file().to_owned(),
            name,
            interval_ms,
            query_offset_ms: raw.query_offset.map_or(defaults.query_offset_ms, |offset| offset.0),
            limit: raw.limit.map_or(0, |limit| usize::try_from(limit.value).unwrap_or(0)),
            rules,
        })
    }

    fn rule(&mut self, group: &str, number: usize, rule: Spanned<RawRule>, shared: &Texts) -> Option<Rule> {
        let Spanned { value: raw, position } = rule;
        let (name, is_alert) = match (raw.record, raw.alert) {
            (Some(record), None) if !record.is_empty() => (record, false),
            (None, Some(alert)) if !alert.is_empty() => (alert, true),
            (Some(_), Some(_)) => {
                let what = "only one of 'record' and 'alert' must be set";
                self.report.error(position, format_args!("group {group:?}, rule {number}: {what}"));
                return None;
            }
            _ => {
                let what = "one of 'record' or 'alert' must be set";
                self.report.error(position, format_args!("group {group:?}, rule {number}: {what}"));
                return None;
            }
        };
        let errors_before = self.report.error_count();
        let context = format!("group {group:?}, rule {number}, {:?}", name.value);
        let expr = self.expr(raw.expr, position, &context);
        let mut labels = shared.clone();
        labels.extend(self.checked_names(raw.labels.unwrap_or_default(), &context, "label"));
        let annotations = self.checked_names(raw.annotations.unwrap_or_default(), &context, "annotation");
        let kind = if is_alert {
            let annotations = self.texts(annotations, Some(&name), &context, "annotation");
            let ms = |duration: Option<Spanned<DurationMs>>| duration.map_or(0, |d| d.0);
            let (for_ms, keep_firing_for_ms) = (ms(raw.for_), ms(raw.keep_firing_for));
            RuleKind::Alerting(Alerting { for_ms, keep_firing_for_ms, annotations })
        } else {
            self.recording_only(&name, &context);
            let place = |d: Option<Spanned<DurationMs>>| d.filter(|d| d.0 != 0).map(|d| d.position);
            self.not_in_recording("for", place(raw.for_), &context);
            self.not_in_recording("keep_firing_for", place(raw.keep_firing_for), &context);
            let annotated = annotations.values().map(|text| text.position).next();
            self.not_in_recording("annotations", annotated, &context);
            RuleKind::Recording
        };
        let labels = self.texts(labels, is_alert.then_some(&*name), &context, "label");
        let expr = expr.filter(|_| self.report.error_count() == errors_before)?;
        Some(Rule { name: name.value, query: expr.to_string(), expr, labels, kind })
    }

    fn recording_only(&mut self, name: &Spanned<String>, context: &str) {
        if name.contains(['{', '}']) {
            let what = "braces present in the recording rule name; should it be in expr?";
            self.report.error(name, format_args!("{context}: {what}: {}", name.value));
        }
    }

    fn not_in_recording(&mut self, field: &str, place: Option<Position>, context: &str) {
        if let Some(place) = place {
            self.report.error(place, format_args!("{context}: invalid field '{field}' in recording rule"));
        }
    }

    fn expr(&mut self, expr: Option<Spanned<String>>, rule: Position, context: &str) -> Option<Expr> {
        let Some(expr) = expr.filter(|expr| !expr.trim().is_empty()) else {
            self.report.error(rule, format_args!("{context}: field 'expr' must be set in rule"));
            return None;
        };
        match promql::parse_with(&expr, self.language) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                match locate(self.text, expr.position, &expr, error.span.start) {
                    Some(place) => {
                        let message = error.message;
                        self.report.error(place, format_args!("{context}: could not parse expression: {message}"));
                    }
                    None => self.report.error(&expr, format_args!("{context}: could not parse expression: {error}")),
                }
                None
            }
        }
    }

    /// Reports names that can't be: Prometheus takes any UTF-8 but the empty name, and for labels not the metric's.
    fn checked_names(&mut self, texts: Texts, context: &str, what: &str) -> Texts {
        for (name, text) in &texts {
            if name.is_empty() || (what == "label" && name == METRIC_NAME) {
                self.report.error(text, format_args!("{context}: invalid {what} name: {name:?}"));
            }
        }
        texts
    }

    fn texts(&mut self, texts: Texts, alert: Option<&str>, context: &str, what: &str) -> Vec<(String, Text)> {
        let mut checked = BTreeMap::new();
        for (name, text) in texts {
            let source = text.value.clone().unwrap_or_default();
            let template = match alert.map(|alert| Template::parse_for_rule(&format!("__alert_{alert}"), &source)) {
                None => None,
                Some(Ok(template)) => Some(template),
                Some(Err(error)) => {
                    self.report.error(&text, format_args!("{context}: {what} {name:?}: {error}"));
                    continue;
                }
            };
            checked.insert(name, Text { source, template });
        }
        checked.into_iter().collect()
    }
}
