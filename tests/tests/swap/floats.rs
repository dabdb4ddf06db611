//! Floats, on time and late.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::routing::get;
use model::{Clock, SystemClock};
use tests::{Client, Node, Points, eventually, find, node_exporter, prometheus_on, write};
use tokio::net::TcpListener;

const BOUND: Duration = Duration::from_secs(60);
/// What is compared; the second of them comes late half of the time.
const SELECTOR: &str = "{__name__=~\"node_cpu_seconds_total|late|up\"}";

/// A target that gives its sample a time: now, or, every other scrape, some seconds ago.
async fn late_target() -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?.to_string();
    let scrapes = Arc::new(AtomicI64::new(0));
    let page = move || {
        let scrape = scrapes.fetch_add(1, Ordering::SeqCst);
        // 37 and 1000 have no common divisor, so no two of the late ones fall on one time for a long while.
        let age_ms = if scrape % 2 == 0 { 0 } else { 2000 + scrape * 37 };
        let time = SystemClock.now().as_ms() - age_ms;
        async move { format!("late {scrape} {time}\n") }
    };
    let router = Router::new().route("/metrics", get(page));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn now(client: &Client) -> Result<f64> {
    let result = client.query("time()", None).await?;
    result[1].as_str().context("time() gives nothing")?.parse().context("time() is no number")
}

/// Waits until the node has scraped for a while since a time, and gives everything there is then.
async fn scraped_since(client: &Client, since: f64) -> Result<(f64, Points)> {
    let count = |name: &'static str| async move {
        let at = now(client).await?;
        let points = client.samples(name, 300, at).await?;
        anyhow::Ok(points.values().flatten().filter(|(time, _)| *time as f64 > since * 1000.0).count())
    };
    eventually("some scrapes", BOUND, || async {
        let (up, late) = (count("up").await?, count("late").await?);
        ensure!(up >= 16 && late >= 6, "{up} of up and {late} late ones");
        Ok(())
    })
    .await?;
    let at = now(client).await?;
    Ok((at, client.samples(SELECTOR, 300, at).await?))
}

fn missing_nothing(who: &str, before: &Points, after: &Points) -> Result<()> {
    ensure!(!before.is_empty(), "{who}: nothing to compare");
    for (series, points) in before {
        let kept = after.get(series).map(Vec::as_slice).unwrap_or_default();
        let missing: Vec<_> = points.iter().filter(|point| !kept.contains(point)).collect();
        ensure!(
            missing.is_empty(),
            "{who}: {} of {} samples of {series} are missing, the first {:?}",
            missing.len(),
            points.len(),
            missing[0]
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_killed_shard_leaves_everything_to_prometheus_and_the_other_way_round() -> Result<()> {
    let name = "a_killed_shard_leaves_everything_to_prometheus_and_the_other_way_round";
    let (Some(exporter), Some(prometheus)) = (find(name, "prometheus-node-exporter"), find(name, "prometheus")) else {
        return Ok(());
    };
    let dir = tempfile::tempdir()?;
    let (_exporter, node) = node_exporter(&exporter, dir.path()).await?;
    let late = late_target().await?;
    let config = format!(
        "global: {{scrape_interval: 1s}}\nstorage: {{tsdb: {{out_of_order_time_window: 10m}}}}\n\
         scrape_configs:\n  - job_name: node\n    static_configs: [{{targets: ['{node}']}}]\n  \
         - job_name: late\n    static_configs: [{{targets: ['{late}']}}]\n"
    );
    let config = write(dir.path(), "shard.yml", &config)?;
    // Small blocks, so that there are blocks, a checkpoint and head chunks to take over.
    let flags = ["--storage.tsdb.min-block-duration=5s", "--enable-feature=metadata-wal-records"];
    let mut shard = Node::start_with("shard", dir.path(), config.clone(), &flags).await?;
    let (at, before) = scraped_since(&shard.client, 0.0).await?;
    shard.kill().await?;

    let (mut process, client) = prometheus_on(&prometheus, dir.path(), &shard.data, &config, &[]).await?;
    let after = client.samples(SELECTOR, 300, at).await?;
    missing_nothing("prometheus after the shard", &before, &after)?;
    let (at, before) = scraped_since(&client, at).await?;
    process.kill().await?;

    shard.restart().await?;
    let after = shard.client.samples(SELECTOR, 300, at).await?;
    missing_nothing("the shard after prometheus", &before, &after)?;
    let (at, before) = scraped_since(&shard.client, at).await?;
    shard.kill().await?;

    let (mut process, client) = prometheus_on(&prometheus, dir.path(), &shard.data, &config, &[]).await?;
    let after = client.samples(SELECTOR, 300, at).await?;
    missing_nothing("prometheus once more", &before, &after)?;
    ensure!(process.stop().await?, "prometheus did not end well:\n{}", process.log());
    Ok(())
}
