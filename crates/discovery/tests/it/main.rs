//! Sources over real sockets and files.

mod api_server;
mod azure;
mod cloud_server;
mod consul;
mod consul_server;
mod docker;
mod docker_swarm;
mod ec2;
mod gce;
mod kubernetes;
mod moto;
mod name_server;
mod nomad;
mod web;

use std::sync::Arc;
use std::time::Duration;

use config::Report;
use discovery::{Discovery, Environment, Sources};
use hickory_resolver::proto::rr::rdata::{A, AAAA, MX, NS};
use hickory_resolver::proto::rr::{RData, RecordType};
use prometheus_client::registry::Registry;
use serde::Deserialize;

use crate::name_server::{NameServer, host, srv};

discovery::with_sources! {
    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Section {}
}

fn validate(text: &str) -> Result<Sources, String> {
    let mut section: Section = config::load(text, "a.yml").map_err(|errors| errors.to_string())?;
    let raw = section.take_sources();
    let mut report = Report::new("a.yml");
    let sources = Sources::validate(raw, true, &mut report);
    report.finish(sources).map_err(|errors| errors.to_string())
}

fn sources(text: &str) -> Sources {
    validate(text).expect("a valid section")
}

/// Every target with its labels, in the order they were found.
fn targets(discovery: &Discovery) -> Vec<String> {
    let mut all = Vec::new();
    for group in discovery.groups().iter().flat_map(|groups| groups.iter()) {
        all.extend(group.targets.iter().map(|target| format!("{target} {}", group.labels)));
    }
    all
}

/// Waits for changes until the targets are these.
async fn wait_for(discovery: &Discovery, want: &[&str]) {
    let waiting = async {
        while targets(discovery) != want {
            discovery.changed().await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(20), waiting).await.is_err() {
        panic!("waited for {want:#?}, there are {:#?}", targets(discovery));
    }
}

fn install_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default(); // another test may have done so
}

fn text(registry: &Registry) -> String {
    let mut out = String::new();
    prometheus_client::encoding::text::encode(&mut out, registry).expect("text");
    out
}

/// The value of a metric in the text of all.
fn metric(registry: &Registry, series: &str) -> u64 {
    let text = text(registry);
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
    value.unwrap_or_else(|| panic!("no {series} in {text}"))
}

async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap_or_else(|_| panic!("waited for {what}"));
}

fn a(address: [u8; 4]) -> RData {
    RData::A(A(address.into()))
}

#[tokio::test]
async fn records_are_targets() {
    let server = NameServer::start().await;
    server.set("_web._tcp.example.org.", RecordType::SRV, vec![srv("b.example.org.", 81), srv("a.example.org.", 80)]);
    server.set("host.example.org.", RecordType::A, vec![a([10, 0, 0, 1])]);
    server.set(
        "host.example.org.",
        RecordType::AAAA,
        vec![RData::AAAA(AAAA("2001:db8::1".parse().expect("an address")))],
    );
    server.set("example.org.", RecordType::MX, vec![RData::MX(MX::new(10, host("mail.example.org.")))]);
    server.set("example.org.", RecordType::NS, vec![RData::NS(NS(host("ns1.example.org.")))]);
    let mut registry = Registry::default();
    let environment = Environment::with_dns(server.dns(), &mut registry);
    let check = async |words: &str, want: &[&str]| {
        let sources = sources(&format!("dns_sd_configs: [{{{words}}}]"));
        wait_for(&Discovery::start("j", sources, environment.clone()).await, want).await;
    };
    check(
        "names: [_web._tcp.example.org]",
        &[
            r#"b.example.org:81 {__meta_dns_name="_web._tcp.example.org", __meta_dns_srv_record_port="81", __meta_dns_srv_record_target="b.example.org."}"#,
            r#"a.example.org:80 {__meta_dns_name="_web._tcp.example.org", __meta_dns_srv_record_port="80", __meta_dns_srv_record_target="a.example.org."}"#,
        ],
    )
    .await;
    check("names: [host.example.org], type: a, port: 9", &[r#"10.0.0.1:9 {__meta_dns_name="host.example.org"}"#]).await;
    check(
        "names: [host.example.org], type: AAAA, port: 9",
        &[r#"[2001:db8::1]:9 {__meta_dns_name="host.example.org"}"#],
    )
    .await;
    check(
        "names: [example.org], type: MX, port: 9",
        &[r#"mail.example.org:9 {__meta_dns_mx_record_target="mail.example.org.", __meta_dns_name="example.org"}"#],
    )
    .await;
    check(
        "names: [example.org], type: NS, port: 9",
        &[r#"ns1.example.org:9 {__meta_dns_name="example.org", __meta_dns_ns_record_target="ns1.example.org."}"#],
    )
    .await;
    assert!(text(&registry).contains("prometheus_sd_dns_lookups_total 5"), "{}", text(&registry));
    assert!(text(&registry).contains("prometheus_sd_dns_lookup_failures_total 0"), "{}", text(&registry));
}

#[tokio::test]
async fn a_name_that_fails_keeps_its_targets_and_one_that_is_gone_has_none() {
    let server = NameServer::start().await;
    server.set("a.", RecordType::A, vec![a([10, 0, 0, 1])]);
    server.set("b.", RecordType::A, vec![a([10, 0, 0, 2])]);
    let mut registry = Registry::default();
    let words = "dns_sd_configs: [{names: [a, b], type: A, port: 1, refresh_interval: 50ms}]";
    let environment = Environment::with_dns(server.dns(), &mut registry);
    let mut discovery = Discovery::start("j", sources(words), environment).await;
    let (one, two) = (r#"10.0.0.1:1 {__meta_dns_name="a"}"#, r#"10.0.0.2:1 {__meta_dns_name="b"}"#);
    wait_for(&discovery, &[one, two]).await;
    server.fail("a.", RecordType::A);
    server.set("b.", RecordType::A, vec![]);
    wait_for(&discovery, &[one]).await;
    let failures = text(&registry);
    assert!(!failures.contains("lookup_failures_total 0\n"), "{failures}");
    assert!(failures.contains(r#"prometheus_sd_refresh_failures_total{config="j",mechanism="dns"}"#), "{failures}");

    // Another word in its configuration: what is asked anew is waited for.
    server.set("a.", RecordType::A, vec![a([10, 0, 0, 3])]);
    discovery.change(sources(&words.replace("port: 1", "port: 2"))).await;
    assert_eq!(targets(&discovery), [r#"10.0.0.3:2 {__meta_dns_name="a"}"#]);
    discovery.change(sources("{}")).await;
    assert_eq!(targets(&discovery), [""; 0]);
}

#[tokio::test]
async fn a_source_that_is_unchanged_goes_on() {
    let server = NameServer::start().await;
    server.set("a.", RecordType::A, vec![a([10, 0, 0, 1])]);
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("t.yml");
    std::fs::write(&file, "- targets: [f:1]").expect("a file");
    let mut registry = Registry::default();
    let environment = Environment::with_dns(server.dns(), &mut registry);
    let dns = "dns_sd_configs: [{names: [a], type: A, port: 1, refresh_interval: 1h}]";
    let mut discovery = Discovery::start("j", sources(dns), environment).await;
    wait_for(&discovery, &[r#"10.0.0.1:1 {__meta_dns_name="a"}"#]).await;
    server.fail("a.", RecordType::A);
    let files = format!("file_sd_configs: [{{files: ['{}']}}]", file.display());
    discovery.change(sources(&format!("{dns}\n{files}"))).await;
    let in_file = format!(r#"f:1 {{__meta_filepath="{}"}}"#, file.display());
    assert_eq!(targets(&discovery), [in_file.as_str(), r#"10.0.0.1:1 {__meta_dns_name="a"}"#]);
    assert!(text(&registry).contains("prometheus_sd_dns_lookups_total 1"), "it isn't asked again");
}

#[tokio::test]
async fn a_server_tells_targets() {
    install_crypto();
    let body = Arc::new(std::sync::Mutex::new((
        200,
        "application/json",
        r#"[{"targets": ["a:1", "b:2"], "labels": {"x": "y"}}]"#,
    )));
    let told = body.clone();
    let handler = move |headers: axum::http::HeaderMap| {
        let (status, content_type, text) = *told.lock().expect("no panic");
        assert_eq!(
            (&headers["accept"], &headers["authorization"]),
            (&"application/json".parse().unwrap(), &"Bearer t".parse().unwrap())
        );
        let status = axum::http::StatusCode::from_u16(status).expect("a status");
        async move { (status, [("content-type", content_type)], text) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/sd", listener.local_addr().expect("an address"));
    let router = axum::Router::new().route("/sd", axum::routing::get(handler));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut registry = Registry::default();
    let words = format!("http_sd_configs: [{{url: '{url}', bearer_token: t, refresh_interval: 50ms}}]");
    let discovery = Discovery::start("j", sources(&words), Environment::new(&mut registry)).await;
    let (one, two) = (format!(r#"a:1 {{__meta_url="{url}", x="y"}}"#), format!(r#"b:2 {{__meta_url="{url}", x="y"}}"#));
    wait_for(&discovery, &[&one, &two]).await;
    for bad in [(500, "application/json", "[]"), (200, "text/html", "[]"), (200, "application/json", "[{]")] {
        let before = metric(&registry, "prometheus_sd_http_failures_total");
        *body.lock().expect("no panic") = bad;
        while metric(&registry, "prometheus_sd_http_failures_total") < before + 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(targets(&discovery), [one.as_str(), two.as_str()], "its last targets stay");
    }
    *body.lock().expect("no panic") = (200, "application/json; charset=utf-8", "[]");
    wait_for(&discovery, &[]).await;
}

#[test]
fn refuses_with_the_place() {
    let check = |text: &str, want: &str| assert_eq!(validate(text).expect_err(text), want, "{text}");
    check("dns_sd_configs: [{type: A, port: 1}]", "a.yml:1:18: DNS-SD config must contain at least one record name");
    check(
        "dns_sd_configs: [{names: [a], type: TXT}]",
        "a.yml:1:37: invalid DNS-SD records type \"TXT\", expected SRV, A, AAAA, MX or NS",
    );
    check(
        "dns_sd_configs: [{names: [a], type: MX}]",
        "a.yml:1:18: a port is required in DNS-SD configs for all record types except SRV",
    );
    check("dns_sd_configs: [{names: [a], port: 70000}]", "a.yml:1:37: 70000 is not a port");
    check("dns_sd_configs: [{names: [a], refresh_interval: 0s}]", "a.yml:1:49: refresh_interval must be longer than 0");
    check("http_sd_configs: [{}]", "a.yml:1:19: URL is missing");
    check("http_sd_configs: [{url: 'ftp://x'}]", "a.yml:1:25: URL scheme must be 'http' or 'https'");
    check("http_sd_configs: [{url: x}]", "a.yml:1:25: not a valid URL: relative URL without a base");
    assert!(validate("http_sd_configs: [{url: 'http://a:geheim@x'}]").is_err_and(|error| !error.contains("geheim")));
}
