//! Rule files: what is accepted, what is refused, and where errors are said to be.

use std::fs;
use std::path::{Path, PathBuf};

use promql::ParseOptions;
use rules::{GroupDefaults, RuleKind, RuleSet};

fn defaults() -> GroupDefaults {
    GroupDefaults { interval_ms: 30_000, ..GroupDefaults::default() }
}

fn check(text: &str) -> Result<RuleSet, String> {
    RuleSet::check(Path::new("r.yml"), text, defaults()).map_err(|e| e.to_string())
}

#[test]
fn reads_everything_that_a_rule_file_can_say() {
    let set = check(
        r#"
groups:
  - name: api
    interval: 1m
    limit: 10
    query_offset: 30s
    labels: {team: web, severity: info, level: 3}
    rules:
      - record: job:requests:rate5m
        expr: sum by (job) (rate(requests_total[5m]))
        labels: {kind: rate}
      - alert: HighErrors
        expr: |
          job:errors:ratio > 0.1
        for: 10m
        keep_firing_for: 5m
        labels: {severity: page, empty: ""}
        annotations:
          summary: "{{ $labels.job }} has {{ $value | humanizePercentage }} errors"
          nothing:
  - name: defaults
    rules:
      - alert: Always
        expr: vector(1)
  - name: empty
"#,
    )
    .expect("a good file");
    let [api, defaults, empty] = &set.groups[..] else { panic!("three groups") };
    assert_eq!((api.name.as_str(), api.interval_ms, api.limit, api.query_offset_ms), ("api", 60_000, 10, 30_000));
    assert_eq!(api.key(), "r.yml;api");
    let labels: Vec<String> = api.rules.iter().map(|rule| rule.label_sources().to_string()).collect();
    assert_eq!(
        labels,
        [
            "{kind=\"rate\", level=\"3\", severity=\"info\", team=\"web\"}",
            "{level=\"3\", severity=\"page\", team=\"web\"}"
        ]
    );
    assert_eq!(api.rules[0].query, "sum by (job) (rate(requests_total[5m]))");
    assert_eq!(api.rules[0].kind, RuleKind::Recording);
    let alerting = api.rules[1].alerting().expect("an alert");
    assert_eq!((alerting.for_ms, alerting.keep_firing_for_ms), (600_000, 300_000));
    assert_eq!(alerting.annotations.len(), 2);
    assert_eq!((defaults.interval_ms, defaults.limit, defaults.query_offset_ms), (30_000, 0, 0));
    assert!(empty.rules.is_empty());
    assert_eq!(check("").expect("an empty file").groups.len(), 0);
}

/// `file:line:column` of the first place where `part` stands in `text`.
fn place(text: &str, part: &str) -> String {
    let at = text.find(part).expect("a part of the text");
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    format!("r.yml:{}:{}", text[..at].matches('\n').count() + 1, text[line_start..at].chars().count() + 1)
}

#[test]
fn says_what_is_wrong_and_where() {
    // Each error stands where the given part of the text does.
    let errors = |text: &str, want: &[(&str, &str)]| {
        let got = check(text).expect_err(text);
        let got: Vec<&str> = got.lines().collect();
        assert_eq!(got.len(), want.len(), "{text}\n{got:#?}");
        for (got, (part, message)) in got.iter().zip(want) {
            let want = format!("{}: {message}", place(text, part));
            assert!(got.starts_with(&want), "{text}\n got {got}\nwant {want}");
        }
    };
    let rule = |rule: &str| format!("groups:\n- name: g\n  rules:\n  - {rule}\n");
    errors("groups:\n- nam: g\n", &[("nam", "unknown key \"nam\", did you mean \"name\"?")]);
    errors(&rule("{record: a, expr: b, fro: 5m}"), &[("fro", "unknown key \"fro\", did you mean \"for\"?")]);
    errors("groups:\n- rules: []\n", &[("rules", "Groupname must not be empty")]);
    errors("groups:\n- name: ''\n", &[("''", "Groupname must not be empty")]);
    errors(&rule("{expr: a}"), &[("{expr", "group \"g\", rule 1: one of 'record' or 'alert' must be set")]);
    errors(
        &rule("{record: a, alert: b, expr: a}"),
        &[("{record", "group \"g\", rule 1: only one of 'record' and 'alert' must be set")],
    );
    errors(&rule("{record: a}"), &[("{record", "group \"g\", rule 1, \"a\": field 'expr' must be set in rule")]);
    errors(
        &rule("{record: a, expr: ' '}"),
        &[("{record", "group \"g\", rule 1, \"a\": field 'expr' must be set in rule")],
    );
    errors(
        &rule("{record: 'a{b=\"c\"}', expr: b}"),
        &[("'a{", "group \"g\", rule 1, \"a{b=\\\"c\\\"}\": braces present in the recording rule name")],
    );
    errors(
        &rule("{record: a, expr: b, for: 5m, annotations: {x: y}, keep_firing_for: 1m}"),
        &[
            ("5m", "group \"g\", rule 1, \"a\": invalid field 'for' in recording rule"),
            ("y}", "group \"g\", rule 1, \"a\": invalid field 'annotations' in recording rule"),
            ("1m", "group \"g\", rule 1, \"a\": invalid field 'keep_firing_for' in recording rule"),
        ],
    );
    errors(&rule("{record: a, expr: b, for: 5}"), &[("5}", "not a valid duration string: \"5\"")]);
    errors(
        &rule("{record: a, expr: b, labels: {__name__: c}}"),
        &[("c}", "group \"g\", rule 1, \"a\": invalid label name: \"__name__\"")],
    );
    let in_alert = "group \"g\", rule 1, \"a\"";
    errors(
        &rule("{alert: a, expr: b, labels: {c: '{{ $nope }}'}, annotations: {d: '{{ nope }}'}}"),
        &[
            (
                "'{{ $nope",
                &format!(
                    "{in_alert}: label \"c\": error parsing template __alert_a: template: __alert_a:1: undefined variable \"$nope\""
                ),
            ),
            (
                "'{{ nope",
                &format!(
                    "{in_alert}: annotation \"d\": error parsing template __alert_a: template: __alert_a: function \"nope\" not defined"
                ),
            ),
        ],
    );
    errors("groups: 5\n", &[("5", "a list was expected")]);
    let repeated = "groups:\n- name: g\n- name: h\n- name: g\n";
    assert_eq!(check(repeated), Err("r.yml:4:9: groupname: \"g\" is repeated in the same file".to_owned()));
    assert!(check("groups:\n- name: g\n  rules: [\n").is_err_and(|e| e.starts_with("r.yml:")));
}

#[test]
fn errors_in_expressions_are_placed_inside_them() {
    let place = |text: &str, want: &str| {
        let got = check(text).expect_err(text);
        assert!(
            got.starts_with(&format!("r.yml:{want}: group \"g\", rule 1, \"a\": could not parse expression: ")),
            "{text}\n{got}"
        );
    };
    let rule = |expr: &str| format!("groups:\n- name: g\n  rules:\n  - record: a\n    expr: {expr}\n");
    place(&rule("sum(up) nonsense"), "5:19");
    place(&rule("'sum(up) nonsense'"), "5:20");
    place(&rule("|\n      sum(\n        up nonsense\n      )\n"), "7:12");
    place(&rule(">-\n      sum(\n        up nonsense\n      )\n"), "7:12");
    place(&rule("sum(up)\n      nonsense"), "6:7");
}

#[test]
fn every_error_of_every_file_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let bad = |count: usize| format!("groups:\n- name: g\n  rules:\n{}", "  - {record: a}\n".repeat(count));
    fs::write(path("a.yml"), bad(2)).expect("written");
    fs::write(path("b.yml"), bad(1)).expect("written");
    fs::write(path("good.yaml"), "groups: [{name: g, rules: [{record: a, expr: b}]}]").expect("written");
    let load = |patterns: &[&str]| {
        let patterns: Vec<PathBuf> = patterns.iter().map(|p| path(p)).collect();
        RuleSet::load(&patterns, defaults())
    };
    assert_eq!(load(&["*.yml"]).expect_err("bad files").0.len(), 3);
    assert_eq!(load(&["good.yaml", "*.yaml", "g??d.yaml"]).expect("a good file, once").groups.len(), 1);
    assert_eq!(load(&["none*.yml", "missing.yml"]).expect("no file").groups.len(), 0);
    let error = load(&["a[.yml"]).expect_err("no pattern").to_string();
    assert!(error.contains("a[.yml: invalid pattern"), "{error}");
}

#[test]
fn expressions_may_use_what_of_the_language_is_on() {
    let text =
        "groups: [{name: g, rules: [{record: r, expr: 'rate(a[5m * 2])'}, {record: s, expr: 'a + fill (0) b'}]}]";
    let check = |language: ParseOptions| {
        let defaults = GroupDefaults { language, ..defaults() };
        RuleSet::check(Path::new("r.yml"), text, defaults).map_err(|errors| errors.0.len())
    };
    assert_eq!(check(ParseOptions::default()).map(|set| set.groups.len()), Err(2));
    let fill = ParseOptions { fill_modifiers: true, ..ParseOptions::default() };
    assert_eq!(check(fill).map(|set| set.groups.len()), Err(1));
    assert_eq!(check(ParseOptions::everything()).map(|set| set.groups[0].rules.len()), Ok(2));
}
