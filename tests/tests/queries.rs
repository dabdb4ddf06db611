//! What a node writes down of its queries: the log of those that ended, and after a crash the names of those that had not.

use std::fs;
use std::path::Path;
use std::time::Duration;

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
