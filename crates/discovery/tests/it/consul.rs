//! Services of Consul, over an agent that holds questions back like the real one.

use std::time::Duration;

use discovery::{Discovery, Environment};
use prometheus_client::registry::Registry;
use serde_json::json;

use crate::consul_server::{ConsulServer, instance};
use crate::{eventually, install_crypto, metric, sources, targets, text, validate, wait_for};

const FAILURES: &str = "prometheus_sd_consul_rpc_failures_total";

/// The labels of an [`instance`], sorted by the name of the service and by ID.
fn line(service: &str, id: &str, host: &str, tags: &str) -> String {
    format!(
        r#"{host}:8080 {{__meta_consul_address="{host}", __meta_consul_dc="dc1", __meta_consul_health="passing", __meta_consul_metadata_rack_name="7", __meta_consul_node="node-{id}", __meta_consul_service="{service}", __meta_consul_service_id="{id}", __meta_consul_service_port="8080", __meta_consul_tagged_address_lan="{host}", __meta_consul_tagged_address_lan_ipv4="{host}", __meta_consul_tags="{tags}"}}"#
    )
}

async fn wait_for_instances(discovery: &Discovery, want: &[(&str, &str)]) {
    let lines: Vec<String> = want.iter().map(|(service, id)| line(service, id, "10.0.0.1", ",a,b,")).collect();
    wait_for(discovery, &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

fn put(server: &ConsulServer, service: &str, ids: &[&str]) {
    server.put(service, ids.iter().map(|id| instance(service, id, "10.0.0.1", &["a", "b"])).collect());
}

/// A source that asks as often as there is something new.
fn words(server: &ConsulServer, more: &str) -> String {
    format!("consul_sd_configs: [{{server: '{}', refresh_interval: 20ms{more}}}]", server.address)
}

#[tokio::test]
async fn an_instance_is_a_target_with_all_that_is_known_of_it() {
    install_crypto();
    let server = ConsulServer::start().await;
    server.expect_token("geheim");
    let mut full = instance("web/api", "web-1", "10.0.0.1", &["a", "b"]);
    full["Node"]["TaggedAddresses"] = json!({"lan": "10.0.0.1", "wan-ipv4": "198.18.0.1"});
    full["Node"]["Meta"] = json!({"rack.name": "7", "consul-network-segment": ""});
    full["Service"]["Address"] = json!("2001:db8::1");
    full["Service"]["TaggedAddresses"] = json!({"lan": {"address": "2001:db8::1", "port": 8080}});
    full["Service"]["Meta"] = json!({"version": "4", "größe": "L"});
    full["Service"]["Namespace"] = json!("ns1");
    full["Service"]["Partition"] = json!("part1");
    full["Checks"] = json!([
        {"CheckID": "serfHealth", "Status": "passing"},
        {"CheckID": "service:web-1", "Status": "warning", "ServiceID": "web-1", "ServiceTags": null},
    ]);
    let mut bare = instance("web/api", "web-2", "10.0.0.2", &[]);
    bare["Node"]["TaggedAddresses"] = json!(null);
    bare["Node"]["Meta"] = json!(null);
    bare["Service"]["Tags"] = json!(null);
    bare["Checks"] = json!([{"CheckID": "_node_maintenance", "Status": "critical"}]);
    server.put("web/api", vec![full, bare]);
    let mut registry = Registry::default();
    let more = ", token: geheim, path_prefix: /consul/, tag_separator: '|', http_headers: {X-Org: {values: [o]}}";
    let discovery = Discovery::start("j", sources(&words(&server, more)), Environment::new(&mut registry)).await;
    let one = r#"[2001:db8::1]:8080 {__meta_consul_address="10.0.0.1", __meta_consul_dc="dc1", __meta_consul_health="warning", __meta_consul_metadata_rack_name="7", __meta_consul_namespace="ns1", __meta_consul_node="node-web-1", __meta_consul_partition="part1", __meta_consul_service="web/api", __meta_consul_service_address="2001:db8::1", __meta_consul_service_id="web-1", __meta_consul_service_metadata_gr__e="L", __meta_consul_service_metadata_version="4", __meta_consul_service_port="8080", __meta_consul_tagged_address_lan="10.0.0.1", __meta_consul_tagged_address_wan_ipv4="198.18.0.1", __meta_consul_tags="|a|b|"}"#;
    let two = r#"10.0.0.2:8080 {__meta_consul_address="10.0.0.2", __meta_consul_dc="dc1", __meta_consul_health="maintenance", __meta_consul_node="node-web-2", __meta_consul_service="web/api", __meta_consul_service_id="web-2", __meta_consul_service_port="8080", __meta_consul_tags="||"}"#;
    wait_for(&discovery, &[one, two]).await;
    assert_eq!((server.seen("x-consul-token"), server.seen("x-org")), ("geheim".to_owned(), "o".to_owned()));
    eventually("questions that are held back", || server.held().0 == 2).await;
    assert_eq!(
        server.asked("/v1/catalog"),
        ["/consul/v1/catalog/services?stale=", "/consul/v1/catalog/services?index=11&wait=120000ms&stale="]
    );
    assert_eq!(
        server.asked("/v1/health"),
        [
            "/consul/v1/health/service/web%2Fapi?stale=",
            "/consul/v1/health/service/web%2Fapi?index=11&wait=120000ms&stale="
        ]
    );
    let count = |call: &str| {
        metric(
            &registry,
            &format!(r#"prometheus_sd_consul_rpc_duration_seconds_count{{endpoint="catalog",call="{call}"}}"#),
        )
    };
    assert_eq!((count("services"), count("service"), metric(&registry, FAILURES)), (1, 1, 0));
}

#[tokio::test]
async fn what_is_asked_for_is_what_is_configured() {
    install_crypto();
    let server = ConsulServer::start().await;
    put(&server, "web", &["w1"]);
    put(&server, "db", &["d1"]);
    server.put("bare", vec![instance("bare", "b1", "10.0.0.1", &["a"])]);
    let check = async |more: &str, want: &[(&str, &str)], first: &[&str]| {
        let before = server.asked("").len();
        let mut discovery = Discovery::start("j", sources("{}"), Environment::new(&mut Registry::default())).await;
        discovery.change(sources(&words(&server, more))).await;
        wait_for_instances(&discovery, want).await;
        let asked: Vec<String> = server.asked("").split_off(before);
        let asked: Vec<&String> = asked.iter().filter(|asked| !asked.contains("index=")).collect();
        assert_eq!(asked, first, "{more}");
    };
    // Services without more are asked about straight away; one that isn't there has no instances.
    check(
        ", services: [db, none], allow_stale: false, datacenter: dc1, namespace: n, partition: p, filter: ''",
        &[("db", "d1")],
        &["/v1/health/service/db?dc=dc1&ns=n&partition=p", "/v1/health/service/none?dc=dc1&ns=n&partition=p"],
    )
    .await;
    // With tags or a filter they are picked out of the catalog.
    check(
        ", services: [db, bare], tags: [b, a], node_meta: {rack_name: '7'}",
        &[("db", "d1")],
        &[
            "/v1/catalog/services?node-meta=rack_name%3A7&stale=",
            "/v1/health/service/db?tag=b&tag=a&node-meta=rack_name%3A7&stale=",
        ],
    )
    .await;
    check(
        ", services: [db], filter: 'ServiceTags contains \"a\"', health_filter: 'Checks.Status == passing'",
        &[("db", "d1")],
        &[
            "/v1/catalog/services?filter=ServiceTags+contains+%22a%22&stale=",
            "/v1/health/service/db?filter=Checks.Status+%3D%3D+passing&stale=",
        ],
    )
    .await;
    check(", node_meta: {rack_name: '8'}", &[], &["/v1/catalog/services?node-meta=rack_name%3A8&stale="]).await;
}

#[tokio::test]
async fn services_come_and_change_and_go() {
    install_crypto();
    let server = ConsulServer::start().await;
    put(&server, "web", &["w1"]);
    let mut registry = Registry::default();
    let environment = Environment::new(&mut registry);
    let discovery = Discovery::start("j", sources(&words(&server, "")), environment.clone()).await;
    wait_for_instances(&discovery, &[("web", "w1")]).await;
    put(&server, "web", &["w1", "w2"]);
    put(&server, "db", &["d1"]);
    wait_for_instances(&discovery, &[("db", "d1"), ("web", "w1"), ("web", "w2")]).await;
    eventually("three questions held back", || server.held().0 == 3).await;
    // Nobody asks about a service that has gone.
    put(&server, "web", &[]);
    wait_for_instances(&discovery, &[("db", "d1")]).await;
    eventually("two questions held back", || server.held().0 == 2).await;
    put(&server, "web", &["w3"]);
    wait_for_instances(&discovery, &[("db", "d1"), ("web", "w3")]).await;

    // Who asks the same follows the same, and is told at once.
    let catalogs = server.asked("/v1/catalog").len();
    let mut other = Discovery::start("k", sources("{}"), environment).await;
    other.change(sources(&words(&server, ""))).await;
    assert_eq!(targets(&other).len(), 2);
    assert_eq!(server.asked("/v1/catalog").len(), catalogs);
    drop(discovery);
    put(&server, "db", &[]);
    wait_for_instances(&other, &[("web", "w3")]).await;
    drop(other);
    eventually("nobody asks any more", || server.held().0 == 0).await;
}

#[tokio::test]
async fn an_index_that_goes_backwards_begins_anew() {
    install_crypto();
    let server = ConsulServer::start().await;
    put(&server, "web", &["w1"]);
    let mut registry = Registry::default();
    let discovery = Discovery::start("j", sources(&words(&server, "")), Environment::new(&mut registry)).await;
    wait_for_instances(&discovery, &[("web", "w1")]).await;
    eventually("questions held back", || server.held().0 == 2).await;
    server.reset_index();
    eventually("questions held back at the low index", || server.asked("index=2&").len() == 2).await;
    let asked = server.asked("/v1/health");
    let indexes: Vec<Option<&str>> =
        asked.iter().map(|asked| asked.split_once("index=").map(|(_, rest)| rest.split('&').next().unwrap())).collect();
    assert_eq!(indexes, [None, Some("11"), None, Some("2")], "without an index once");
    put(&server, "web", &["w2"]);
    wait_for_instances(&discovery, &[("web", "w2")]).await;
    assert_eq!(metric(&registry, FAILURES), 0);
}

#[tokio::test]
async fn a_question_that_was_held_back_for_nothing_is_asked_again() {
    install_crypto();
    let server = ConsulServer::start().await;
    server.wait_at_most(Duration::from_millis(10));
    put(&server, "web", &["w1"]);
    let mut registry = Registry::default();
    let discovery = Discovery::start("j", sources(&words(&server, "")), Environment::new(&mut registry)).await;
    wait_for_instances(&discovery, &[("web", "w1")]).await;
    eventually("several rounds", || server.asked("/v1/health").len() > 5).await;
    assert!(server.asked("/v1/health")[1..].iter().all(|asked| asked.contains("index=11&wait=120000ms")));
    put(&server, "web", &["w2"]);
    wait_for_instances(&discovery, &[("web", "w2")]).await;

    // Without an index nothing can be held back: the same is asked at each interval.
    server.tell_index("");
    put(&server, "web", &["w3"]);
    put(&server, "db", &["d1"]);
    wait_for_instances(&discovery, &[("db", "d1"), ("web", "w3")]).await;
    put(&server, "web", &["w4"]);
    wait_for_instances(&discovery, &[("db", "d1"), ("web", "w4")]).await;
    assert!(!server.asked("/v1/health/service/db")[1].contains("index"), "{:?}", server.asked("/v1/health/service/db"));
    assert_eq!(metric(&registry, FAILURES), 0);
}

#[tokio::test]
async fn what_fails_keeps_its_targets_and_holds_nothing_else_up() {
    install_crypto();
    let server = ConsulServer::start().await;
    put(&server, "db", &["d1"]);
    put(&server, "web", &["w1"]);
    let mut registry = Registry::default();
    let discovery = Discovery::start("j", sources(&words(&server, "")), Environment::new(&mut registry)).await;
    wait_for_instances(&discovery, &[("db", "d1"), ("web", "w1")]).await;
    let mut ids = (2..).map(|number: u32| format!("d{number}"));
    let failures = || metric(&registry, FAILURES);
    for spoilt in [(500, "rpc error making call: No cluster leader"), (200, "<html>"), (200, r#"[{"Node": {}}]"#)] {
        let (before, id) = (failures(), ids.next().expect("a number"));
        server.spoil("/service/web", Some(spoilt));
        put(&server, "web", &["w2"]);
        eventually("a failure", || failures() > before).await;
        put(&server, "db", &[&id]);
        wait_for_instances(&discovery, &[("db", &id), ("web", "w1")]).await;
    }
    server.spoil("/service/web", None);
    wait_for_instances(&discovery, &[("db", "d4"), ("web", "w2")]).await;

    // Neither does a catalog that can't be read take services away.
    let before = failures();
    server.spoil("/catalog", Some((403, "Permission denied")));
    put(&server, "more", &["m1"]);
    eventually("a failure", || failures() > before).await;
    assert_eq!(targets(&discovery).len(), 2);
    server.spoil("/catalog", None);
    wait_for_instances(&discovery, &[("db", "d4"), ("more", "m1"), ("web", "w2")]).await;
}

#[tokio::test]
async fn an_agent_that_dies_and_comes_back_is_asked_again() {
    install_crypto();
    let server = ConsulServer::start().await;
    put(&server, "web", &["w1"]);
    let mut registry = Registry::default();
    let discovery = Discovery::start("j", sources(&words(&server, "")), Environment::new(&mut registry)).await;
    wait_for_instances(&discovery, &[("web", "w1")]).await;
    server.die();
    eventually("questions that fail", || metric(&registry, FAILURES) >= 3).await;
    assert_eq!(targets(&discovery).len(), 1, "the last targets stay");
    put(&server, "web", &["w2"]);
    put(&server, "db", &["d1"]);
    server.revive().await;
    wait_for_instances(&discovery, &[("db", "d1"), ("web", "w2")]).await;
    server.tell_index("soon");
    let before = metric(&registry, FAILURES);
    put(&server, "web", &["w3"]);
    eventually("an index that is none", || metric(&registry, FAILURES) > before).await;
    assert_eq!(targets(&discovery).len(), 2, "the last targets stay");
}

#[tokio::test]
async fn many_services_take_turns() {
    install_crypto();
    let server = ConsulServer::start().await;
    let names: Vec<String> = (0..250).map(|number| format!("s{number:03}")).collect();
    names.iter().for_each(|name| put(&server, name, &["i1"]));
    let mut registry = Registry::default();
    let mut discovery = Discovery::start("j", sources("{}"), Environment::new(&mut registry)).await;
    discovery.change(sources(&words(&server, ""))).await;
    assert_eq!(targets(&discovery).len(), 250, "the first answer is there with that of the last service");
    eventually("questions held back", || server.held().0 > 100).await;
    put(&server, "s249", &["i2"]);
    let want = line("s249", "i2", "10.0.0.1", ",a,b,");
    eventually("an answer to one that has to wait", || targets(&discovery).contains(&want)).await;
    assert_eq!(server.held().1, 101, "a hundred services and the catalog at once");
    let asked = server.asked("service/s000?index");
    assert!(asked.iter().all(|asked| asked.contains("wait=1000ms")), "{asked:?}");
}

#[tokio::test]
async fn a_service_that_comes_does_not_wait_for_those_that_are_held_back() {
    install_crypto();
    let server = ConsulServer::start().await;
    (0..100).for_each(|number| put(&server, &format!("s{number:03}"), &["i1"]));
    let mut registry = Registry::default();
    let discovery = Discovery::start("j", sources(&words(&server, "")), Environment::new(&mut registry)).await;
    eventually("as many questions held back as may be", || server.held().0 == 101).await;
    put(&server, "s100", &["i1"]);
    eventually("the service", || targets(&discovery).len() == 101).await;
}

#[tokio::test]
async fn who_is_not_let_in_says_so_and_shows_no_secret() {
    install_crypto();
    let server = ConsulServer::start().await;
    put(&server, "web", &["w1"]);
    server.expect_token("other");
    let mut registry = Registry::default();
    let sources = sources(&words(&server, ", token: geheim, username: u, password: heimlich"));
    let shown = format!("{sources:?}");
    assert!(!shown.contains("geheim") && !shown.contains("heimlich"), "{shown}");
    let mut discovery = Discovery::start("j", crate::sources("{}"), Environment::new(&mut registry)).await;
    let began = std::time::Instant::now();
    discovery.change(sources).await;
    assert!(began.elapsed() < Duration::from_secs(4), "a failure is an answer, nobody waits for another");
    assert_eq!((targets(&discovery).len(), metric(&registry, FAILURES)), (0, 1), "{}", text(&registry));
    assert_eq!(server.seen("authorization"), "Basic dTpoZWltbGljaA==");
    server.expect_token("geheim");
    wait_for_instances(&discovery, &[("web", "w1")]).await;
}

#[test]
fn refuses_with_the_place() {
    let check = |words: &str, want: &str| {
        let refused = validate(&format!("consul_sd_configs:\n- {words}")).expect_err(words);
        assert_eq!(refused, want, "{words}");
    };
    check("server: ' '", "a.yml:2:11: consul SD configuration requires a server address");
    check("server: 'http://u:geheim@x'", "a.yml:2:11: credentials don't belong into the URL: use basic_auth");
    check("server: 'ftp://x'", "a.yml:2:11: the server must begin with http://, https:// or unix://");
    check("scheme: ftp", "a.yml:2:11: scheme \"ftp\" is not supported, expected http or https");
    check("refresh_interval: 0s", "a.yml:2:21: refresh_interval must be longer than 0");
    check(
        "{username: u, basic_auth: {username: v}}",
        "a.yml:2:14: at most one of consul SD configuration username and password and basic auth can be configured",
    );
    check(
        "{token: t, authorization: {credentials: u}}",
        "a.yml:2:11: at most one of consul SD token, authorization, or oauth2 can be configured",
    );
    check("servcies: [a]", "a.yml:2:3: unknown key \"servcies\", did you mean \"services\"?");
}

#[test]
fn a_server_is_found_where_it_is_written() {
    let check = |words: &str, want: &str| {
        let sources = sources(&format!("consul_sd_configs: [{{{words}}}]"));
        let [discovery::Source::Consul(config)] = &*sources.found else { panic!("one source") };
        let socket = config.server.socket.as_ref().map(|socket| socket.display().to_string());
        assert_eq!(socket.unwrap_or_else(|| config.server.url.to_string()), want, "{words}");
    };
    check("", "http://localhost:8500/");
    check("server: 'c:1', scheme: https", "https://c:1/");
    check("server: 'http://c:1', scheme: https", "https://c:1/");
    check("server: 'https://c:1'", "https://c:1/");
    check("server: 'https://c:1/a', path_prefix: b", "https://c:1/a");
    check("server: 'c:1', path_prefix: a/b/", "http://c:1/a/b");
    check("server: 'unix:///run/consul.sock'", "/run/consul.sock");
}
