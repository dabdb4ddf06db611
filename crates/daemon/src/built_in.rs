//! Alerts that a node raises without anybody having written them, and their section in the configuration.
//!
//! They are rules like others, in a group of their own that has no file: pages show them, and `ALERTS` has them.

use std::collections::BTreeMap;
use std::path::Path;

use config::{DurationMs, Report, Spanned};
use model::{MatchOp, Matcher, format_duration};
use rules::{GroupDefaults, RuleSet};
use serde::Deserialize;
use serde_json::json;

/// What stands for the file of built-in rules.
pub const BUILT_IN: &str = "built-in";
/// The label with an alert's name.
const ALERT_NAME: &str = "alertname";

/// An alert that a tier has built in.
#[derive(Debug, Clone)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// The condition; `$above` stands for the bound in seconds.
    pub expr: String,
    /// The bound in milliseconds, where it has one.
    pub above_ms: Option<i64>,
    /// How long the condition holds before it fires, in milliseconds.
    pub for_ms: i64,
    /// The label `severity`.
    pub severity: &'static str,
    /// What is wrong, in a line.
    pub summary: &'static str,
    /// What it means, and what to do.
    pub description: &'static str,
    /// What it makes pointless.
    pub inhibits: Vec<Inhibited>,
}

/// Alerts that are pointless while another one fires.
#[derive(Debug, Clone)]
pub struct Inhibited {
    /// Their names; empty for all others.
    pub alerts: &'static [&'static str],
    /// The labels in which both must agree, and which both must have.
    pub equal: Vec<String>,
}

/// `built_in_alerts` as written: what differs from the defaults, by the alerts' names.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct RawBuiltIns(BTreeMap<String, Spanned<RawBuiltIn>>);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawBuiltIn {
    enabled: Option<bool>,
    above: Option<Spanned<DurationMs>>,
    r#for: Option<DurationMs>,
    severity: Option<String>,
    labels: BTreeMap<String, String>,
}

/// The built-in alerts of a node, ready to be put in force.
#[derive(Debug, Default)]
pub struct BuiltIns {
    pub(crate) rules: RuleSet,
    pub(crate) inhibitions: Vec<Inhibition>,
}

/// While the source fires, the targets are not told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Inhibition {
    pub(crate) source: Vec<Matcher>,
    pub(crate) target: Vec<Matcher>,
    pub(crate) equal: Vec<String>,
}

impl RawBuiltIns {
    /// Puts what was written over the defaults in `table`.
    pub fn validate(mut self, table: &[BuiltIn], interval_ms: i64, report: &mut Report) -> BuiltIns {
        let mut rules = Vec::new();
        let mut inhibitions = Vec::new();
        for alert in table {
            let position = self.0.get(alert.name).map(|raw| raw.position).unwrap_or_default();
            let raw = self.0.remove(alert.name).unwrap_or_default().value;
            if let (Some(above), None) = (&raw.above, alert.above_ms) {
                report.error(above, format_args!("{} has no bound that could be set with above", alert.name));
            }
            if raw.enabled == Some(false) {
                continue;
            }
            let above_ms = raw.above.map(|above| above.0).or(alert.above_ms).unwrap_or(0);
            let for_ms = raw.r#for.map_or(alert.for_ms, |d| d.0);
            let mut labels = raw.labels;
            labels.entry("severity".to_owned()).or_insert(raw.severity.unwrap_or_else(|| alert.severity.to_owned()));
            let rule = json!({
                "alert": alert.name,
                "expr": alert.expr.replace("$above", &(above_ms as f64 / 1000.0).to_string()),
                "for": format_duration(for_ms),
                "labels": labels,
                "annotations": { "summary": alert.summary, "description": alert.description },
            });
            match check(&[&rule], interval_ms) {
                Ok(_) => rules.push(rule),
                Err(errors) => report.error(position, errors.to_string()),
            }
            inhibitions.extend(alert.inhibits.iter().map(|inhibited| inhibition(alert.name, inhibited)));
        }
        for (name, raw) in self.0 {
            let known: Vec<&str> = table.iter().map(|alert| alert.name).collect();
            let known = known.join(", ");
            report.error(&raw, format_args!("no alert with the name {name:?} is built in; there are: {known}"));
        }
        let rules = check(&rules.iter().collect::<Vec<_>>(), interval_ms).unwrap_or_default(); // each was checked
        BuiltIns { rules, inhibitions }
    }
}

/// A group of these rules, by the way that any file goes: JSON is YAML.
fn check(rules: &[&serde_json::Value], interval_ms: i64) -> Result<RuleSet, config::Errors> {
    if rules.is_empty() {
        return Ok(RuleSet::default());
    }
    let text = json!({ "groups": [{ "name": "watershed", "rules": rules }] }).to_string();
    RuleSet::check(Path::new(BUILT_IN), &text, GroupDefaults { interval_ms, ..GroupDefaults::default() })
}

fn inhibition(source: &str, inhibited: &Inhibited) -> Inhibition {
    let regex = |op, names: &str| Matcher::new(op, ALERT_NAME, names).ok();
    let target = match inhibited.alerts {
        [] => regex(MatchOp::NotEqual, source),
        alerts => regex(MatchOp::Regex, &alerts.join("|")),
    };
    let has = inhibited.equal.iter().filter_map(|name| Matcher::new(MatchOp::NotEqual, name, "").ok());
    Inhibition {
        source: [Matcher::equal(ALERT_NAME, source)].into_iter().chain(has).collect(),
        target: target.into_iter().collect(),
        equal: inhibited.equal.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<BuiltIn> {
        let lagging = BuiltIn {
            name: "ShardLagging",
            expr: "lag > $above".to_owned(),
            above_ms: Some(90_000),
            for_ms: 60_000,
            severity: "warning",
            summary: "behind",
            description: "{{ $value }}",
            inhibits: Vec::new(),
        };
        let equal = vec!["cluster".to_owned()];
        let inhibits = vec![
            Inhibited { alerts: &["ShardLagging"], equal: vec!["shard".to_owned()] },
            Inhibited { alerts: &[], equal },
        ];
        vec![
            BuiltIn { name: "ShardDown", expr: "up == 0".to_owned(), above_ms: None, inhibits, ..lagging.clone() },
            lagging,
        ]
    }

    fn validate(text: &str) -> Result<BuiltIns, String> {
        let raw: RawBuiltIns = config::load(text, "global.yml").map_err(|errors| errors.to_string())?;
        let mut report = Report::new("global.yml");
        let built_ins = raw.validate(&table(), 15_000, &mut report);
        report.finish(built_ins).map_err(|errors| errors.to_string())
    }

    #[test]
    fn rules_are_there_unwritten_and_change_as_written() {
        let check = |text: &str, want: &[&str]| {
            let built_ins = validate(text).expect(text);
            let rules = built_ins.rules.groups.iter().flat_map(|group| &group.rules);
            let of = |rule: &rules::Rule| {
                let alerting = rule.alerting().expect("an alert");
                format!("{} {} {} {}", rule.name, rule.query, alerting.for_ms / 1000, rule.label_sources())
            };
            assert_eq!(rules.map(of).collect::<Vec<_>>(), want, "{text}");
        };
        let down = r#"ShardDown up == 0 60 {severity="warning"}"#;
        check("{}", &[down, r#"ShardLagging lag > 90 60 {severity="warning"}"#]);
        check("ShardLagging: {enabled: false}", &[down]);
        check(
            "ShardLagging: {above: 500ms, for: 0s, severity: page, labels: {team: a}}",
            &[down, r#"ShardLagging lag > 0.5 0 {severity="page", team="a"}"#],
        );
        check("{ShardLagging: {enabled: false}, ShardDown: {enabled: false}}", &[]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let check = |text: &str, want: &str| {
            let error = validate(text).expect_err(text);
            assert!(error.contains(want), "{text}: {error}");
        };
        check(
            "ShardDwn: {for: 5m}",
            "global.yml:1:11: no alert with the name \"ShardDwn\" is built in; there are: ShardDown, ShardLagging",
        );
        check("ShardDown: {above: 5m}", "global.yml:1:20: ShardDown has no bound");
        check("ShardDown: {seveerity: x}", "did you mean \"severity\"?");
        check("ShardDown: {labels: {a: '{{ $x'}}", "global.yml:1:12");
    }

    #[test]
    fn what_follows_is_inhibited_where_labels_agree() {
        let [lagging, all] = validate("{}").expect("valid").inhibitions.try_into().expect("two");
        let shown = |matchers: &[Matcher]| matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        assert_eq!(shown(&lagging.source), r#"alertname="ShardDown",shard!="""#);
        assert_eq!(shown(&lagging.target), r#"alertname=~"ShardLagging""#);
        assert_eq!(
            (shown(&all.target), all.equal),
            (r#"alertname!="ShardDown""#.to_owned(), vec!["cluster".to_owned()])
        );
    }
}
