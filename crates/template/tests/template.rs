//! Rule templates as people write them, many of them the examples of Prometheus's documentation.

use std::sync::Arc;

use model::{Buckets, FloatHistogram, Labels, Span, Timestamp};
use template::{Context, RuleData, Template, Value};

/// `metric{instance="a"} 11` and `metric{instance="b"} 21`, the latter first, for every query but a few.
fn answers(query: &str, time: Timestamp) -> Result<Vec<(Labels, f64)>, String> {
    let sample = |instance: &str, value| {
        (Labels::from_pairs([("__name__", "metric"), ("instance", instance), ("__value__", "text")]), value)
    };
    match query {
        "metric" => Ok(vec![sample("b", 21.0), sample("a", 11.0)]),
        "time()" => Ok(vec![(Labels::empty(), time.as_secs_f64())]),
        "none" => Ok(vec![]),
        _ => Err(format!("cannot answer {query}")),
    }
}

fn context() -> Context {
    Context {
        external_url: "http://testhost:9090/path/prefix".to_owned(),
        time: Timestamp::from_ms(1_435_065_584_128),
        query: Arc::new(answers),
    }
}

fn expand(text: &str, value: f64) -> String {
    let labels = Labels::from_pairs([("instance", "host.example.com:9100"), ("job", "node"), ("quoted", "a\"b<c>")]);
    let external_labels = Labels::from_pairs([("cluster", "eu-1"), ("replica", "a")]);
    let data = RuleData { labels: &labels, external_labels: &external_labels, value, histogram: None };
    match Template::parse_for_rule("__alert_Test", text) {
        Ok(template) => template.expand_for_rule(&data, &context()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn data_of_an_alert() {
    let check = |text: &str, want: &str| assert_eq!(expand(text, 0.5), want, "{text}");
    check("plain text", "plain text");
    check("", "");
    check("Instance {{ $labels.instance }} down", "Instance host.example.com:9100 down");
    check("{{ .Labels.job }} {{ .Value }} {{ .ExternalURL }}", "node 0.5 http://testhost:9090/path/prefix");
    check(
        "{{ $externalLabels.cluster }}/{{ .ExternalLabels.replica }} {{ $externalURL }}",
        "eu-1/a http://testhost:9090/path/prefix",
    );
    check("{{ $labels.quoted }}", "a\"b<c>");
    check("{{ range $k, $v := $externalLabels }}{{ $k }}={{ $v }};{{ end }}", "cluster=eu-1;replica=a;");
    check("{{ $externalLabels }}", "map[cluster:eu-1 replica:a]");
    check("{{ with $labels }}{{ .job }}{{ end }}", "node");
    check("{{ if gt $value 0.4 }}high{{ else }}low{{ end }}", "high");
    check("{{ printf \"%.2f\" $value }}", "0.50");
    check("{{- /* nothing */ -}} x", "x");
    check(
        "{{ $x := 1 }}{{ if $x }}{{ $x = 2 }}{{ end }}{{ $x }}{{ range $i, $e := .Labels }}{{ $i }} {{ end }}",
        "2instance job quoted ",
    );
    check("{{ printf \"%v %s|%d|%5.1f\" 1e6 \"s\" 3 $value }} {{ println 1e6 \"a\" }}", "1e+06 s|3|  0.5 1e+06 a\n");
}

#[test]
fn a_native_histogram_is_printed() {
    let (labels, buckets) =
        (Labels::empty(), Buckets { positive_spans: vec![Span { offset: 1, length: 1 }], ..Buckets::default() });
    let histogram = FloatHistogram { count: 3.0, sum: 4.5, positive: vec![3.0], buckets, ..FloatHistogram::default() };
    let data = RuleData { labels: &labels, external_labels: &labels, value: 0.0, histogram: Some(&histogram) };
    let template = Template::parse_for_rule("__alert_Test", "is {{ $value }}").expect("a template");
    assert_eq!(template.expand_for_rule(&data, &context()), "is {count:3, sum:4.5, (1,2]:3}");
}

#[test]
fn a_missing_label_is_empty_everywhere() {
    let check = |text: &str, want: &str| assert_eq!(expand(text, 1.0), want, "{text}");
    check("[{{ $labels.missing }}]", "[]");
    check("[{{ .Labels.missing }}]", "[]");
    check("[{{ $labels.missing | toUpper }}]", "[]");
    check("[{{ toUpper $labels.missing }}]", "[]");
    check("[{{ (.Labels).missing }}]", "[]");
    check("[{{ index $labels \"missing\" }}]", "[]");
    check("[{{ index .Labels \"job\" }}]", "[node]");
    check("{{ if eq $labels.missing \"\" }}empty{{ end }}", "empty");
    check("{{ if $labels.missing }}there{{ else }}absent{{ end }}", "absent");
    check("{{ len $labels.missing }}", "0");
    check("{{ printf \"%q\" $labels.missing }}", "\"\"");
    check("{{ len $labels }}", "3");
}

#[test]
fn numbers_print_as_in_go() {
    let check = |value: f64, want: &str| {
        assert_eq!(expand("{{ $value }}", value), want);
        assert_eq!(expand("{{ .Value }}", value), want);
        assert_eq!(expand("{{ print $value }}", value), want);
        assert_eq!(expand("{{ printf \"%v\" $value }}", value), want);
    };
    check(1.0, "1");
    check(0.1, "0.1");
    check(1e6, "1e+06");
    check(123_456_789.0, "1.23456789e+08");
    check(1e-7, "1e-07");
    check(-2.5, "-2.5");
    check(f64::INFINITY, "+Inf");
    check(f64::NEG_INFINITY, "-Inf");
    check(f64::NAN, "NaN");
}

#[test]
fn humanize_and_kin() {
    let check = |function: &str, cases: &[(f64, &str)]| {
        for (value, want) in cases {
            assert_eq!(expand(&format!("{{{{ {function} $value }}}}"), *value), *want, "{function} {value}");
            assert_eq!(expand(&format!("{{{{ $value | {function} }}}}"), *value), *want, "{function} {value}");
        }
    };
    check(
        "humanize",
        &[
            (0.0, "0"),
            (1.0, "1"),
            (1_234_567.0, "1.235M"),
            (0.12, "120m"),
            (999.0, "999"),
            (1000.0, "1k"),
            (-1_500_000_000.0, "-1.5G"),
            (1e30, "1e+06Y"),
            (0.000_012, "12u"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
        ],
    );
    check(
        "humanize1024",
        &[
            (0.0, "0"),
            (1.0, "1"),
            (1_048_576.0, "1Mi"),
            (0.12, "0.12"),
            (1025.0, "1.001ki"),
            (-2048.0, "-2ki"),
            (f64::NEG_INFINITY, "-Inf"),
        ],
    );
    check(
        "humanizeDuration",
        &[
            (0.0, "0s"),
            (1.0, "1s"),
            (60.0, "1m 0s"),
            (3600.0, "1h 0m 0s"),
            (86_400.0, "1d 0h 0m 0s"),
            (86_400.0 + 2.0 * 3600.0 + 3.0 * 60.0 + 4.5, "1d 2h 3m 4s"),
            (899.99, "14m 59s"),
            (12.345_67, "12.35s"),
            (-1.0, "-1s"),
            (-60.0, "-1m 0s"),
            (0.1, "100ms"),
            (0.000_1, "100us"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
        ],
    );
    check("humanizePercentage", &[(0.1234, "12.34%"), (-0.22222, "-22.22%"), (0.0, "0%"), (1.0, "100%")]);
    check(
        "humanizeTimestamp",
        &[
            (1_435_065_584.128, "2015-06-23 13:19:44.128 +0000 UTC"),
            (0.0, "1970-01-01 00:00:00 +0000 UTC"),
            (f64::NAN, "NaN"),
        ],
    );
    check("toTime", &[(1_435_065_584.5, "2015-06-23 13:19:44.5 +0000 UTC")]);
    let check = |text: &str, want: &str| assert_eq!(expand(text, 1.0), want, "{text}");
    check("{{ humanize \"1234567\" }}", "1.235M");
    check("{{ humanize 5 }}", "5");
    check("{{ parseDuration \"1h2m10ms\" }}", "3720.01");
    check("{{ now }}", "1.435065584128e+09");
}

#[test]
fn text_functions() {
    let check = |text: &str, want: &str| assert_eq!(expand(text, 1.0), want, "{text}");
    check("{{ \"aa bb CC\" | title }}", "Aa Bb CC");
    check("{{ \"aB\" | toUpper }}{{ \"aB\" | toLower }}", "ABab");
    check("{{ match \"[a-z]+\" \"aa\" }} {{ match \"a\" \"b\" }}", "true false");
    check("{{ reReplaceAll \"(a)b\" \"x$1\" \"ab\" }}", "xa");
    check("{{ reReplaceAll \"(?P<first>[^.]+)[.].*\" \"${first}!\" $labels.instance }}", "host!");
    check("{{ reReplaceAll \"b\" \"-\" \"abcb\" }}", "a-c-");
    check("{{ $labels.instance | stripPort }} {{ $labels.instance | stripDomain }}", "host.example.com host:9100");
    check("{{ \"up{job=\\\"a b\\\"}\" | tableLink }}", "/graph?g0.expr=up%7Bjob%3D%22a+b%22%7D&g0.tab=1");
    check("{{ \"up\" | graphLink }}", "/graph?g0.expr=up&g0.tab=0");
    check("{{ \"<b>\" | safeHtml }}", "<b>");
    check("{{ externalURL }} {{ pathPrefix }}", "http://testhost:9090/path/prefix /path/prefix");
}

#[test]
fn queries() {
    let check = |text: &str, want: &str| assert_eq!(expand(text, 1.0), want, "{text}");
    check("{{ query \"metric\" | first | value }}", "21");
    check("{{ query \"metric\" | first | label \"instance\" }}", "b");
    check("{{ query \"metric\" | first | strvalue }}", "text");
    check("{{ with query \"metric\" }}{{ . | first | value | humanize }}{{ end }}", "21");
    check("{{ with query \"none\" }}some{{ else }}none{{ end }}", "none");
    check(
        "{{ range query \"metric\" | sortByLabel \"instance\" }}{{ .Labels.instance }}:{{ .Value }}: {{ end }}",
        "a:11: b:21: ",
    );
    check("{{ (query \"metric\" | first).Labels.instance }}", "b");
    check("{{ (query \"metric\" | first).Value }}", "21");
    check("{{ query \"time()\" | first | value | humanizeTimestamp }}", "2015-06-23 13:19:44.128 +0000 UTC");
    check("{{ len (query \"metric\") }}", "2");
    assert!(Template::parse_for_rule("x", "{{ query \"up\" }}").is_ok_and(|t| t.uses_query()));
    assert!(Template::parse_for_rule("x", "{{ $value }}").is_ok_and(|t| !t.uses_query()));
}

#[test]
fn templates_within_templates() {
    let check = |text: &str, want: &str| assert_eq!(expand(text, 1.0), want, "{text}");
    check("{{ define \"x\" }}<{{ . }}>{{ end }}{{ template \"x\" \"y\" }}", "<y>");
    check("{{ define \"x\" }}{{ .arg0 }}-{{ .arg1 }}{{ end }}{{ template \"x\" (args 1 \"two\") }}", "1-two");
    check("{{ define \"x\" }}<{{ .job }}{{ .nope }}>{{ end }}{{ tmpl \"x\" $labels }}", "<node>");
    check("{{ $name := \"x\" }}{{ define \"x\" }}hi{{ end }}{{ tmpl $name . | toUpper }}", "HI");
}

#[test]
fn what_fails_says_so() {
    let check = |text: &str, want: &str| assert_eq!(expand(text, 1.0), want, "{text}");
    check(
        "{{ query \"boom\" }}",
        "<error expanding template: error executing template __alert_Test: template: __alert_Test: error calling query: cannot answer boom>",
    );
    check(
        "{{ query \"none\" | first }}",
        "<error expanding template: error executing template __alert_Test: template: __alert_Test: error calling first: first() called on vector with no elements>",
    );
    check(
        "{{ .Nope }}",
        "<error expanding template: error executing template __alert_Test: template: __alert_Test: error calling field: can't evaluate field Nope in type template.AlertTemplateData>",
    );
    check(
        "{{ humanize }}",
        "<error expanding template: error executing template __alert_Test: template: __alert_Test: error calling humanize: wrong number of args for humanize: want 1 got 0>",
    );
    let starts = |text: &str, want: &str| {
        let got = expand(text, 1.0);
        assert!(got.starts_with(want), "{text}: {got}");
    };
    starts("a {{ $labels.instance ", "error parsing template __alert_Test: template: __alert_Test:1:");
    starts(
        "a {{ nonsense 1 }}",
        "error parsing template __alert_Test: template: __alert_Test: function \"nonsense\" not defined",
    );
    starts("a {{ $nope }}", "error parsing template __alert_Test: template: __alert_Test:1:");
    starts(
        "{{ if 1 }}{{ $x := 1 }}{{ end }}\n{{ $x }}",
        "error parsing template __alert_Test: template: __alert_Test:2: undefined variable \"$x\"",
    );
    starts("{{ $x = 1 }}", "error parsing template __alert_Test: template: __alert_Test:1: undefined variable \"$x\"");
    starts(
        "{{ define \"d\" }}{{ $value }}{{ end }}",
        "error parsing template __alert_Test: template: __alert_Test:1: undefined variable \"$value\"",
    );
    starts("{{ humanize \"x\" }}", "<error expanding template: ");
    starts("{{ define \"x\" }}{{ tmpl \"x\" . }}{{ end }}{{ tmpl \"x\" . }}", "<error expanding template: ");
}

#[test]
fn any_data_can_be_given() {
    let template = Template::parse("t", "{{ .a }} {{ .b }}").expect("a template");
    let data = Value::from(vec![Value::Int(1)]);
    assert!(template.expand(&data, &context()).is_err());
    let data: std::collections::BTreeMap<String, Value> = [("a".to_owned(), Value::Int(1))].into();
    assert_eq!(template.expand(&Value::from(data), &context()).as_deref(), Ok("1 <no value>"));
}
