//! `/rules`, `/alerts`.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::State;
use model::{Labels, format_plain_float};
use rules::{AlertStatus, AlertingStatus, GroupStatus, RuleStatus};
use serde::Serialize;

use crate::envelope::{Answer, ApiError};
use crate::node::Node;
use crate::params::Params;

#[derive(Serialize)]
pub(crate) struct Groups {
    groups: Vec<Group>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: String,
    file: String,
    rules: Vec<Rule>,
    interval: f64,
    limit: usize,
    evaluation_time: f64,
    last_evaluation: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    name: String,
    query: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_firing_for: Option<f64>,
    labels: Labels,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<Labels>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alerts: Option<Vec<Alert>>,
    health: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    last_error: String,
    evaluation_time: f64,
    last_evaluation: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
pub(crate) struct Alerts {
    alerts: Vec<Alert>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    labels: Labels,
    annotations: Labels,
    state: &'static str,
    active_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_firing_since: Option<String>,
    value: String,
}

/// What a person asked to see of the rules.
struct Filter {
    kind: Option<&'static str>,
    rules: HashSet<String>,
    groups: HashSet<String>,
    files: HashSet<String>,
    alerts: bool,
}

impl Filter {
    fn new(params: &Params) -> Result<Self, ApiError> {
        let kind = match params.get("type") {
            None => None,
            Some("alert") => Some("alerting"),
            Some("record") => Some("recording"),
            Some(other) => return Err(ApiError::parameter("type", format!("not supported value \"{other}\""))),
        };
        let set = |name| params.all(name).map(str::to_owned).collect();
        let alerts = !matches!(params.get("exclude_alerts"), Some("true" | "1"));
        Ok(Filter { kind, rules: set("rule_name[]"), groups: set("rule_group[]"), files: set("file[]"), alerts })
    }

    fn wants(set: &HashSet<String>, name: &str) -> bool {
        set.is_empty() || set.contains(name)
    }

    fn wants_group(&self, group: &GroupStatus) -> bool {
        Self::wants(&self.groups, &group.name) && Self::wants(&self.files, &group.file)
    }

    fn wants_rule(&self, rule: &Rule) -> bool {
        self.kind.is_none_or(|kind| kind == rule.kind) && Self::wants(&self.rules, &rule.name)
    }
}

/// All rule groups with the state of their rules.
pub(crate) async fn groups(State(node): State<Arc<Node>>, params: Params) -> Result<Answer<Groups>, ApiError> {
    let filter = Filter::new(&params)?;
    let groups = node
        .rules
        .groups()
        .into_iter()
        .filter(|group| filter.wants_group(group))
        .map(|group| group_json(group, &filter))
        .filter(|group| !group.rules.is_empty())
        .collect();
    Ok(Answer::new(Groups { groups }))
}

/// All pending and firing alerts.
pub(crate) async fn alerts(State(node): State<Arc<Node>>) -> Answer<Alerts> {
    let rules = node.rules.groups().into_iter().flat_map(|group| group.rules);
    let alerts = rules.filter_map(|rule| rule.alerting).flat_map(|alerting| alerting.alerts);
    Answer::new(Alerts { alerts: alerts.map(alert_json).collect() })
}

fn group_json(group: GroupStatus, filter: &Filter) -> Group {
    Group {
        name: group.name,
        file: group.file,
        rules: group
            .rules
            .into_iter()
            .map(|rule| rule_json(rule, filter))
            .filter(|rule| filter.wants_rule(rule))
            .collect(),
        interval: seconds(group.interval_ms),
        limit: group.limit,
        evaluation_time: group.evaluation_time.as_secs_f64(),
        last_evaluation: rfc3339(group.last_evaluation),
    }
}

fn rule_json(rule: RuleStatus, filter: &Filter) -> Rule {
    let mut out = Rule {
        state: None,
        name: rule.name,
        query: rule.query,
        duration: None,
        keep_firing_for: None,
        labels: rule.labels,
        annotations: None,
        alerts: None,
        health: rule.health.as_str(),
        last_error: rule.last_error.unwrap_or_default(),
        evaluation_time: rule.evaluation_time.as_secs_f64(),
        last_evaluation: rfc3339(rule.last_evaluation),
        kind: "recording",
    };
    if let Some(AlertingStatus { state, for_ms, keep_firing_for_ms, annotations, alerts }) = rule.alerting {
        out.kind = "alerting";
        out.state = Some(state.as_str());
        out.duration = Some(seconds(for_ms));
        out.keep_firing_for = Some(seconds(keep_firing_for_ms));
        out.annotations = Some(annotations);
        out.alerts = filter.alerts.then(|| alerts.into_iter().map(alert_json).collect());
    }
    out
}

fn alert_json(alert: AlertStatus) -> Alert {
    Alert {
        labels: alert.labels,
        annotations: alert.annotations,
        state: alert.state.as_str(),
        active_at: alert.active_at.to_rfc3339(),
        keep_firing_since: alert.keep_firing_since.map(|t| t.to_rfc3339()),
        value: exponent_form(alert.value),
    }
}

/// Go's `FormatFloat(v, 'e', -1, 64)`, the form in which Prometheus gives an alert's value: `1e+00`.
fn exponent_form(value: f64) -> String {
    if !value.is_finite() {
        return format_plain_float(value);
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// Go's zero time stands for never.
fn rfc3339(time: Option<model::Timestamp>) -> String {
    time.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), model::Timestamp::to_rfc3339)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_go_s_exponents() {
        let check = |value: f64, want: &str| assert_eq!(exponent_form(value), want);
        check(0.0, "0e+00");
        check(1.0, "1e+00");
        check(-0.0125, "-1.25e-02");
        check(1.5e300, "1.5e+300");
        check(f64::INFINITY, "+Inf");
    }
}
