use std::path::Path;

use model::Labels;

use super::*;

fn load(text: &str) -> Result<Config, Errors> {
    Config::load(text, config::Report::new("/etc/alert/alertmanager.yml"))
}

/// A tree with three levels, `continue`, both grammars of matchers and the older maps.
const TREE: &str = r#"
route:
  receiver: default
  group_by: [alertname]
  routes:
    - receiver: all-critical
      matchers: [severity="critical"]
      continue: true
    - receiver: db
      match: {service: db}
      group_wait: 1s
      routes:
        - receiver: db-owner
          match_re: {owner: "team-.*"}
          group_by: ['...']
        - matchers: ['"größe" = "7"']
          repeat_interval: 1h
    - receiver: api
      matchers: ['{service="api", stage!="test"}', 'zone=~eu.*']
receivers: [{name: default}, {name: all-critical}, {name: db}, {name: db-owner}, {name: api}]
"#;

#[test]
fn an_alert_finds_its_receivers() {
    let config = load(TREE).unwrap();
    let check = |labels: &[(&str, &str)], want: &[&str]| {
        let labels = Labels::from_pairs(labels.iter().copied());
        let routes = config.routes.matching(&labels);
        let receivers: Vec<&str> = routes.iter().map(|id| config.routes.get(*id).receiver.as_str()).collect();
        assert_eq!(receivers, want, "{labels}");
    };
    check(&[("alertname", "Down")], &["default"]);
    check(&[("severity", "critical")], &["all-critical"]);
    check(&[("severity", "critical"), ("service", "db")], &["all-critical", "db"]);
    check(&[("service", "db"), ("owner", "team-a")], &["db-owner"]);
    check(&[("service", "db"), ("owner", "a-team-a")], &["db"]);
    check(&[("service", "db"), ("größe", "7")], &["db"]);
    check(&[("service", "api"), ("zone", "eu-1")], &["api"]);
    check(&[("service", "api"), ("zone", "eu-1"), ("stage", "test")], &["default"]);
    check(&[("service", "api")], &["default"]);
}

#[test]
fn routes_inherit_and_have_defaults() {
    let config = load(TREE).unwrap();
    let check = |labels: &[(&str, &str)], wait: i64, interval: i64, repeat: i64, group: &str, key: &str| {
        let labels = Labels::from_pairs(labels.iter().copied());
        let route = config.routes.get(config.routes.matching(&labels)[0]);
        assert_eq!((route.group_wait_ms, route.group_interval_ms, route.repeat_interval_ms), (wait, interval, repeat));
        assert_eq!((route.group_by.group_labels(&labels).to_string().as_str(), route.key.as_str()), (group, key));
    };
    let (minute, hour) = (60_000, 3_600_000);
    check(&[("alertname", "A"), ("x", "y")], 30_000, 5 * minute, 4 * hour, r#"{alertname="A"}"#, "{}");
    check(&[("service", "db"), ("x", "y")], 1000, 5 * minute, 4 * hour, "{}", r#"{}/{service="db"}"#);
    check(&[("service", "db"), ("größe", "7")], 1000, 5 * minute, hour, "{}", r#"{}/{service="db"}/{"größe"="7"}"#);
    check(
        &[("service", "db"), ("owner", "team-a")],
        1000,
        5 * minute,
        4 * hour,
        r#"{owner="team-a", service="db"}"#,
        r#"{}/{service="db"}/{owner=~"team-.*"}"#,
    );
    assert_eq!(config.resolve_timeout_ms, 5 * minute);
}

#[test]
fn equal_routes_have_different_ids() {
    let text =
        "route: {receiver: a, routes: [{matchers: [x=1], continue: true}, {matchers: [x=1]}]}\nreceivers: [{name: a}]";
    let config = load(text).unwrap();
    let ids: Vec<&str> = (0..3).map(|id| &*config.routes.get(id).id).collect();
    assert_eq!(ids, ["{}", r#"{}/{x="1"}"#, r#"{}/{x="1"}#2"#]);
}

#[test]
fn webhooks_have_defaults_and_inherit_credentials() {
    let text = "
global: {resolve_timeout: 1m, http_config: {basic_auth: {username: u, password: p}}}
route: {receiver: a}
receivers:
  - name: a
    webhook_configs:
      - url: http://127.0.0.1:9/hook
      - url_file: secrets/url
        send_resolved: false
        max_alerts: 7
        http_config: {authorization: {credentials: token}}
";
    let config = load(text).unwrap();
    assert_eq!(config.resolve_timeout_ms, 60_000);
    let [first, second] = &config.receiver("a").unwrap().webhooks[..] else { panic!("two webhooks") };
    assert_eq!((first.send_resolved, first.max_alerts), (true, 0));
    assert_eq!((second.send_resolved, second.max_alerts), (false, 7));
    assert!(matches!(&second.url, UrlSource::File(path) if path == Path::new("/etc/alert/secrets/url")));
    assert!(first.client.config().headers().unwrap()["authorization"].to_str().unwrap().starts_with("Basic "));
    assert_eq!(second.client.config().headers().unwrap()["authorization"], "Bearer token");
}

#[test]
fn what_is_shown_has_no_secrets() {
    let text = "
global: {http_config: {basic_auth: {username: u, password: hunter2}}}
route: {receiver: a}
receivers: [{name: a, webhook_configs: [{url: 'http://example.org:81/T000/token?x=1'}]}]
";
    let config = load(text).unwrap();
    assert!(config.shown.contains("http://example.org:81/<secret>"), "{}", config.shown);
    for secret in ["hunter2", "T000", "token"] {
        assert!(!config.shown.contains(secret) && !format!("{config:?}").contains(secret), "{secret}: {config:?}");
    }
}

#[test]
fn every_error_has_its_place() {
    let check = |text: &str, want: &[&str]| {
        let errors = load(text).unwrap_err().to_string().replace("/etc/alert/alertmanager.yml:", "");
        assert_eq!(errors.lines().collect::<Vec<_>>(), want, "{text}");
    };
    check("receivers: []", &[" no route: the file needs a route with a receiver"]);
    check("route: {recevier: a}", &[r#"1:9: unknown key "recevier", did you mean "receiver"?"#]);
    check(
        "route:\n  receiver: hok\n  matchers: [a=b]\n  continue: true\nreceivers: [{name: hook}]",
        &[
            "2:3: the root route must not have matchers: it takes every alert",
            r#"2:13: undefined receiver "hok", did you mean "hook"?"#,
            "4:13: the root route has no siblings to continue with",
        ],
    );
    check(
        "route: {receiver: a, group_interval: 0s, group_by: ['...', b], routes: [{match_re: {x: '('}}]}\nreceivers: [{name: a}, {name: a}]",
        &[
            "1:38: group_interval cannot be zero",
            "1:53: group_by takes either '...' or names of labels, not both",
            "1:88: error parsing regexp: missing closing ): `(`",
            r#"2:31: there are two receivers with the name "a""#,
        ],
    );
    check(
        "route: {receiver: a}\nreceivers:\n- name: a\n  slack_configs: [{channel: '#a'}]\n  webhook_configs: [{url: 'ftp://x'}, {}]\ntime_intervals: [{name: x}]",
        &[
            "4:18: slack_configs is not supported yet",
            r#"5:27: unsupported scheme "ftp" for a webhook's url: want http or https"#,
            "5:39: a webhook needs url or url_file",
            "6:17: time_intervals is not supported yet",
        ],
    );
}
