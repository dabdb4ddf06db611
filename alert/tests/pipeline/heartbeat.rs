//! A node that works says so again and again; one that doesn't is silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alert::{HeartbeatConfig, HeartbeatOptions, Heartbeats, RawAlerting};
use axum::http::StatusCode;
use model::SystemClock;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::json;

use crate::bench::{Hook, wait_for};

fn configs(text: &str) -> Vec<HeartbeatConfig> {
    let raw: RawAlerting = config::load(text, "shard.yml").unwrap();
    let mut report = config::Report::new("shard.yml");
    let alerting = raw.validate(discovery::NameValidation::Utf8, &mut report);
    report.finish(alerting).unwrap().heartbeats
}

#[tokio::test]
async fn beats_while_the_node_works() {
    let (hook, url) = Hook::start(&[StatusCode::SERVICE_UNAVAILABLE]).await;
    let works = Arc::new(AtomicBool::new(false));
    let asked = works.clone();
    let options = HeartbeatOptions {
        clock: Arc::new(SystemClock),
        external_url: "http://shard-a:9090".to_owned(),
        health: Arc::new(move || if asked.load(Ordering::SeqCst) { Ok(()) } else { Err("no commits".to_owned()) }),
    };
    let mut registry = Registry::default();
    let heartbeats = Heartbeats::new(options, &mut registry);
    let configs = configs(&format!("heartbeats: [{{url: '{url}', interval: 1s, basic_auth: {{username: u}}}}]"));
    assert!(!format!("{configs:?}").contains("token"), "{configs:?}");
    heartbeats.set(configs);
    let metric = |name: &str| {
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert!(!text.contains("token"), "{text}");
        let line = text.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.and_then(|line| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok())).unwrap_or_default()
    };
    wait_for("a beat that is withheld", || async {
        (metric("watershed_heartbeat_withheld_total") >= 1.0).then_some(())
    })
    .await;
    assert_eq!(hook.so_far().len(), 0);
    works.store(true, Ordering::SeqCst);
    // The first attempt fails.
    let requests = hook.requests(3).await;
    let body = &requests[1].body;
    assert_eq!((&body["version"], &body["node"]), (&json!("4"), &json!("http://shard-a:9090")));
    assert_eq!(body["alerts"][0]["labels"]["alertname"], "Watchdog");
    assert_eq!(requests[1].headers["authorization"], "Basic dTo=");
    wait_for("two beats that arrived", || async { (metric("watershed_heartbeat_sent_total") >= 2.0).then_some(()) })
        .await;
    assert_eq!(metric("watershed_heartbeat_failed_total"), 1.0);
    heartbeats.set(Vec::new());
    assert_eq!(metric("watershed_heartbeat_sent_total"), 0.0, "it isn't shown any more");
}
