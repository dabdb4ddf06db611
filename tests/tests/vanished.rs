//! What vanishes is noticed without anybody having written a rule: a shard at its global, a global at its shards, a node by the silence of
//! its heartbeat.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::{Node, Receiver, eventually, write};

const BOUND: Duration = Duration::from_secs(60);

/// A pipeline that tells everything at once.
fn local(dir: &Path, receiver: &Receiver) -> Result<()> {
    let text = format!(
        "route: {{receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s}}\n\
         receivers: [{{name: hook, webhook_configs: [{{url: '{}'}}]}}]\n",
        receiver.url
    );
    write(dir, "alertmanager.yml", &text).map(drop)
}

/// The labels of what was told with this name and status.
fn told(receiver: &Receiver, name: &str, status: &str) -> Vec<Value> {
    let of = |all: &Value| all["status"] == status && all["commonLabels"]["alertname"] == name;
    receiver.all().into_iter().filter(of).map(|all| all["commonLabels"].clone()).collect()
}

async fn hears(receiver: &Receiver, name: &str, status: &str) -> Result<Value> {
    let heard = || async { told(receiver, name, status).pop().with_context(|| format!("no {status} {name}")) };
    eventually("the alert is told", BOUND, heard).await
}

async fn shard(dir: &Path, replica: &str, hook: &Receiver, heartbeat: &Receiver) -> Result<Node> {
    let dir = dir.join(replica);
    local(&dir, hook)?;
    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s, external_labels: {{cluster: eu, replica: {replica}}}}}\n\
         alerting: {{local: {{config_file: alertmanager.yml}}, heartbeats: [{{url: '{}', interval: 1s}}]}}\n\
         built_in_alerts: {{GlobalUnreachable: {{above: 12s, labels: {{team: edge}}}}}}\n\
         scrape_configs: [{{job_name: target, static_configs: [{{targets: ['127.0.0.1:9']}}]}}]\n",
        heartbeat.url
    );
    Node::start("shard", &dir, &config, &[]).await
}

#[tokio::test]
async fn what_vanishes_is_told_and_what_follows_is_not() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (hook, heartbeat) = (Receiver::start().await?, Receiver::start().await?);
    let (at_shard, silent) = (Receiver::start().await?, Receiver::start().await?);
    let mut a = shard(dir.path(), "a", &at_shard, &heartbeat).await?;
    let mut b = shard(dir.path(), "b", &at_shard, &silent).await?;

    local(dir.path(), &hook)?;
    let rules = "groups:\n- name: g\n  rules:\n  - {alert: Old, expr: 'time() - timestamp(up{job=\"target\"}) > 6'}\n";
    write(dir.path(), "rules.yml", rules)?;
    let config = format!(
        "name: g1\nglobal: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\nrule_files: [rules.yml]\n\
         alerting: {{local: {{config_file: alertmanager.yml}}}}\n\
         built_in_alerts: {{ShardDown: {{for: 0s, severity: page}}, ShardReplicaDown: {{for: 0s}}}}\n\
         federation: {{selectors: [up], replica_labels: [replica], shards: [{{name: eu-1, replicas: ['{}', '{}']}}]}}\n",
        a.client.url, b.client.url
    );
    let mut global = Node::start("global", dir.path(), &config, &[]).await?;
    eventually("the global has samples", BOUND, || async {
        ensure!(global.client.value("up{job=\"target\",cluster=\"eu\"}").await? == 0.0, "no sample");
        ensure!(heartbeat.all().len() >= 2, "no heartbeats");
        Ok(())
    })
    .await?;

    a.kill().await?;
    let replica = hears(&hook, "ShardReplicaDown", "firing").await?;
    let instance = a.client.url.trim_start_matches("http://");
    ensure!(replica["instance"] == instance && replica["shard"] == "eu-1", "{replica}");
    ensure!(told(&hook, "ShardDown", "firing").is_empty(), "the other replica lives");
    let beats = heartbeat.all().len();

    b.kill().await?;
    let down = hears(&hook, "ShardDown", "firing").await?;
    ensure!(down["cluster"] == "eu" && down["severity"] == "page" && down["shard"] == "eu-1", "{down}");
    // The data is old now, and everybody knows why.
    eventually("what follows is inhibited", BOUND, || async {
        let (_, alerts) = global.client.answer("/api/v2/alerts", None).await?;
        let old = alerts.as_array().and_then(|all| all.iter().find(|one| one["labels"]["alertname"] == "Old"));
        let old = old.context("the alert that follows doesn't fire yet")?;
        ensure!(old["status"]["state"] == "suppressed", "{old}");
        Ok(())
    })
    .await?;
    ensure!(told(&hook, "Old", "firing").is_empty(), "{:?}", hook.all());
    ensure!(heartbeat.all().len() <= beats + 1, "a dead node's heart beats");

    a.restart().await?;
    hears(&hook, "ShardDown", "resolved").await?;
    eventually("the shard has stored that it was pulled", BOUND, || async {
        a.client.value("watershed_federation_last_pull_timestamp_seconds").await.map(drop)
    })
    .await?;
    ensure!(told(&at_shard, "GlobalUnreachable", "firing").is_empty(), "the global pulls: {:?}", at_shard.all());

    // That somebody pulled is known over a restart.
    global.kill().await?;
    a.kill().await?;
    a.restart().await?;
    let gone = hears(&at_shard, "GlobalUnreachable", "firing").await?;
    ensure!(gone["team"] == "edge" && gone["severity"] == "critical", "{gone}");
    Ok(())
}
