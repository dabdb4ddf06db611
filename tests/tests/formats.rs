//! A Prometheus shows the same in all formats that it knows, and a shard stores the same of it.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::{Client, Node, eventually, find, prometheus};

const BOUND: Duration = Duration::from_secs(60);
/// What `scrape_protocols` calls the formats, each the name of a job.
const PROTOCOLS: [&str; 3] = ["PrometheusProto", "OpenMetricsText1.0.0", "PrometheusText0.0.4"];

const PROTOBUF: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

/// The series of a job, without the job.
async fn series(client: &Client, job: &str) -> Result<BTreeSet<String>> {
    let selector = format!("{{job=\"{job}\"}}");
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("match[]", &selector).finish();
    let Value::Array(found) = client.api(&format!("series?{query}")).await? else { anyhow::bail!("no list") };
    let without_job = |mut labels: Value| {
        labels.as_object_mut().context("no labels")?.remove("job");
        Ok(labels.to_string())
    };
    found.into_iter().map(without_job).collect()
}

#[tokio::test]
async fn a_prometheus_is_the_same_in_all_formats() -> Result<()> {
    let Some(program) = find("a_prometheus_is_the_same_in_all_formats", "prometheus") else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let (_process, peer) = prometheus(&program, dir.path(), "global: {scrape_interval: 1h}\n").await?;
    let request = reqwest::Client::new().get(format!("{}/metrics", peer.url)).header("Accept", PROTOBUF);
    let content_type = request.send().await?.headers().get("Content-Type").cloned().context("no Content-Type")?;
    ensure!(content_type.to_str()?.starts_with("application/vnd.google.protobuf"), "it shows {content_type:?}");
    let target = peer.url.trim_start_matches("http://").to_owned();
    let job = |protocol: &&str| {
        format!(
            "  - job_name: {protocol}\n    scrape_protocols: [{protocol}]\n    static_configs: [{{targets: ['{target}']}}]\n"
        )
    };
    let config = format!(
        "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\nscrape_configs:\n{}",
        PROTOCOLS.iter().map(job).collect::<String>()
    );
    let shard = Node::start("shard", dir.path(), &config, &[]).await?;
    let client = &shard.client;
    // Scraping makes some series appear, so the jobs may differ for a while.
    eventually("all formats give the same series", BOUND, || async {
        for protocol in PROTOCOLS {
            let up = client.value(&format!("up{{job=\"{protocol}\"}}")).await?;
            ensure!(up == 1.0, "{protocol} is down: {}", client.api("targets").await?);
        }
        let text = series(client, PROTOCOLS[2]).await?;
        ensure!(text.len() > 300, "{} series", text.len());
        for protocol in &PROTOCOLS[..2] {
            let other = series(client, protocol).await?;
            let differing: Vec<&String> = text.symmetric_difference(&other).collect();
            ensure!(differing.is_empty(), "{protocol}: {differing:#?}");
        }
        Ok(())
    })
    .await?;
    let targets = client.api("targets").await?;
    ensure!(targets["activeTargets"].as_array().is_some_and(|targets| targets.len() == 3), "{targets}");
    // What doesn't move is the same number, be it a sample of its own or one of many in a histogram.
    for query in ["prometheus_tsdb_blocks_loaded", "go_info", "prometheus_tsdb_compaction_chunk_range_seconds_count"] {
        let count = client.value(&format!("count(count_values by () (\"v\", {query}))")).await?;
        ensure!(count == 1.0, "{query} has {count} values");
        ensure!(client.value(&format!("count({query})")).await? == 3.0, "{query}");
    }
    Ok(())
}
