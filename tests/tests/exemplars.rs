//! Exemplars that a Prometheus scraped: on its directory a shard answers as it did, over HTTP.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::http::header;
use axum::routing::get;
use serde_json::Value;
use tests::{Client, Node, eventually, find, prometheus_on, write};
use tokio::net::TcpListener;

const BOUND: Duration = Duration::from_secs(60);

/// An OpenMetrics page: exemplars that change with every scrape, stay for some, have a time of their own, and have no labels. Those with a
/// time all differ: when it starts, Prometheus drops one that differs from the last by its time alone.
fn page(scrape: u64) -> String {
    let (few, time) = (scrape / 4, 1_700_000_000 + scrape);
    format!(
        "# TYPE requests counter\n\
         requests_total{{code=\"200\"}} {scrape} # {{trace_id=\"t{scrape}\"}} {scrape}.5\n\
         requests_total{{code=\"500\"}} {few} # {{trace_id=\"e{few}\",span_id=\"ä \\\"q\\\"\"}} 1e-3\n\
         # TYPE latency histogram\n\
         latency_bucket{{le=\"0.1\"}} {few} # {{trace_id=\"q{scrape}\"}} 0.05 {time}.25\n\
         latency_bucket{{le=\"+Inf\"}} {scrape} # {{}} 3\n\
         latency_count {scrape}\nlatency_sum {scrape}.5\n# EOF\n"
    )
}

async fn target() -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?.to_string();
    let scrapes = Arc::new(AtomicU64::new(0));
    let page = move || {
        let text = page(scrapes.fetch_add(1, Ordering::SeqCst));
        async move { ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text) }
    };
    let router = Router::new().route("/metrics", get(page));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

fn request(query: &str, start: f64, end: f64) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("query", query).append_pair("start", &start.to_string()).append_pair("end", &end.to_string());
    form.finish()
}

async fn ask(client: &Client, query: &str, post: bool) -> Result<(u16, Value)> {
    match post {
        true => client.answer("/api/v1/query_exemplars", Some(query)).await,
        false => client.answer(&format!("/api/v1/query_exemplars?{query}"), None).await,
    }
}

/// The status, the type of error or the data.
fn essence((status, mut answer): (u16, Value)) -> (u16, Value, Value) {
    (status, answer["errorType"].take(), answer["data"].take())
}

fn count(answer: &Value) -> usize {
    let series = answer["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    series.iter().filter_map(|series| series["exemplars"].as_array()).map(Vec::len).sum()
}

#[tokio::test]
async fn a_shard_answers_for_exemplars_as_prometheus_did() -> Result<()> {
    let Some(prometheus) = find("a_shard_answers_for_exemplars_as_prometheus_did", "prometheus") else {
        return Ok(());
    };
    let dir = tempfile::tempdir()?;
    let config = format!(
        "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\n\
         scrape_configs:\n  - job_name: traced\n    static_configs: [{{targets: ['{}']}}]\n",
        target().await?
    );
    let config = write(dir.path(), "prometheus.yml", &config)?;
    let data = dir.path().join("shard-data");
    let feature = ["--enable-feature=exemplar-storage"];
    let (mut process, client) = prometheus_on(&prometheus, dir.path(), &data, &config, &feature).await?;
    let everything = request("{__name__=~\".+\"}", 0.0, 4e9);
    eventually("exemplars are scraped", BOUND, || async {
        let (_, answer) = ask(&client, &everything, false).await?;
        ensure!(count(&answer) >= 40, "{} so far", count(&answer));
        Ok(())
    })
    .await?;
    // What comes later lies behind the newest time that is asked for.
    let end = client.query("time()", None).await?[1].as_str().context("no time")?.parse::<f64>()? - 1.0;
    let middle = end - 3.0;
    // Not asked is an expression without a selector: Prometheus gives no body, we an empty list.
    let requests = [
        request("{__name__=~\"requests_total|latency_bucket\"}", 0.0, end),
        request("requests_total", middle, end),
        request("requests_total{code=\"500\"}", 0.0, end),
        request("sum(rate(requests_total{code!~\"5..\"}[5s])) / on() latency_bucket{le=\"+Inf\"}", 0.0, end),
        request("latency_bucket", 1_700_000_000.0, 1_700_000_003.5),
        request("rate(latency_bucket[1m]) > 0 or vector(1)", 0.0, middle),
        request("nothing_of_this_name", 0.0, end),
        request("sum(", 0.0, end),
        request("requests_total", end, middle),
        "query=requests_total&start=soon".to_owned(),
    ];
    let mut wanted = Vec::new();
    for request in &requests {
        for post in [false, true] {
            let answer = ask(&client, request, post).await?;
            wanted.push((request, post, essence(answer)));
        }
    }
    ensure!(wanted[0].2.2.as_array().is_some_and(|series| series.len() == 4), "{}", wanted[0].2.2);
    process.kill().await?;

    // It scrapes nothing, so what it knows is what it found.
    let mut shard = Node::start("shard", dir.path(), "global: {scrape_interval: 1s}\n", &[]).await?;
    for restarted in [false, true] {
        for (request, post, want) in &wanted {
            let got = essence(ask(&shard.client, request, *post).await?);
            ensure!(got == *want, "{request}, post: {post}, restarted: {restarted}:\n{got:?}\n{want:?}");
        }
        shard.kill().await?;
        if !restarted {
            shard.restart().await?;
        }
    }
    let (_process, client) = prometheus_on(&prometheus, dir.path(), &data, &config, &feature).await?;
    for (request, post, want) in &wanted {
        let got = essence(ask(&client, request, *post).await?);
        ensure!(got == *want, "prometheus again: {request}, post: {post}:\n{got:?}\n{want:?}");
    }
    Ok(())
}
