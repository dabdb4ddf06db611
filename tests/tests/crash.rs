//! kill -9: whatever was stored is there on return, on a shard and on a global.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::{Client, Node, Points, eventually, find, node_exporter};

const BOUND: Duration = Duration::from_secs(40);

async fn stored(client: &Client, selector: &str, time: f64) -> Result<Points> {
    let points = client.samples(selector, 300, time).await?;
    ensure!(!points.is_empty(), "nothing stored for {selector}");
    Ok(points)
}

async fn now(client: &Client) -> Result<f64> {
    let result = client.query("time()", None).await?;
    result[1].as_str().context("time() gives nothing")?.parse().context("time() is no number")
}

#[tokio::test]
async fn no_stored_sample_is_missing_after_kill_9() -> Result<()> {
    let Some(program) = find("no_stored_sample_is_missing_after_kill_9", "prometheus-node-exporter") else {
        return Ok(());
    };
    let dir = tempfile::tempdir()?;
    let (_exporter, target) = node_exporter(&program, dir.path()).await?;
    let shard_config = format!(
        "global: {{scrape_interval: 1s, external_labels: {{cluster: eu-1, replica: a}}}}\n\
         scrape_configs:\n  - job_name: node\n    static_configs: [{{targets: ['{target}']}}]\n"
    );
    let mut shard = Node::start("shard", dir.path(), &shard_config, &["--storage.tsdb.min-block-duration=5s"]).await?;
    let global_config = format!(
        "global: {{scrape_interval: 1s, external_labels: {{tier: global}}}}\n\
         federation:\n  selectors: [up, '{{__name__=~\"node_cpu.*\"}}']\n  shards:\n    - name: eu-1\n      replicas: ['{}']\n",
        shard.client.url
    );
    let mut global =
        Node::start("global", dir.path(), &global_config, &["--storage.tsdb.min-block-duration=5s"]).await?;
    // Long enough that blocks have been cut and the log was truncated at least once.
    for node in [&shard, &global] {
        eventually("a block was cut", BOUND, || async {
            ensure!(std::fs::read_dir(&node.data)?.flatten().any(|e| e.file_name().len() == 26), "no block yet");
            ensure!(
                node.client.value("count_over_time(up{job=\"node\"}[1m])").await? >= 12.0,
                "not enough samples yet"
            );
            Ok(())
        })
        .await?;
    }
    let selector = "{__name__=~\"node_cpu_seconds_total|up\"}";
    let at = now(&shard.client).await?;
    let (before_shard, before_global) =
        (stored(&shard.client, selector, at).await?, stored(&global.client, selector, at).await?);
    global.kill().await?;
    shard.kill().await?;
    shard.restart().await?;
    global.restart().await?;
    let after_shard = stored(&shard.client, selector, at).await?;
    let after_global = stored(&global.client, selector, at).await?;
    missing_nothing("shard", &before_shard, &after_shard)?;
    missing_nothing("global", &before_global, &after_global)?;
    ensure!(shard.stop().await?, "the shard did not end well on SIGTERM:\n{}", shard.log());
    ensure!(global.stop().await?, "the global did not end well on SIGTERM:\n{}", global.log());
    Ok(())
}

fn missing_nothing(who: &str, before: &Points, after: &Points) -> Result<()> {
    for (series, points) in before {
        let kept = after.get(series).map(Vec::as_slice).unwrap_or_default();
        // Samples may have been added in between, where a scrape was under way.
        let missing = points.iter().filter(|point| !kept.contains(point)).count();
        ensure!(missing == 0, "{who}: {missing} of {} samples of {series} are missing", points.len());
    }
    Ok(())
}
