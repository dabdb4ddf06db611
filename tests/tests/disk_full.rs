//! A full disk: storing fails and says so, queries and alerts go on, heartbeats don't, storing resumes by itself, nothing stored is lost.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::{Client, Node, Receiver, eventually, find, node_exporter, write};

const BOUND: Duration = Duration::from_secs(60);

const RULES: &str = "groups:
  - name: alerts
    rules:
      - alert: NothingStored
        expr: time() - timestamp(up{job=\"node\"}) > 3
        labels: {severity: critical}
";

/// A small file system in memory; it goes away with the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this process may not mount one.
    #[expect(clippy::print_stdout, reason = "scripts/test reads what was skipped from here")]
    fn mount(test: &str, at: &Path) -> Result<Option<Self>> {
        fs::create_dir_all(at)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
            .arg(at)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !mounted {
            println!("SKIPPED {test}: mounting a file system is not permitted");
        }
        Ok(mounted.then(|| SmallDisk(at.to_owned())))
    }

    /// Takes all the room there is.
    fn fill(&self) -> Result<PathBuf> {
        let path = self.0.join("filler");
        let mut file = File::create(&path)?;
        for size in [1 << 20, 4096, 1] {
            let block = vec![1; size];
            while file.write_all(&block).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is just ending may still have files open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

async fn metric(client: &Client, name: &str) -> Result<f64> {
    let page = client.text("/metrics").await?;
    let line = page.lines().find(|line| line.split([' ', '{']).next() == Some(name));
    let value = line.and_then(|line| line.rsplit(' ').next()).with_context(|| format!("no metric {name}"))?;
    Ok(value.parse()?)
}

async fn storing_fails(client: &Client, want: f64) -> Result<()> {
    eventually("storing fails or works", BOUND, || async {
        let fails = metric(client, "watershed_tsdb_storing_failed").await?;
        ensure!(fails == want, "watershed_tsdb_storing_failed is {fails}, want {want}");
        Ok(())
    })
    .await
}

fn is_notified(all: &[Value], status: &str) -> bool {
    all.iter().any(|n| n["status"] == status && n["commonLabels"]["alertname"] == "NothingStored")
}

#[tokio::test]
async fn a_full_disk_stops_storing_and_nothing_else() -> Result<()> {
    let name = "a_full_disk_stops_storing_and_nothing_else";
    let Some(program) = find(name, "prometheus-node-exporter") else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    let Some(disk) = SmallDisk::mount(name, &dir.path().join("shard-data"))? else { return Ok(()) };
    let (receiver, heartbeat) = (Receiver::start().await?, Receiver::start().await?);
    let (_exporter, target) = node_exporter(&program, dir.path()).await?;
    write(dir.path(), "rules.yml", RULES)?;
    let alertmanager = format!(
        "route: {{receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s}}\n\
         receivers: [{{name: hook, webhook_configs: [{{url: '{}'}}]}}]\n",
        receiver.url
    );
    write(dir.path(), "alertmanager.yml", &alertmanager)?;
    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
         rule_files: [rules.yml]\n\
         alerting: {{local: {{config_file: alertmanager.yml}}, heartbeats: [{{url: '{}', interval: 1s}}]}}\n\
         scrape_configs:\n  - job_name: node\n    static_configs: [{{targets: ['{target}']}}]\n",
        heartbeat.url
    );
    let mut shard = Node::start("shard", dir.path(), &config, &[]).await?;
    let up = "count_over_time(up{job=\"node\"}[5m])";
    eventually("samples are stored", BOUND, || async {
        ensure!(shard.client.value(up).await? >= 3.0, "too few");
        Ok(())
    })
    .await?;
    ensure!(!is_notified(&receiver.all(), "firing"), "notified before the disk was full");

    let filler = disk.fill()?;
    storing_fails(&shard.client, 1.0).await?;
    let stored = shard.client.value(up).await?;
    let newest = shard.client.value("timestamp(up{job=\"node\"})").await?;
    eventually("the alert is delivered", BOUND, || async {
        ensure!(is_notified(&receiver.all(), "firing"), "not notified");
        Ok(())
    })
    .await?;
    ensure!(shard.client.value("timestamp(up{job=\"node\"})").await? >= newest, "the newest sample went away");
    ensure!(shard.log().contains("No space left on device"), "the log doesn't say why:\n{}", shard.log());
    ensure!(metric(&shard.client, "prometheus_tsdb_wal_writes_failed_total").await? > 0.0, "no failed write counted");
    let withheld = metric(&shard.client, "watershed_heartbeat_withheld_total").await?;
    let beats = heartbeat.all().len();
    eventually("two more heartbeats are withheld", BOUND, || async {
        let now = metric(&shard.client, "watershed_heartbeat_withheld_total").await?;
        ensure!(now >= withheld + 2.0, "{now} of {withheld}");
        Ok(())
    })
    .await?;
    ensure!(
        beats > 0 && heartbeat.all().len() <= beats + 1,
        "the heart of a node beats that stores nothing:\n{}",
        shard.log()
    );

    fs::remove_file(filler)?;
    storing_fails(&shard.client, 0.0).await?;
    eventually("the alert is resolved and samples are stored again", BOUND, || async {
        ensure!(is_notified(&receiver.all(), "resolved"), "not resolved");
        ensure!(shard.client.value(up).await? >= stored + 3.0, "too few");
        ensure!(heartbeat.all().len() > beats + 1, "no heartbeat");
        Ok(())
    })
    .await?;

    let result = shard.client.query("time()", None).await?;
    let at: f64 = result[1].as_str().context("no time")?.parse()?;
    let before = shard.client.samples("{job=\"node\"}", 300, at).await?;
    shard.kill().await?;
    shard.restart().await?;
    let after = shard.client.samples("{job=\"node\"}", 300, at).await?;
    ensure!(before.len() > 100, "only {} series", before.len());
    for (series, points) in &before {
        let kept = after.get(series).map(Vec::as_slice).unwrap_or_default();
        ensure!(points.iter().all(|point| kept.contains(point)), "samples of {series} are missing after the kill");
    }
    ensure!(shard.stop().await?, "the shard did not end well:\n{}", shard.log());
    Ok(())
}
