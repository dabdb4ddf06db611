//! kill -9 in the middle of alerts: none is told to be over because of it, none is told twice, and no end is lost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use model::{Clock, SystemClock};
use serde_json::Value;
use tests::{Node, eventually, write};

const BOUND: Duration = Duration::from_secs(60);

const RULES: &str = "groups:
- name: g
  interval: 1s
  rules:
  - {alert: Holds, expr: holds == 1}
  - {alert: Kept, expr: kept == 1, keep_firing_for: 12s}
  - {alert: Missed, expr: missed == 1}
  - {alert: Ends, expr: ends == 1}
  - {alert: Untold, expr: untold == 1}
  - {alert: Pends, expr: pends == 1, for: 15s}
";

/// A target whose series the test sets, and a webhook that can refuse.
#[derive(Default)]
struct World {
    values: Mutex<BTreeMap<&'static str, u8>>,
    is_broken: AtomicBool,
    refuses: AtomicBool,
    /// Name and status of each alert that the webhook took.
    told: Mutex<Vec<(String, String)>>,
}

impl World {
    fn set(&self, name: &'static str, value: u8) {
        self.values.lock().expect("no test panics under it").insert(name, value);
    }

    fn told(&self, name: &str, status: &str) -> usize {
        let told = self.told.lock().expect("no test panics under it");
        told.iter().filter(|(n, s)| n == name && s == status).count()
    }
}

/// The job `missed` has the series of that name, the other job all others.
async fn page(State(world): State<Arc<World>>, Path(job): Path<String>) -> (StatusCode, String) {
    if job == "missed" && world.is_broken.load(Ordering::SeqCst) {
        return (StatusCode::SERVICE_UNAVAILABLE, String::new());
    }
    let values = world.values.lock().expect("no test panics under it");
    let own = values.iter().filter(|(name, _)| (**name == "missed") == (job == "missed"));
    (StatusCode::OK, own.map(|(name, value)| format!("{name} {value}\n")).collect())
}

async fn take(State(world): State<Arc<World>>, body: Bytes) -> StatusCode {
    if world.refuses.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let of = |key: &str| message["alerts"][0][key].as_str().unwrap_or_default().to_owned();
    let name = message["alerts"][0]["labels"]["alertname"].as_str().unwrap_or_default().to_owned();
    world.told.lock().expect("no test panics under it").push((name, of("status")));
    StatusCode::OK
}

async fn alerts(node: &Node) -> Result<BTreeMap<String, Value>> {
    let all = node.client.api("alerts").await?;
    let all = all["alerts"].as_array().context("no list")?.clone();
    Ok(all
        .into_iter()
        .map(|alert| (alert["labels"]["alertname"].as_str().unwrap_or_default().to_owned(), alert))
        .collect())
}

#[tokio::test]
async fn a_kill_ends_no_alert_repeats_none_and_loses_no_end() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let world = Arc::<World>::default();
    let router = Router::new().route("/metrics/{job}", get(page)).route("/hook", post(take)).with_state(world.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    write(dir.path(), "rules.yml", RULES)?;
    let alertmanager = format!(
        "route: {{receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s}}\n\
         receivers: [{{name: hook, webhook_configs: [{{url: 'http://{address}/hook'}}]}}]\n"
    );
    write(dir.path(), "alertmanager.yml", &alertmanager)?;
    let job = |name: &str| {
        format!("- {{job_name: {name}, metrics_path: /metrics/{name}, static_configs: [{{targets: ['{address}']}}]}}\n")
    };
    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [rules.yml]\n\
         alerting: {{local: {{config_file: alertmanager.yml}}}}\nscrape_configs:\n{}{}",
        job("made"),
        job("missed")
    );
    let mut shard = Node::start("shard", dir.path(), &config, &[]).await?;

    let at_once = ["Holds", "Kept", "Missed", "Ends", "Untold"];
    ["holds", "kept", "missed", "ends", "untold", "pends"].into_iter().for_each(|name| world.set(name, 1));
    eventually("all but one fire", BOUND, || async {
        ensure!(at_once.iter().all(|name| world.told(name, "firing") == 1), "{:?}", world.told);
        Ok(())
    })
    .await?;
    world.refuses.store(true, Ordering::SeqCst);
    world.is_broken.store(true, Ordering::SeqCst);
    world.set("kept", 0);
    world.set("untold", 0);
    eventually("one is kept, one held, one over and not told", BOUND, || async {
        let alerts = alerts(&shard).await?;
        ensure!(alerts.get("Kept").is_some_and(|alert| alert["keepFiringSince"].is_string()), "{alerts:?}");
        ensure!(shard.client.query("missed", None).await?[0].is_null(), "still there");
        ensure!(alerts.contains_key("Missed") && !alerts.contains_key("Untold"), "{alerts:?}");
        ensure!(alerts["Pends"]["state"] == "pending", "{alerts:?}");
        Ok(())
    })
    .await?;
    let journal = shard.data.join("alert/journal");
    eventually("what was told is journalled", BOUND, || async {
        let text = std::fs::read_to_string(&journal)?;
        ensure!(text.matches("\"sent\"").count() >= at_once.len(), "{text}");
        Ok(())
    })
    .await?;

    shard.kill().await?;
    let killed = SystemClock.now().to_rfc3339();
    world.set("ends", 0);
    world.is_broken.store(false, Ordering::SeqCst);
    world.refuses.store(false, Ordering::SeqCst);
    shard.restart().await?;
    let after = alerts(&shard).await?;
    for name in ["Holds", "Kept", "Missed", "Pends"] {
        let since = after.get(name).and_then(|alert| alert["activeAt"].as_str());
        ensure!(
            since.is_some_and(|since| since < killed.as_str()),
            "{name} is not what it was: {after:?}\n{}",
            shard.log()
        );
    }
    eventually("every end is told, and what was pending fires", BOUND, || async {
        let ended = ["Kept", "Ends", "Untold"].iter().all(|name| world.told(name, "resolved") == 1);
        ensure!(ended && world.told("Pends", "firing") == 1, "{:?}", world.told);
        Ok(())
    })
    .await?;
    for name in ["Holds", "Missed", "Pends"] {
        ensure!(world.told(name, "resolved") == 0, "{name}: {:?}", world.told);
    }
    ensure!(at_once.iter().all(|name| world.told(name, "firing") == 1), "{:?}", world.told);
    Ok(())
}
