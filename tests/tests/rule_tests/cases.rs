//! Files of tests, and whether they pass.

/// A file with tests and the rules that it names.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) passes: bool,
    pub(crate) rules: &'static str,
    pub(crate) test: &'static str,
}

const fn case(name: &'static str, passes: bool, rules: &'static str, test: &'static str) -> Case {
    Case { name, passes, rules, test }
}

const DOWN: &str = r#"
groups:
  - name: g
    rules:
      - alert: Down
        expr: up == 0
        for: 5m
        labels: {severity: page}
        annotations:
          summary: "{{ $labels.instance }} is down"
"#;

const NOTHING: &str = "groups: []\n";

const TWICE: &str = "groups: [{name: g, rules: [{record: twice, expr: x * 2}]}]\n";

/// What promtool 2.42 takes as well.
pub(crate) const CASES: &[Case] = &[
    case(
        "an alert fires when it has held for long enough",
        true,
        DOWN,
        r#"rule_files: [rules.yml]
tests:
  - name: down
    interval: 1m
    input_series:
      - series: up{instance="a"}
        values: 1 0x10
    alert_rule_test:
      - {eval_time: 5m, alertname: Down}
      - eval_time: 6m
        alertname: Down
        exp_alerts:
          - exp_labels: {severity: page, instance: a}
            exp_annotations: {summary: a is down}
    promql_expr_test:
      - expr: ALERTS
        eval_time: 2m
        exp_samples:
          - {labels: 'ALERTS{alertname="Down", alertstate="pending", instance="a", severity="page"}', value: 1}
      - expr: ALERTS_FOR_STATE
        eval_time: 7m
        exp_samples:
          - {labels: 'ALERTS_FOR_STATE{alertname="Down", instance="a", severity="page"}', value: 60}
"#,
    ),
    case(
        "another annotation",
        false,
        DOWN,
        r#"rule_files: [rules.yml]
tests:
  - name: down
    interval: 1m
    input_series:
      - series: up{instance="a"}
        values: 0x10
    alert_rule_test:

      - eval_time: 5m
        alertname: Down
        exp_alerts:
          - exp_labels: {severity: page, instance: a}
            exp_annotations: {summary: a is away}
"#,
    ),
    case(
        "an alert that was not expected",
        false,
        DOWN,
        r#"rule_files: [rules.yml]
tests:
  - interval: 1m
    input_series: [{series: 'up{instance="a"}', values: 0x10}]
    alert_rule_test: [{eval_time: 5m, alertname: Down}]
"#,
    ),
    case(
        "an alert that did not come",
        false,
        DOWN,
        r#"rule_files: [rules.yml]
tests:
  - interval: 1m
    input_series: [{series: 'up{instance="a"}', values: 0x10}]
    alert_rule_test: [{eval_time: 4m, alertname: Down, exp_alerts: [{exp_labels: {severity: page, instance: a}}]}]
"#,
    ),
    case(
        "a label is missing in what was expected",
        false,
        DOWN,
        r#"rule_files: [rules.yml]
tests:
  - interval: 1m
    input_series: [{series: 'up{instance="a"}', values: 0x10}]
    alert_rule_test:
      - eval_time: 5m
        alertname: Down
        exp_alerts: [{exp_labels: {instance: a}, exp_annotations: {summary: a is down}}]
"#,
    ),
    case(
        "alerts are those of the last evaluation",
        true,
        DOWN,
        r#"rule_files: [rules.yml]
evaluation_interval: 2m
tests:
  - interval: 1m
    input_series: [{series: 'up{instance="a"}', values: 0x20}]
    alert_rule_test:
      - {eval_time: 5m, alertname: Down}
      - {eval_time: 5m59s, alertname: Down}
      - eval_time: 6m
        alertname: Down
        exp_alerts: [{exp_labels: {instance: a, severity: page}, exp_annotations: {summary: a is down}}]
      - eval_time: 7m30s
        alertname: Down
        exp_alerts: [{exp_labels: {instance: a, severity: page}, exp_annotations: {summary: a is down}}]
"#,
    ),
    case(
        "results of rules are series",
        true,
        TWICE,
        r#"rule_files: [rules.yml]
tests:
  - interval: 30s
    input_series:
      - {series: 'x{job="a"}', values: '1+1x20'}
      - {series: 'x{job="b"}', values: '_ 10 stale 5x3'}
    promql_expr_test:
      - expr: twice
        eval_time: 2m
        exp_samples:
          - {labels: 'twice{job="b"}', value: 10}
          - {labels: 'twice{job="a"}', value: 10}
      - expr: twice
        eval_time: 1m
        exp_samples: [{labels: 'twice{job="a"}', value: 6}]
      - expr: count_over_time(x[5m])
        eval_time: 4m
        exp_samples: [{labels: '{job="a"}', value: 9}, {labels: '{job="b"}', value: 5}]
"#,
    ),
    case(
        "another value",
        false,
        NOTHING,
        r#"tests:
  - interval: 1m
    input_series:
      - {series: 'x{job="a"}', values: 1 2}
      - series: x{job="b"}
        values: 3 4
    promql_expr_test:

      - expr: sum by (job) (x)
        eval_time: 1m
        exp_samples:
          - {labels: '{job="a"}', value: 2}
          - {labels: '{job="b"}', value: 5}
"#,
    ),
    case(
        "the last bit counts",
        false,
        NOTHING,
        r#"tests:
  - interval: 1m
    input_series: [{series: x, values: 0.1}, {series: y, values: 0.2}]
    promql_expr_test: [{expr: x + on () y, eval_time: 0, exp_samples: [{labels: '{}', value: 0.3}]}]
"#,
    ),
    case(
        "a number has no labels",
        true,
        NOTHING,
        r#"tests:
  - input_series: []
    promql_expr_test:
      - {expr: time(), eval_time: 90s, exp_samples: [{labels: '{}', value: 90}]}
      - {expr: 1e3, eval_time: 0, exp_samples: [{value: 1000}]}
      - {expr: nothing, eval_time: 5m}
"#,
    ),
    case("nothing to test", true, NOTHING, "rule_files: [rules.yml]\ntests: []\n"),
    case(
        "what is not a number is equal to nothing",
        false,
        NOTHING,
        "tests: [{promql_expr_test: [{expr: 0 / 0, eval_time: 0, exp_samples: [{labels: '{}', value: .nan}]}]}]\n",
    ),
    case(
        "infinity",
        true,
        NOTHING,
        "tests: [{promql_expr_test: [{expr: -1 / 0, eval_time: 0, exp_samples: [{labels: '{}', value: -.inf}]}]}]\n",
    ),
    case(
        "groups have an order",
        true,
        r#"groups:
  - {name: second, rules: [{record: b, expr: a + 1}]}
  - {name: first, rules: [{record: a, expr: x}]}
"#,
        r#"rule_files: [rules.yml]
group_eval_order: [first, second]
tests:
  - interval: 1m
    input_series: [{series: x, values: 1 2 3}]
    promql_expr_test: [{expr: b, eval_time: 2m, exp_samples: [{labels: b, value: 4}]}]
"#,
    ),
    case(
        "groups have the other order",
        false,
        r#"groups:
  - {name: second, rules: [{record: b, expr: a + 1}]}
  - {name: first, rules: [{record: a, expr: x}]}
"#,
        r#"rule_files: [rules.yml]
group_eval_order: [second, first]
tests:
  - interval: 1m
    input_series: [{series: x, values: 1 2 3}]
    promql_expr_test: [{expr: b, eval_time: 2m, exp_samples: [{labels: b, value: 4}]}]
"#,
    ),
    case(
        "a rule sees those before it in its group",
        true,
        "groups: [{name: g, rules: [{record: a, expr: x}, {record: b, expr: a + 1}, {alert: C, expr: b > 3}]}]\n",
        r#"rule_files: [r*.yml]
tests:
  - interval: 1m
    input_series: [{series: x, values: 1 2 3}]
    promql_expr_test: [{expr: b, eval_time: 2m, exp_samples: [{labels: b, value: 4}]}]
    alert_rule_test: [{eval_time: 2m, alertname: C, exp_alerts: [{}]}, {eval_time: 1m, alertname: C}]
"#,
    ),
    case(
        "templates know where they are",
        true,
        r#"groups:
  - name: g
    rules:
      - alert: A
        expr: x > 1
        labels: {cluster: '{{ $externalLabels.cluster }}'}
        annotations:
          url: '{{ $externalURL }}/graph'
          value: '{{ $value | humanize }} of {{ with query "sum(x)" }}{{ . | first | value }}{{ end }}'
"#,
        r#"rule_files: [rules.yml]
tests:
  - interval: 1m
    external_labels: {cluster: eu-1}
    external_url: http://here:9090
    input_series: [{series: 'x{i="1"}', values: 1 2000}, {series: 'x{i="2"}', values: 1 1}]
    alert_rule_test:
      - eval_time: 1m
        alertname: A
        exp_alerts:
          - exp_labels: {cluster: eu-1, i: 1}
            exp_annotations: {url: http://here:9090/graph, value: 2k of 2001}
"#,
    ),
    case(
        "an alert goes on firing",
        true,
        "groups: [{name: g, rules: [{alert: A, expr: x > 0, keep_firing_for: 3m}]}]\n",
        r#"rule_files: [rules.yml]
tests:
  - interval: 1m
    input_series: [{series: x, values: 1 0x10}]
    alert_rule_test:
      - {eval_time: 3m, alertname: A, exp_alerts: [{}]}
      - {eval_time: 4m, alertname: A}
"#,
    ),
    case(
        "alerts of one name come from several rules",
        true,
        "groups: [{name: g, rules: [{alert: A, expr: x > 0}]}, {name: h, rules: [{alert: A, expr: y > 0}]}]\n",
        r#"rule_files: [rules.yml]
tests:
  - interval: 1m
    input_series: [{series: 'x{a="1"}', values: 1}, {series: 'y{b="2"}', values: 1}]
    alert_rule_test: [{eval_time: 0, alertname: A, exp_alerts: [{exp_labels: {b: "2"}}, {exp_labels: {a: "1"}}]}]
"#,
    ),
    case(
        "what a rule can't store",
        false,
        "groups: [{name: g, rules: [{record: x, expr: vector(7)}]}]\n",
        r#"rule_files: [rules.yml]
tests:
  - interval: 1m
    input_series: [{series: x, values: 1 2}]
    promql_expr_test: [{expr: x, eval_time: 1m, exp_samples: [{labels: x, value: 2}]}]
"#,
    ),
    case(
        "a rule that fails",
        false,
        "groups: [{name: g, rules: [{record: a, expr: 'x * on () y'}]}]\n",
        r#"rule_files: [rules.yml]
tests:
  - interval: 1m
    input_series: [{series: 'x{a="1"}', values: 1}, {series: 'x{a="2"}', values: 1}, {series: y, values: 1}]
    promql_expr_test: [{expr: y, eval_time: 0, exp_samples: [{labels: y, value: 1}]}]
"#,
    ),
    case(
        "a range vector is no result",
        false,
        NOTHING,
        "tests: [{promql_expr_test: [{expr: 'x[5m]', eval_time: 0}]}]\n",
    ),
    case("a query that is none", false, NOTHING, "tests: [{promql_expr_test: [{expr: 'sum(', eval_time: 0}]}]\n"),
    case(
        "one of two tests fails",
        false,
        TWICE,
        r#"rule_files: [rules.yml]
tests:
  - name: good
    input_series: [{series: x, values: 1 1 1}]
    promql_expr_test: [{expr: twice, eval_time: 1m, exp_samples: [{labels: twice, value: 2}]}]
  - name: bad
    input_series: [{series: x, values: 1 1 1}]
    promql_expr_test: [{expr: twice, eval_time: 1m, exp_samples: [{labels: twice, value: 3}]}]
"#,
    ),
    case(
        "values that are none",
        false,
        NOTHING,
        r#"tests:
  - interval: 1m
    input_series:
      - series: x
        values: "1 2+3x3 four"
"#,
    ),
    case("an unknown key", false, NOTHING, "tests:\n  - interval: 1m\n    inputs: []\n"),
    case(
        "an expression that is none",
        false,
        "groups:\n  - name: g\n    rules:\n      - record: a\n        expr: sum(\n",
        "rule_files: [rules.yml]\ntests: [{promql_expr_test: [{expr: '1', eval_time: 0, exp_samples: [{value: 1}]}]}]\n",
    ),
    case(
        "an alert without a name",
        false,
        NOTHING,
        "rule_files: [rules.yml]\ntests:\n  - interval: 1m\n    alert_rule_test:\n\n      - eval_time: 1m\n",
    ),
    case(
        "a repeated group in the order",
        false,
        NOTHING,
        "rule_files: [rules.yml]\ngroup_eval_order: [a, b, a]\ntests: []\n",
    ),
];

/// What came with later versions.
pub(crate) const NEWER: &[Case] = &[
    case(
        "the last bit does not count",
        true,
        NOTHING,
        r#"fuzzy_compare: true
tests:
  - interval: 1m
    input_series: [{series: x, values: 0.1}, {series: y, values: 0.2}]
    promql_expr_test: [{expr: x + on () y, eval_time: 0, exp_samples: [{labels: '{}', value: 0.3}]}]
"#,
    ),
    case(
        "a test begins when it says",
        true,
        DOWN,
        r#"rule_files: [rules.yml]
tests:
  - start_timestamp: 2021-01-01T00:00:00Z
    interval: 1m
    input_series: [{series: 'up{instance="a"}', values: 1 0x10}]
    promql_expr_test:
      - {expr: time(), eval_time: 1m, exp_samples: [{value: 1609459260}]}
      - expr: ALERTS_FOR_STATE
        eval_time: 2m
        exp_samples:
          - {labels: 'ALERTS_FOR_STATE{alertname="Down", instance="a", severity="page"}', value: 1609459260}
    alert_rule_test:
      - eval_time: 6m
        alertname: Down
        exp_alerts: [{exp_labels: {severity: page, instance: a}, exp_annotations: {summary: a is down}}]
  - start_timestamp: 1609459200
    promql_expr_test: [{expr: year(), eval_time: 0, exp_samples: [{value: 2021}]}]
"#,
    ),
];
