//! `watershed demo`: one command, the whole hierarchy, and a browser that looks at it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::{Client, Process, eventually, find, free_ports, watershed};

const BOUND: Duration = Duration::from_secs(90);
/// So many the demo listens on, in a row.
const PORTS: u16 = 11;

async fn start(dir: &Path) -> Result<(Process, Value)> {
    let ready = dir.join("ready.json");
    let arguments = [
        "demo".to_owned(),
        format!("--dir={}", dir.join("files").display()),
        format!("--port-base={}", free_ports(PORTS)?),
        "--block-duration=10s".to_owned(),
        format!("--ready-file={}", ready.display()),
    ];
    let mut demo = Process::start(&watershed()?, &arguments, &dir.join("demo.log"))?;
    let addresses = eventually("the demo is ready", BOUND, || {
        let alive = demo.check_alive();
        let ready = ready.clone();
        async move { alive.and_then(|()| Ok(serde_json::from_slice(&fs::read(ready)?)?)) }
    })
    .await?;
    Ok((demo, addresses))
}

fn client(url: &Value) -> Result<Client> {
    Client::new(url.as_str().context("no URL")?)
}

#[tokio::test]
async fn the_demo_shows_the_whole_hierarchy() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (mut demo, addresses) = start(dir.path()).await?;
    ensure!(addresses["shards"].as_array().is_some_and(|shards| shards.len() == 4), "{addresses}");
    let globals = [client(&addresses["globals"][0])?, client(&addresses["globals"][1])?];
    for global in &globals {
        eventually("the global sees both clusters", BOUND, || async {
            let clusters = global.value("count(count by (cluster) (job:http_requests:rate1m))").await?;
            ensure!(clusters == 2.0, "{clusters} clusters");
            ensure!(global.value("sum(fleet:http_requests:rate1m)").await? > 1.0, "no requests");
            Ok(())
        })
        .await?;
    }
    let control = client(&addresses["targets"][0]["control"])?;
    let receiver = client(&addresses["receiver"])?;
    alert_comes_and_goes(&control, &receiver, "/stop", "InstanceDown").await?;
    alert_comes_and_goes(&control, &receiver, "/fail", "ApiErrorRate").await?;
    eventually("blocks are in the bucket", BOUND, || async {
        let blocks = fs::read_dir(addresses["bucket"].as_str().context("no bucket")?)?.count();
        ensure!(blocks > 0, "none yet");
        let hierarchy = globals[0].api("hierarchy").await?;
        ensure!(hierarchy["bucket"]["blocks"].as_array().is_some_and(|blocks| !blocks.is_empty()), "{hierarchy}");
        Ok(())
    })
    .await?;
    browser_sees(&globals[0].url, &client(&addresses["shards"][0]["url"])?.url)?;

    let begin = Instant::now();
    ensure!(demo.stop().await?, "the demo did not end well:\n{}", demo.log());
    ensure!(begin.elapsed() < Duration::from_secs(5), "took {:?} to stop", begin.elapsed());
    Ok(())
}

async fn alert_comes_and_goes(control: &Client, receiver: &Client, action: &str, alert: &str) -> Result<()> {
    control.post(action).await?;
    for status in ["firing", "resolved"] {
        eventually(&format!("{alert} is notified as {status}"), BOUND, || async {
            let notifications: Value = serde_json::from_str(&receiver.text("/notifications").await?)?;
            let about = |n: &Value| n["status"] == status && n["commonLabels"]["alertname"] == alert;
            ensure!(notifications.as_array().is_some_and(|all| all.iter().any(about)), "{notifications}");
            Ok(())
        })
        .await?;
        control.post("/start").await?;
    }
    Ok(())
}

/// The document as the browser has it after the page's scripts have run.
fn rendered(chromium: &Path, url: &str) -> Result<String> {
    let profile = tempfile::tempdir()?;
    let mut command = Command::new(chromium);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
    command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    command.args(["--virtual-time-budget=8000", "--window-size=1280,900", "--dump-dom"]);
    command.arg(format!("--user-data-dir={}", profile.path().display())).arg(url);
    let out = command.output()?;
    ensure!(out.status.success(), "chromium: {}", String::from_utf8_lossy(&out.stderr));
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

fn browser_sees(global: &str, shard: &str) -> Result<()> {
    let Some(chromium) = find("the_demo_shows_the_whole_hierarchy (browser part)", "chromium") else { return Ok(()) };
    let page = rendered(
        &chromium,
        &format!("{global}/graph?g0.expr=fleet%3Ahttp_requests%3Arate1m&g0.tab=0&g0.range_input=5m"),
    )?;
    let drawn = attribute(&page, "data-testid=\"graph\"", "data-series").context("no graph on the query page")?;
    ensure!(drawn.parse::<u32>()? >= 2, "{drawn} series drawn");
    ensure!(!page.contains("data-testid=\"error-banner\""), "an error is shown");

    let page = rendered(&chromium, &format!("{global}/hierarchy"))?;
    ensure!(page.matches("data-testid=\"hierarchy-shard\"").count() == 2, "not both clusters are shown");
    ensure!(page.matches("data-state=\"up\"").count() >= 4, "not all replicas are shown as up");
    let blocks = attribute(&page, "data-testid=\"hierarchy-bucket\"", "data-blocks").context("no bucket shown")?;
    ensure!(blocks.parse::<u32>()? > 0, "no block is shown");

    let rows = [(global, "rules", "rule-row"), (shard, "targets", "target-row"), (shard, "alerts", "alert-row")];
    for (node, path, mark) in rows {
        let page = rendered(&chromium, &format!("{node}/{path}"))?;
        ensure!(page.contains(&format!("data-testid=\"{mark}\"")), "{node}/{path} has no {mark}");
    }
    Ok(())
}

/// An attribute of the element that carries `mark`.
fn attribute(page: &str, mark: &str, name: &str) -> Option<String> {
    let at = page.find(mark)?;
    let begin = page[..at].rfind('<')?;
    let element = &page[begin..begin + page[begin..].find('>')?];
    let value = element.split_once(&format!("{name}=\""))?.1;
    Some(value.split_once('"')?.0.to_owned())
}
