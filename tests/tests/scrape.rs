//! A shard scrapes a real exporter, and what it stores is what Debian's promtool reads.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::{Node, eventually, find, node_exporter};

const BOUND: Duration = Duration::from_secs(30);

fn config(target: &str) -> String {
    format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s, external_labels: {{cluster: eu-1, replica: a}}}}\n\
         scrape_configs:\n  - job_name: node\n    static_configs: [{{targets: ['{target}']}}]\n"
    )
}

#[tokio::test]
async fn node_exporter_is_scraped_and_goes_down() -> Result<()> {
    let Some(program) = find("node_exporter_is_scraped_and_goes_down", "prometheus-node-exporter") else {
        return Ok(());
    };
    let dir = tempfile::tempdir()?;
    let (mut exporter, target) = node_exporter(&program, dir.path()).await?;
    let shard = Node::start("shard", dir.path(), &config(&target), &[]).await?;
    let client = &shard.client;
    eventually("the exporter is up", BOUND, || async {
        ensure!(client.value("up{job=\"node\"}").await? == 1.0, "up is 0");
        Ok(())
    })
    .await?;
    let cpus = client.value("count(count by (cpu) (node_cpu_seconds_total))").await?;
    ensure!(cpus >= 1.0, "no CPU is told of");
    let targets = client.api("targets").await?;
    ensure!(targets["activeTargets"][0]["health"] == "up", "{targets}");
    let metadata = client.api("metadata?metric=node_cpu_seconds_total").await?;
    ensure!(metadata["node_cpu_seconds_total"][0]["type"] == "counter", "{metadata}");

    exporter.kill().await?;
    eventually("the exporter is down and its series have ended", BOUND, || async {
        ensure!(client.value("up{job=\"node\"}").await? == 0.0, "up is still 1");
        ensure!(
            client.query("node_cpu_seconds_total", None).await?.as_array().is_some_and(Vec::is_empty),
            "still there"
        );
        Ok(())
    })
    .await?;
    let targets = client.api("targets").await?;
    let error = targets["activeTargets"][0]["lastError"].as_str().context("no lastError")?;
    ensure!(!error.is_empty(), "a target that is down says why");
    Ok(())
}

#[tokio::test]
async fn a_bad_configuration_is_refused_and_the_old_one_stays() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let shard = Node::start("shard", dir.path(), &config("127.0.0.1:9"), &[]).await?;
    std::fs::write(dir.path().join("shard.yml"), "global:\n  scrape_intervall: 1s\n")?;
    let error = shard.client.post("/-/reload").await.expect_err("the key is wrong").to_string();
    ensure!(error.contains("shard.yml:2:3"), "{error}");
    ensure!(error.contains("scrape_interval"), "no suggestion: {error}");
    ensure!(
        shard.client.api("status/config").await?["yaml"].as_str().is_some_and(|y| y.contains("job_name: node")),
        "the old one is gone"
    );
    let metrics = shard.client.text("/metrics").await?;
    ensure!(metrics.contains("prometheus_config_last_reload_successful 0"), "{metrics}");
    std::fs::write(dir.path().join("shard.yml"), config("127.0.0.1:10"))?;
    shard.client.post("/-/reload").await?;
    let targets = shard.client.api("targets").await?;
    ensure!(targets.to_string().contains("127.0.0.1:10"), "{targets}");
    Ok(())
}
