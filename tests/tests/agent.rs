//! `watershed shard --agent`: scrapes and hands on, and nothing else.

use std::time::Duration;

use anyhow::{Result, ensure};
use tests::{Node, eventually};

const BOUND: Duration = Duration::from_secs(30);

#[tokio::test]
async fn an_agent_scrapes_and_hands_on_and_answers_no_queries() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let target = Node::start("shard", &dir.path().join("target"), "", &[]).await?;
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: a, static_configs: [{{targets: ['{}']}}]}}]\n",
        target.client.url.trim_start_matches("http://")
    );
    let agent = Node::start("shard", &dir.path().join("agent"), &config, &["--agent"]).await?;
    let client = &agent.client;
    eventually("what is scraped is handed on", BOUND, || async {
        let text = client.text("/federate?match[]=up").await?;
        ensure!(text.lines().any(|line| line.starts_with("up{") && line.contains("job=\"a\"} 1 ")), "{text}");
        Ok(())
    })
    .await?;
    for path in [
        "query?query=up",
        "query_range?query=up&start=1&end=2&step=1",
        "series?match[]=up",
        "labels",
        "rules",
        "alerts",
    ] {
        let error = client.api(path).await.expect_err(path).to_string();
        ensure!(error.contains("unavailable with --agent"), "{path}: {error}");
    }
    ensure!(client.api("targets").await?["activeTargets"][0]["health"] == "up", "the targets are told");
    ensure!(client.api("status/buildinfo").await?["tier"] == "agent", "the tier is told");
    ensure!(!client.text("/federate?match[]=ALERTS").await?.contains("ALERTS{"), "an agent alerts");

    std::fs::write(dir.path().join("agent/shard.yml"), format!("{config}rule_files: [rules.yml]\n"))?;
    let error = client.post("/-/reload").await.expect_err("an agent has no rules").to_string();
    ensure!(error.contains("shard.yml:3:14: rule_files is not served with --agent"), "{error}");
    Ok(())
}
