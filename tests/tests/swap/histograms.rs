//! Native histograms that Prometheus scraped, in a directory that a shard cuts into blocks in between.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::http::{HeaderMap, header};
use axum::routing::get;
use serde_json::Value;
use tests::{Client, Node, eventually, find, is_prometheus_3, prometheus_on, watershed, write};
use tokio::net::TcpListener;
use tokio::process::Command;

const BOUND: Duration = Duration::from_secs(60);
const PROTOBUF: &str = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A number of a message.
fn uint(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

/// The same in zigzag.
fn sint(out: &mut Vec<u8>, field: u64, value: i64) {
    uint(out, field, ((value << 1) ^ (value >> 63)) as u64);
}

fn double(out: &mut Vec<u8>, field: u64, value: f64) {
    varint(out, field << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

fn nested(out: &mut Vec<u8>, field: u64, message: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, message.len() as u64);
    out.extend_from_slice(message);
}

/// io.prometheus.client.Histogram at a scrape: three buckets that grow, a fourth from some scrape on, and all over again later.
fn histogram(scrape: u64) -> Vec<u8> {
    let step = (scrape % 12) as i64 + 1;
    let counts: Vec<i64> = (0..if step > 5 { 4 } else { 3 }).map(|bucket| step * (bucket + 1)).collect();
    let mut out = Vec::new();
    uint(&mut out, 1, counts.iter().sum::<i64>() as u64 + 1);
    double(&mut out, 2, step as f64 * 1.5);
    sint(&mut out, 5, 3);
    double(&mut out, 6, 0.001);
    uint(&mut out, 7, 1);
    let mut span = Vec::new();
    sint(&mut span, 1, -2);
    uint(&mut span, 2, counts.len() as u64);
    nested(&mut out, 12, &span);
    let before = std::iter::once(0).chain(counts.iter().copied());
    counts.iter().zip(before).for_each(|(count, before)| sint(&mut out, 13, count - before));
    out
}

/// A delimited io.prometheus.client.MetricFamily with one histogram.
fn family(scrape: u64) -> Vec<u8> {
    let (mut metric, mut family, mut out) = (Vec::new(), Vec::new(), Vec::new());
    nested(&mut metric, 7, &histogram(scrape));
    nested(&mut family, 1, b"native");
    uint(&mut family, 3, 4);
    nested(&mut family, 4, &metric);
    varint(&mut out, family.len() as u64);
    out.extend_from_slice(&family);
    out
}

/// A target that gives a native histogram to whoever takes protocol buffers, and a plain sample to others.
async fn target() -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?.to_string();
    let scrapes = Arc::new(AtomicU64::new(0));
    let page = move |headers: HeaderMap| {
        let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        let answer = if accept.contains("protobuf") {
            ([(header::CONTENT_TYPE, PROTOBUF)], family(scrapes.fetch_add(1, Ordering::SeqCst)))
        } else {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], b"plain 1\n".to_vec())
        };
        async move { answer }
    };
    let router = Router::new().route("/metrics", get(page));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// All histograms up to a time in seconds.
async fn histograms(client: &Client, until: f64) -> Result<Vec<Value>> {
    let mut result = client.query("native[10m]", Some(until)).await?;
    match result.get_mut(0).map(|series| series["histograms"].take()) {
        Some(Value::Array(histograms)) => Ok(histograms),
        _ => Ok(Vec::new()),
    }
}

async fn now(client: &Client) -> Result<f64> {
    let result = client.query("time()", None).await?;
    result[1].as_str().context("time() gives nothing")?.parse().context("time() is no number")
}

/// Waits for `more` new histograms; gives the time that they were asked for, and all there are.
async fn scraped(client: &Client, more: usize) -> Result<(f64, Vec<Value>)> {
    let before = histograms(client, now(client).await?).await?.len();
    eventually("histograms are scraped", BOUND, || async {
        let at = now(client).await?;
        let all = histograms(client, at).await?;
        ensure!(all.len() >= before + more, "{} after {before}", all.len());
        Ok((at, all))
    })
    .await
}

/// What `watershed tsdb dump` prints of them, as a count.
async fn dumped(data: &Path) -> Result<usize> {
    let out = Command::new(watershed()?).args(["tsdb", "dump", "--match=native"]).arg(data).output().await?;
    ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Ok(String::from_utf8_lossy(&out.stdout).lines().filter(|line| line.contains("{count:")).count())
}

#[tokio::test]
async fn native_histograms_go_from_prometheus_to_a_shard_and_back() -> Result<()> {
    let Some(prometheus) = find("native_histograms_go_from_prometheus_to_a_shard_and_back", "prometheus") else {
        return Ok(());
    };
    let dir = tempfile::tempdir()?;
    // What is a flag in Prometheus 2 is a key in 3.
    let wanted = if is_prometheus_3(&prometheus)? { ", scrape_native_histograms: true" } else { "" };
    let config = format!(
        "global: {{scrape_interval: 500ms, scrape_timeout: 500ms{wanted}}}\n\
         scrape_configs:\n  - job_name: native\n    static_configs: [{{targets: ['{}']}}]\n",
        target().await?
    );
    let config = write(dir.path(), "shard.yml", &config)?;
    let data = dir.path().join("shard-data");
    let feature = ["--enable-feature=native-histograms"];
    let (mut process, client) = prometheus_on(&prometheus, dir.path(), &data, &config, &feature).await?;
    let (mut at, mut want) = scraped(&client, 20).await?;
    process.kill().await?;
    let mut shard: Option<Node> = None;
    for _ in 0..2 {
        ensure!(dumped(&data).await? >= want.len(), "the log has not all of them");
        // The shard's own samples let it cut blocks, with the histograms in them.
        match &mut shard {
            Some(shard) => shard.restart().await?,
            None => {
                let flags = ["--storage.tsdb.min-block-duration=5s"];
                shard = Some(Node::start_with("shard", dir.path(), config.clone(), &flags).await?);
            }
        }
        let shard = shard.as_mut().context("it was just started")?;
        let newest = want.last().and_then(|point| point[0].as_f64()).context("no histogram")?;
        eventually("a block behind the newest histogram is cut", BOUND, || async {
            let in_head = shard.client.api("status/tsdb").await?["headStats"]["minTime"].as_f64();
            let in_head = in_head.context("no minTime")?;
            ensure!(in_head > newest * 1000.0, "the head begins at {in_head}");
            Ok(())
        })
        .await?;
        shard.kill().await?;
        ensure!(dumped(&data).await? >= want.len(), "the blocks have not all of them");
        let (mut process, client) = prometheus_on(&prometheus, dir.path(), &data, &config, &feature).await?;
        let got = histograms(&client, at).await?;
        ensure!(got == want, "{} histograms came back of {}:\n{got:?}\n{want:?}", got.len(), want.len());
        (at, want) = scraped(&client, 10).await?;
        process.kill().await?;
    }
    Ok(())
}
