//! What a node tells of its queries: what each of them cost, the log of those that ended, and after a crash the names of those that had not.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::{Node, eventually, write};

const BOUND: Duration = Duration::from_secs(60);

/// Takes minutes and little memory.
const LONG: &str = "quantile_over_time(0.5, quantile_over_time(0.5, vector(1)[9d:5s])[9d:5s])";

fn lines(file: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn line_of(file: &Path, query: &str) -> Result<Value> {
    let line = lines(file)?.into_iter().find(|line| line["params"]["query"] == query);
    line.with_context(|| format!("{query} is not in {}", file.display()))
}

#[tokio::test]
async fn queries_are_logged_where_the_configuration_says() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let rules = "groups: [{name: g, interval: 1s, rules: [{record: r, expr: vector(3)}]}]\n";
    write(dir.path(), "rules.yml", rules)?;
    let config = "global: {query_log_file: query.log}\nrule_files: [rules.yml]\n";
    let shard = Node::start("shard", dir.path(), config, &[]).await?;
    // Relative to the configuration.
    let log = dir.path().join("query.log");

    shard.client.query("sum( up )", Some(1_581_173_990.368)).await?;
    let line = line_of(&log, "sum( up )")?;
    ensure!(line["params"]["start"] == "2020-02-08T14:59:50.368Z" && line["params"]["step"] == 0, "{line}");
    let request = &line["httpRequest"];
    ensure!(request["clientIP"] == "127.0.0.1" && request["path"] == "/api/v1/query", "{line}");
    ensure!(request["method"] == "GET" && line["stats"]["timings"]["execTotalTime"].is_f64(), "{line}");
    eventually("rules are logged", BOUND, || async {
        let line = line_of(&log, "vector(3)")?;
        ensure!(line["ruleGroup"]["name"] == "g", "{line}");
        Ok(())
    })
    .await?;

    eventually("what the log counts is what the query looked at", BOUND, || async {
        let counted = shard.client.value("sum(count_over_time(r[1h]))").await?;
        let line = lines(&log)?.into_iter().rfind(|line| line["params"]["query"] == "sum(count_over_time(r[1h]))");
        let samples = line.context("no line")?["stats"]["samples"].clone();
        ensure!(counted >= 2.0 && samples["totalQueryableSamples"] == counted as u64, "{counted}: {samples}");
        ensure!(samples["samplesRead"] == counted as u64, "{counted}: {samples}");
        Ok(())
    })
    .await?;

    let (status, _) =
        shard.client.answer("/api/v1/query_range", Some("query=up*on()up&start=0&end=60&step=15")).await?;
    ensure!(status == 200, "{status}");
    let line = line_of(&log, "up*on()up")?;
    ensure!(line["params"]["step"] == 15 && line["httpRequest"]["method"] == "POST", "{line}");

    // As a rotation does it: the file goes, a reload opens a new one.
    fs::rename(&log, dir.path().join("query.log.1"))?;
    shard.client.post("/-/reload").await?;
    shard.client.query("after_the_rotation", None).await?;
    line_of(&log, "after_the_rotation")?;
    ensure!(line_of(&dir.path().join("query.log.1"), "after_the_rotation").is_err(), "the old file is still written");

    // A log that can't be opened leaves everything as it was.
    write(dir.path(), "shard.yml", "global: {query_log_file: nowhere/query.log}\n")?;
    ensure!(shard.client.post("/-/reload").await.is_err(), "a bad log was taken");
    shard.client.query("still_there", None).await?;
    line_of(&log, "still_there")?;
    write(dir.path(), "shard.yml", "rule_files: [rules.yml]\n")?;
    shard.client.post("/-/reload").await?;
    shard.client.query("not_any_more", None).await?;
    ensure!(line_of(&log, "not_any_more").is_err(), "the log is still written");
    Ok(())
}

#[tokio::test]
async fn a_query_tells_what_it_cost_where_it_is_asked() -> Result<()> {
    let rules = "groups: [{name: g, interval: 1s, rules: [{record: r, expr: vector(3)}]}]\n";
    let ask = async |shard: &Node, asked: &str| {
        let (status, body) =
            shard.client.answer(&format!("/api/v1/query?query=sum(count_over_time(r[1h])){asked}"), None).await?;
        ensure!(status == 200, "{asked}: {body}");
        Ok(body)
    };
    for (flags, per_step) in [(&["--enable-feature=promql-per-step-stats"][..], true), (&[], false)] {
        let dir = tempfile::tempdir()?;
        write(dir.path(), "rules.yml", rules)?;
        let shard = Node::start("shard", dir.path(), "rule_files: [rules.yml]\n", flags).await?;
        let asked = "&stats=all&explain=true";
        let body = eventually("two samples are stored", BOUND, || async {
            let body = ask(&shard, asked).await?;
            let count: f64 = body["data"]["result"][0]["value"][1].as_str().context("no value")?.parse()?;
            ensure!(count >= 2.0, "{body}");
            Ok(body)
        })
        .await?;
        let data = &body["data"];
        let count: u64 = data["result"][0]["value"][1].as_str().context("no value")?.parse()?;
        let samples = &data["stats"]["samples"];
        ensure!(samples["totalQueryableSamples"] == count && samples["samplesRead"] == count, "{count}: {samples}");
        let step = &samples["totalQueryableSamplesPerStep"];
        let want = per_step.then(|| serde_json::json!([[data["result"][0]["value"][0], count]]));
        ensure!(step.as_array() == want.as_ref().and_then(Value::as_array), "{samples}");
        ensure!(step == &samples["samplesReadPerStep"], "{samples}");
        ensure!(data["stats"]["timings"]["evalTotalTime"].as_f64() > Some(0.0), "{data}");
        let sum = &data["explain"];
        ensure!(sum["node"] == "aggregation" && sum["text"] == "sum(…)" && sum["series"] == 1, "{sum}");
        let range = &sum["children"][0]["children"][0];
        ensure!(range["text"] == "r[1h]" && range["samples"] == count && range["points"] == count, "{sum}");
        ensure!(range["selectSeconds"].is_f64() && sum["totalSeconds"].as_f64() > Some(0.0), "{sum}");

        let body = ask(&shard, "").await?;
        ensure!(body["data"].as_object().is_some_and(|data| data.len() == 2), "{body}");
        let body = ask(&shard, "&stats=true&explain=false").await?;
        let samples = &body["data"]["stats"]["samples"];
        ensure!(samples["peakSamples"].is_u64() && samples["totalQueryableSamplesPerStep"].is_null(), "{body}");
        ensure!(body["data"]["explain"].is_null() && body["warnings"].is_null(), "{body}");
        let body = ask(&shard, "&stats=1").await?;
        ensure!(body["data"]["stats"].is_object(), "{body}");
        ensure!(body["warnings"][0].as_str().is_some_and(|text| text.contains("use \"true\" or \"all\"")), "{body}");
        let steps = "/api/v1/query_range?query=1%2B1&start=0&end=20&step=10&explain=true&stats=all";
        let (_, body) = shard.client.answer(steps, None).await?;
        ensure!(body["data"]["explain"]["points"] == 3, "{body}");
        let (status, body) = shard.client.answer("/api/v1/query?query=1&explain=x", None).await?;
        ensure!(status == 400 && body["errorType"] == "bad_data", "{body}");
    }
    Ok(())
}

#[tokio::test]
async fn after_a_crash_the_log_names_what_was_running() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut shard = Node::start("shard", dir.path(), "global: {}\n", &[]).await?;
    let (client, active) = (shard.client.clone(), shard.data.join("queries.active"));
    let form = format!("query={LONG}");
    let asked = tokio::spawn(async move { client.answer("/api/v1/query", Some(&form)).await });
    eventually("the query is noted", BOUND, || async {
        let text = fs::read_to_string(&active)?;
        ensure!(text.contains("quantile_over_time"), "{}", text.trim_matches('\0'));
        Ok(())
    })
    .await?;
    shard.kill().await?;
    ensure!(asked.await?.is_err(), "the query was answered");
    ensure!(!shard.log().contains("had not ended"), "{}", shard.log());
    shard.restart().await?;
    let told = |log: &str| log.lines().filter(|line| line.contains("had not ended")).count();
    let log = shard.log();
    ensure!(told(&log) == 1 && log.contains("quantile_over_time(0.5, vector(1)[9d:5s])"), "{log}");
    // After a good end there is nothing to tell.
    ensure!(shard.stop().await?, "{}", shard.log());
    shard.restart().await?;
    ensure!(told(&shard.log()) == 1, "{}", shard.log());
    Ok(())
}

#[tokio::test]
async fn a_query_ends_when_its_client_goes_away() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let shard = Node::start("shard", dir.path(), "global: {}\n", &[]).await?;
    let metric = async |name: &str| -> Result<f64> {
        let text = shard.client.text("/metrics").await?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.with_context(|| format!("{name} is not told"))?.parse()?)
    };
    let mut least = Duration::MAX;
    for _ in 0..3 {
        let (client, form) = (shard.client.clone(), format!("query={LONG}"));
        let asked = tokio::spawn(async move { client.answer("/api/v1/query", Some(&form)).await });
        eventually("the query runs and holds memory", BOUND, || async {
            let (running, held) =
                (metric("prometheus_engine_queries").await?, metric("watershed_engine_held_bytes").await?);
            ensure!(running == 1.0 && held > 0.0, "{running} queries hold {held} bytes");
            Ok(())
        })
        .await?;
        asked.abort();
        let gone = Instant::now();
        while metric("prometheus_engine_queries").await? > 0.0 {
            ensure!(gone.elapsed() < BOUND, "it still runs");
        }
        least = least.min(gone.elapsed());
    }
    println!("a query ended {least:?} after its client, the least of three");
    // A busy machine may keep one of them waiting, but not all.
    ensure!(least < Duration::from_millis(100), "{least:?}");
    eventually("nothing is held", BOUND, || async {
        let held = metric("watershed_engine_held_bytes").await?;
        ensure!(held == 0.0, "{held}");
        Ok(())
    })
    .await
}
