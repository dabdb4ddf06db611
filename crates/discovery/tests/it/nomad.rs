//! Services of Nomad, over a server that answers like the real one.

use std::time::Duration;

use discovery::{Discovery, Environment};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

use crate::web::Web;
use crate::{eventually, install_crypto, metric, sources, targets, text, validate, wait_for};

const FAILURES: &str = "prometheus_sd_nomad_failures_total";

fn instance(namespace: &str, service: &str, address: &str, tags: &Value) -> Value {
    json!({
        "Address": address, "AllocID": "177160af-26f6-619f-9c9f-5e46d1104395", "CreateIndex": 14, "Datacenter": "dc1",
        "ID": format!("_nomad-task-177160af-{service}-db"), "JobID": "example", "ModifyIndex": 24, "Namespace": namespace,
        "NodeID": "7406e90b-de16-d118-80fe-60d0f2730cb3", "Port": 29702, "ServiceName": service, "Tags": tags,
    })
}

fn line(service: &str, namespace: &str) -> String {
    format!(
        r#"10.0.0.1:29702 {{__meta_nomad_address="10.0.0.1", __meta_nomad_dc="dc1", __meta_nomad_namespace="{namespace}", __meta_nomad_node_id="7406e90b-de16-d118-80fe-60d0f2730cb3", __meta_nomad_service="{service}", __meta_nomad_service_address="10.0.0.1", __meta_nomad_service_id="_nomad-task-177160af-{service}-db", __meta_nomad_service_port="29702"}}"#
    )
}

/// A server with the services `cache` and `db`.
async fn server() -> Web {
    install_crypto();
    let server = Web::start().await;
    let list = json!([{"Namespace": "default", "Services": [
        {"ServiceName": "cache", "Tags": ["db"]}, {"ServiceName": "db", "Tags": []},
    ]}]);
    server.set("/v1/services", 200, &list);
    for service in ["cache", "db"] {
        server.set(
            &format!("/v1/service/{service}"),
            200,
            &json!([instance("default", service, "10.0.0.1", &json!([]))]),
        );
    }
    server
}

fn words(server: &Web, more: &str) -> String {
    format!("nomad_sd_configs: [{{server: '{}'{more}}}]", server.url)
}

#[tokio::test]
async fn an_instance_is_a_target_with_all_that_is_known_of_it() {
    let server = server().await;
    let tagged = [
        instance("default", "db", "10.0.0.1", &json!(["a", "b"])),
        instance("default", "db", "2001:db8::1", &json!(null)),
    ];
    server.set("/v1/service/db", 200, &json!(tagged));
    let mut registry = Registry::default();
    let environment = Environment::new(&mut registry);
    let discovery = Discovery::start("j", sources(&words(&server, ", bearer_token: t")), environment.clone()).await;
    let labels = r#"__meta_nomad_service_id="_nomad-task-177160af-db-db", __meta_nomad_service_port="29702""#;
    let db = line("db", "default");
    let tagged = db.replace(labels, &format!(r#"{labels}, __meta_nomad_tags=",a,b,""#));
    let ipv6 = db.replace("10.0.0.1:29702", "[2001:db8::1]:29702").replace("10.0.0.1", "2001:db8::1");
    wait_for(&discovery, &[&line("cache", "default"), &tagged, &ipv6]).await;
    let query = "?namespace=default&region=global&stale=";
    assert_eq!(
        server.take_asked(),
        [format!("/v1/services{query}"), format!("/v1/service/cache{query}"), format!("/v1/service/db{query}")]
    );
    assert_eq!(server.seen("authorization"), "Bearer t");

    // Of all namespaces each is asked for its own.
    let list = json!([
        {"Namespace": "n1", "Services": [{"ServiceName": "cache", "Tags": null}]}, {"Namespace": "n2", "Services": null},
    ]);
    server.set("/v1/services", 200, &list);
    server.set("/v1/service/cache", 200, &json!([instance("n1", "cache", "10.0.0.1", &json!(["x"]))]));
    let more = ", namespace: '*', region: r, allow_stale: false, tag_separator: ;";
    let other = Discovery::start("k", sources(&words(&server, more)), environment).await;
    let last = r#"__meta_nomad_service_port="29702"}"#;
    let cache = line("cache", "n1").replace(last, r#"__meta_nomad_service_port="29702", __meta_nomad_tags=";x;"}"#);
    wait_for(&other, &[&cache]).await;
    assert_eq!(server.take_asked(), ["/v1/services?namespace=*&region=r", "/v1/service/cache?namespace=n1&region=r"]);
}

#[tokio::test]
async fn what_fails_keeps_its_targets() {
    let server = server().await;
    let mut registry = Registry::default();
    let words = words(&server, ", refresh_interval: 150ms");
    let discovery = Discovery::start("j", sources(&words), Environment::new(&mut registry)).await;
    let (cache, db) = (line("cache", "default"), line("db", "default"));
    wait_for(&discovery, &[&cache, &db]).await;
    let list = json!([{"Namespace": "default", "Services": [{"ServiceName": "cache", "Tags": []}]}]);
    let failed = async |what: &str| {
        let before = metric(&registry, FAILURES);
        eventually(what, || metric(&registry, FAILURES) > before + 1).await;
        assert_eq!(targets(&discovery), [cache.as_str(), db.as_str()], "the last targets stay: {what}");
    };
    let service = json!([instance("default", "db", "10.0.0.1", &json!([]))]);
    for (status, body) in [(500, "No cluster leader"), (200, "<html>"), (200, "[1]")] {
        server.set("/v1/service/db", status, body);
        failed("a service that fails").await;
    }
    server.set("/v1/service/db", 200, &service);
    server.set("/v1/services", 403, "Permission denied");
    failed("a list that fails").await;
    server.set("/v1/services", 200, &list);
    server.set_delay(Duration::from_secs(1));
    failed("an answer that comes too late").await;
    server.set_delay(Duration::ZERO);
    wait_for(&discovery, &[&cache]).await;
    let failures = r#"prometheus_sd_refresh_failures_total{config="j",mechanism="nomad"}"#;
    assert_eq!(metric(&registry, failures), metric(&registry, FAILURES), "{}", text(&registry));
}

#[test]
fn refuses_with_the_place() {
    let check = |words: &str, want: &str| {
        assert_eq!(validate(&format!("nomad_sd_configs:\n- {words}")).expect_err(words), want, "{words}");
    };
    check("server: ''", "a.yml:2:11: nomad SD configuration requires a server address");
    check("server: 'n:4646'", "a.yml:2:11: the server must begin with http://, https:// or unix://");
    check("refresh_interval: 0s", "a.yml:2:21: refresh_interval must be longer than 0");
    assert!(validate("nomad_sd_configs: [{}]").is_ok());
}
