//! To Debian's Alertmanager, which also tells whether our fingerprints are its own.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use alert::{Fingerprint, Forwarder, RawAlerting};
use model::Labels;
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

fn forwarder(port: u16) -> Forwarder {
    let text = format!("alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]");
    let raw: RawAlerting = config::load(&text, "shard.yml").unwrap();
    let mut report = config::Report::new("shard.yml");
    let alerting = raw.validate(&mut report);
    let alerting = report.finish(alerting).unwrap();
    let forwarder = Forwarder::new(&mut Registry::default());
    forwarder.set(&alerting.alertmanagers);
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
    let forwarder = forwarder(port);
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

#[test]
fn labels_of_the_documented_example_have_its_fingerprint() {
    let labels = Labels::from_pairs([("alertname", "InstanceDown"), ("instance", "10.0.0.7:9100")]);
    assert_eq!(Fingerprint::of(&labels).to_string(), "4f630e8857a4d650");
}
