//! A critical alert is decided and delivered inside the cluster: no global is needed.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::{Client, Node, Process, Receiver, eventually, find, free_port, node_exporter, write};

const BOUND: Duration = Duration::from_secs(40);

const RULES: &str = "groups:
  - name: alerts
    rules:
      - alert: InstanceDown
        expr: up == 0
        for: 1s
        labels: {severity: critical}
        annotations: {summary: '{{ $labels.instance }} of {{ $externalLabels.cluster }} is down'}
";

fn notification<'a>(all: &'a [Value], status: &str) -> Option<&'a Value> {
    all.iter().find(|n| n["status"] == status && n["commonLabels"]["alertname"] == "InstanceDown")
}

#[tokio::test]
async fn a_dead_target_is_notified_while_both_globals_are_down() -> Result<()> {
    let name = "a_dead_target_is_notified_while_both_globals_are_down";
    let Some(program) = find(name, "prometheus-node-exporter") else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let (mut exporter, target) = node_exporter(&program, dir.path()).await?;
    write(dir.path(), "rules.yml", RULES)?;
    let alertmanager = format!(
        "route: {{receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s}}\n\
         receivers: [{{name: hook, webhook_configs: [{{url: '{}'}}]}}]\n",
        receiver.url
    );
    write(dir.path(), "alertmanager.yml", &alertmanager)?;
    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s, external_labels: {{cluster: eu-1, replica: a}}}}\n\
         rule_files: [rules.yml]\nalerting: {{local: {{config_file: alertmanager.yml}}}}\n\
         scrape_configs:\n  - job_name: node\n    static_configs: [{{targets: ['{target}']}}]\n"
    );
    let mut shard = Node::start("shard", dir.path(), &config, &[]).await?;
    let mut globals = Vec::new();
    for number in [1, 2] {
        let config = format!(
            "global: {{scrape_interval: 1s}}\nfederation: {{selectors: [up, ALERTS], shards: [{{name: eu-1, replicas: ['{}']}}]}}\n",
            shard.client.url
        );
        globals.push(Node::start("global", &dir.path().join(format!("global-{number}")), &config, &[]).await?);
    }
    for global in &mut globals {
        eventually("the global sees the target", BOUND, || async {
            ensure!(global.client.value("up{job=\"node\"}").await? == 1.0, "not up");
            Ok(())
        })
        .await?;
        global.kill().await?;
    }

    exporter.kill().await?;
    let fired = eventually("the webhook is notified", BOUND, || async {
        notification(&receiver.all(), "firing").cloned().context("no notification yet")
    })
    .await?;
    ensure!(fired["version"] == "4" && fired["receiver"] == "hook", "{fired}");
    let alert = &fired["alerts"][0];
    ensure!(alert["labels"]["severity"] == "critical" && alert["labels"]["instance"] == target.as_str(), "{alert}");
    ensure!(alert["annotations"]["summary"] == format!("{target} of eu-1 is down").as_str(), "{alert}");
    let alerts = shard.client.api("alerts").await?;
    ensure!(alerts["alerts"][0]["state"] == "firing", "{alerts}");

    // The receiver has it; that it has is journalled a moment later. A kill in between may repeat the notification.
    let journal = shard.data.join("alert/journal");
    eventually("the notification is journalled", BOUND, || async {
        ensure!(std::fs::read_to_string(&journal)?.contains("\"sent\""), "not in {}", journal.display());
        Ok(())
    })
    .await?;

    // State survives kill -9: the shard comes back with the alert firing, and doesn't notify again.
    shard.kill().await?;
    shard.restart().await?;
    eventually("the alert fires again after kill -9", BOUND, || async {
        let alerts = shard.client.api("alerts").await?;
        ensure!(alerts["alerts"][0]["state"] == "firing", "{alerts}");
        Ok(())
    })
    .await?;
    let listen = format!("--web.listen-address={target}");
    let _exporter = Process::start(&program, [&listen], &dir.path().join("node_exporter.log"))?;
    let resolved = eventually("the webhook hears that it is over", BOUND, || async {
        notification(&receiver.all(), "resolved").cloned().context("no notification yet")
    })
    .await?;
    ensure!(resolved["alerts"][0]["status"] == "resolved", "{resolved}");
    let fired = receiver.all().iter().filter(|n| n["status"] == "firing").count();
    ensure!(fired == 1, "{fired} notifications of one event");
    Ok(())
}

#[tokio::test]
async fn an_alertmanager_gets_alerts_as_soon_as_it_is_found() -> Result<()> {
    let name = "an_alertmanager_gets_alerts_as_soon_as_it_is_found";
    let Some(program) = find(name, "prometheus-alertmanager") else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let rules = "groups: [{name: g, rules: [{alert: Always, expr: vector(1)}]}]\n";
    write(dir.path(), "rules.yml", rules)?;
    let config = "global: {scrape_interval: 1s, evaluation_interval: 1s, external_labels: {cluster: eu-1}}\nrule_files: [rules.yml]\n\
                  alerting:\n  alertmanagers:\n  - file_sd_configs: [{files: [found.json], refresh_interval: 1s}]\n    \
                  relabel_configs: [{source_labels: [dropped], regex: 'yes', action: drop}]\n";
    let shard = Node::start("shard", dir.path(), config, &[]).await?;
    eventually("the alert fires", BOUND, || async {
        let alerts = shard.client.api("alerts").await?;
        ensure!(alerts["alerts"][0]["state"] == "firing", "{alerts}");
        Ok(())
    })
    .await?;
    let alertmanagers = shard.client.api("alertmanagers").await?;
    ensure!(alertmanagers == json!({"activeAlertmanagers": [], "droppedAlertmanagers": []}), "{alertmanagers}");

    let port = free_port()?;
    write(dir.path(), "alertmanager.yml", "route: {receiver: none}\nreceivers: [{name: none}]\n")?;
    let flags = [
        format!("--config.file={}", dir.path().join("alertmanager.yml").display()),
        format!("--storage.path={}", dir.path().join("alertmanager").display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
        "--cluster.listen-address=".to_owned(),
    ];
    let _alertmanager = Process::start(&program, &flags, &dir.path().join("alertmanager.log"))?;
    let found = json!([{"targets": [format!("127.0.0.1:{port}")]}, {"targets": ["a:1"], "labels": {"dropped": "yes"}}]);
    write(dir.path(), "found.json", &found.to_string())?;
    let client = Client::new(format!("http://127.0.0.1:{port}"))?;
    eventually("the Alertmanager has the alert", BOUND, || async {
        let (_, alerts) = client.answer("/api/v2/alerts", None).await?;
        ensure!(alerts[0]["labels"] == json!({"alertname": "Always", "cluster": "eu-1"}), "{alerts}");
        Ok(())
    })
    .await?;
    let alertmanagers = shard.client.api("alertmanagers").await?;
    let shown = |address: &str| json!([{"url": format!("http://{address}/api/v2/alerts")}]);
    let want =
        json!({"activeAlertmanagers": shown(&format!("127.0.0.1:{port}")), "droppedAlertmanagers": shown("a:1")});
    ensure!(alertmanagers == want, "{alertmanagers}");
    Ok(())
}
