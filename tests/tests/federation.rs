//! Federation with a real Prometheus, both ways: the values agree.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::{Client, Node, Points, eventually, find, node_exporter, prometheus};

const BOUND: Duration = Duration::from_secs(40);
const SELECTOR: &str = "{__name__=~\"node_cpu_seconds_total|node_load1\",job=\"node\"}";

/// Every sample that `puller` has from before `time` must be one that `source` stored, at the same time with the same value.
async fn agree(source: &Client, puller: &Client, time: f64, without: &[&str]) -> Result<()> {
    let stored = strip(source.samples(SELECTOR, 60, time).await?, without);
    let pulled = strip(puller.samples(SELECTOR, 60, time).await?, without);
    ensure!(!pulled.is_empty(), "nothing was pulled");
    for (series, points) in &pulled {
        let there = stored
            .get(series)
            .with_context(|| format!("{series} is not at the source, which has {:?}", stored.keys().next()))?;
        for point in points {
            ensure!(there.contains(point), "{series}: {point:?} was not stored at the source");
        }
    }
    ensure!(pulled.len() == stored.len(), "{} of {} series were pulled", pulled.len(), stored.len());
    Ok(())
}

/// Without the labels that the source adds for the world outside.
fn strip(points: Points, without: &[&str]) -> Points {
    let strip = |series: String| {
        let mut labels: serde_json::Value = serde_json::from_str(&series).unwrap_or_default();
        if let Some(labels) = labels.as_object_mut() {
            labels.retain(|name, _| !without.contains(&name.as_str()));
        }
        labels.to_string()
    };
    points.into_iter().map(|(series, points)| (strip(series), points)).collect()
}

async fn pulled_enough(client: &Client) -> Result<f64> {
    ensure!(client.value("min(count_over_time(node_load1{job=\"node\"}[1m]))").await? >= 4.0, "not yet");
    // Only what is older than this moment is compared: both sides have it by now.
    client.value("timestamp(node_load1{job=\"node\"})").await
}

#[tokio::test]
async fn a_real_prometheus_pulls_from_a_shard() -> Result<()> {
    let name = "a_real_prometheus_pulls_from_a_shard";
    let (Some(exporter), Some(peer)) = (find(name, "prometheus-node-exporter"), find(name, "prometheus")) else {
        return Ok(());
    };
    let dir = tempfile::tempdir()?;
    let (_exporter, target) = node_exporter(&exporter, dir.path()).await?;
    let config = format!(
        "global: {{scrape_interval: 1s, external_labels: {{cluster: eu-1, replica: a}}}}\n\
         scrape_configs:\n  - job_name: node\n    static_configs: [{{targets: ['{target}']}}]\n"
    );
    let shard = Node::start("shard", dir.path(), &config, &[]).await?;
    let address = shard.client.url.trim_start_matches("http://");
    let config = format!(
        "scrape_configs:\n  - job_name: federate\n    scrape_interval: 1s\n    scrape_timeout: 1s\n    honor_labels: true\n    metrics_path: /federate\n\
         \x20   params: {{'match[]': ['{{job=\"node\"}}']}}\n    static_configs: [{{targets: ['{address}']}}]\n"
    );
    let (_prometheus, puller) = prometheus(&peer, dir.path(), &config).await?;
    let time = eventually("Prometheus has pulled", BOUND, || pulled_enough(&puller)).await?;
    agree(&shard.client, &puller, time, &["cluster", "replica"]).await
}

#[tokio::test]
async fn a_global_pulls_from_a_real_prometheus() -> Result<()> {
    let name = "a_global_pulls_from_a_real_prometheus";
    let (Some(exporter), Some(peer)) = (find(name, "prometheus-node-exporter"), find(name, "prometheus")) else {
        return Ok(());
    };
    let dir = tempfile::tempdir()?;
    let (_exporter, target) = node_exporter(&exporter, dir.path()).await?;
    let config = format!(
        "global: {{scrape_interval: 1s, external_labels: {{cluster: eu-1, replica: a}}}}\n\
         scrape_configs:\n  - job_name: node\n    scrape_timeout: 1s\n    static_configs: [{{targets: ['{target}']}}]\n"
    );
    let (_prometheus, source) = prometheus(&peer, dir.path(), &config).await?;
    let config = format!(
        "global: {{scrape_interval: 1s}}\nfederation: {{selectors: ['{{job=\"node\"}}'], replica_labels: [replica], shards: [{{name: eu-1, replicas: ['{}']}}]}}\n",
        source.url
    );
    let global = Node::start("global", dir.path(), &config, &[]).await?;
    let time = eventually("the global has pulled", BOUND, || pulled_enough(&global.client)).await?;
    agree(&source, &global.client, time, &["cluster", "replica"]).await?;
    let hierarchy = global.client.api("hierarchy").await?;
    let replica = &hierarchy["shards"][0]["replicas"][0];
    ensure!(replica["state"] == "up" && replica["replica"] == "a", "{hierarchy}");
    Ok(())
}
