//! To Debian's Alertmanager, which also tells whether our fingerprints are its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use alert::{Alertmanagers, Fingerprint, Forwarder, RawAlerting};
use model::Labels;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use rules::Notifier;
use serde_json::Value;

use crate::bench::{alert, wait_for};

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn start_alertmanager(binary: &Path, dir: &Path, port: u16) -> Process {
    let config = dir.join("alertmanager.yml");
    std::fs::write(&config, "route: {receiver: none}\nreceivers: [{name: none}]\n").unwrap();
    let child = Command::new(binary)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", dir.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Process(child)
}

async fn forwarder(text: &str) -> Arc<Forwarder> {
    let raw: RawAlerting = config::load(text, "shard.yml").unwrap();
    let mut report = config::Report::new("shard.yml");
    let alerting = raw.validate(discovery::NameValidation::Utf8, &mut report);
    let alerting = report.finish(alerting).unwrap();
    let mut registry = Registry::default();
    let environment = discovery::Environment::new(&mut registry);
    let forwarder = Forwarder::new(environment, &mut registry);
    forwarder.set(alerting.alertmanagers).await;
    forwarder
}

#[tokio::test]
async fn debians_alertmanager_gets_every_alert() {
    let candidates = ["/usr/bin/prometheus-alertmanager", "/usr/bin/alertmanager"].map(Path::new);
    let Some(binary) = candidates.into_iter().find(|path| path.exists()) else {
        println!("SKIPPED: prometheus-alertmanager is not installed");
        return;
    };
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    // The alerts come before anybody listens: they have to wait.
    let text = format!("alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]");
    let forwarder = forwarder(&text).await;
    let names: Vec<String> = (0..150).map(|n| format!("größe-{n}")).collect();
    let alerts: Vec<rules::Alert> =
        names.iter().map(|name| alert(&[("alertname", "Down"), ("instance", name.as_str())], true)).collect();
    let mut want: Vec<String> = alerts.iter().map(|a| Fingerprint::of(&a.labels).to_string()).collect();
    forwarder.notify(alerts).await;
    let process = start_alertmanager(binary, dir.path(), port);
    let url = format!("http://127.0.0.1:{port}/api/v2/alerts");
    let got = wait_for("150 alerts at the Alertmanager", || async {
        let got: Vec<Value> = reqwest::get(&url).await.ok()?.json().await.ok()?;
        (got.len() == 150).then_some(got)
    })
    .await;
    let mut fingerprints: Vec<String> = got.iter().map(|a| a["fingerprint"].as_str().unwrap().to_owned()).collect();
    fingerprints.sort();
    want.sort();
    assert_eq!(fingerprints, want);
    assert_eq!(got[0]["annotations"]["summary"], "it is down");
    let ended = alert(&[("alertname", "Down"), ("instance", names[0].as_str())], false);
    forwarder.notify(vec![ended]).await;
    forwarder.shutdown().await;
    let left: Vec<Value> = reqwest::get(&url).await.unwrap().json().await.unwrap();
    assert_eq!(left.len(), 149, "the resolved one has gone before the shutdown ended");
    drop(process);
}

/// A server that takes alerts for ever and counts them by the label `n`.
async fn counting_server() -> (String, Arc<Mutex<BTreeMap<String, usize>>>) {
    let seen = Arc::new(Mutex::new(BTreeMap::new()));
    let state = seen.clone();
    let take = move |axum::Json(alerts): axum::Json<Vec<Value>>| async move {
        for alert in alerts {
            *state.lock().entry(alert["labels"]["n"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = axum::Router::new().route("/api/v2/alerts", axum::routing::post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, seen)
}

#[tokio::test]
async fn alerts_follow_what_discovery_finds() {
    let (dir, (first, at_first), (second, at_second)) =
        (tempfile::tempdir().unwrap(), counting_server().await, counting_server().await);
    let file = dir.path().join("alertmanagers.json");
    let found = |targets: &[&str]| {
        let (text, new) = (serde_json::json!([{"targets": targets}]).to_string(), dir.path().join("new"));
        std::fs::write(&new, text).and_then(|()| std::fs::rename(new, &file)).unwrap();
    };
    let text = format!(
        "alertmanagers: [{{file_sd_configs: [{{files: ['{}'], refresh_interval: 100ms}}], \
         relabel_configs: [{{source_labels: [__address__], regex: 'dropped:1', action: drop}}]}}]",
        file.display()
    );
    let forwarder = forwarder(&text).await;
    let seen = async |what: &str, at: &Mutex<BTreeMap<String, usize>>, want: &[&str]| {
        let is_there = || want.iter().all(|n| at.lock().get(*n) == Some(&1)) && at.lock().len() == want.len();
        wait_for(what, || async { is_there().then_some(()) }).await;
    };
    // Nobody has been found yet: the alert waits.
    forwarder.notify(vec![alert(&[("n", "1")], true)]).await;
    found(&[&first, "dropped:1"]);
    seen("the alert that waited", &at_first, &["1"]).await;
    let Alertmanagers { active, dropped } = forwarder.alertmanagers();
    assert_eq!(active, [format!("http://{first}/api/v2/alerts")]);
    assert_eq!(dropped, ["http://dropped:1/api/v2/alerts"]);
    found(&[&first, &second]);
    wait_for("the second", || async { (forwarder.alertmanagers().active.len() == 2).then_some(()) }).await;
    forwarder.notify(vec![alert(&[("n", "2")], true)]).await;
    seen("an alert for both", &at_first, &["1", "2"]).await;
    seen("an alert for both", &at_second, &["2"]).await;
    found(&[&second]);
    wait_for("the first's end", || async { (forwarder.alertmanagers().active.len() == 1).then_some(()) }).await;
    forwarder.notify(vec![alert(&[("n", "3")], true)]).await;
    seen("an alert for the second", &at_second, &["2", "3"]).await;
    forwarder.shutdown().await;
    seen("nothing more at the first", &at_first, &["1", "2"]).await;
}

#[test]
fn labels_of_the_documented_example_have_its_fingerprint() {
    let labels = Labels::from_pairs([("alertname", "InstanceDown"), ("instance", "10.0.0.7:9100")]);
    assert_eq!(Fingerprint::of(&labels).to_string(), "4f630e8857a4d650");
}
