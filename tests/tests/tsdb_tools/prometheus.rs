//! A directory that belongs to a Prometheus, running and killed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use tests::{Client, Process, eventually, find, free_port, watershed};

use crate::fixture::{exposition, printed, sorted, text, verify};

const BOUND: Duration = Duration::from_secs(150);

/// The files of a directory with their lengths and times of change.
fn state(dir: &Path) -> Result<BTreeMap<PathBuf, (u64, std::time::SystemTime)>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir)?.flatten() {
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            files.extend(state(&entry.path())?);
        }
        files.insert(entry.path(), (if metadata.is_dir() { 0 } else { metadata.len() }, metadata.modified()?));
    }
    Ok(files)
}

#[tokio::test]
async fn a_directory_of_a_prometheus_that_compacts_is_read_and_found_sound() -> Result<()> {
    let test = "a_directory_of_a_prometheus_that_compacts_is_read_and_found_sound";
    let (Some(promtool), Some(prometheus)) = (find(test, "promtool"), find(test, "prometheus")) else {
        return Ok(());
    };
    let watershed = watershed()?;
    let dir = tempfile::tempdir()?;
    let (file, data) = (dir.path().join("input"), dir.path().join("data"));
    fs::write(&file, exposition(12))?;
    printed(&promtool, &["tsdb", "create-blocks-from", "openmetrics", text(&file), text(&data)])?;
    let port = free_port()?;
    let config = dir.path().join("prometheus.yml");
    let jobs = format!("[{{job_name: self, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]");
    fs::write(&config, format!("global: {{scrape_interval: 1s}}\nscrape_configs: {jobs}\n"))?;
    let arguments = [
        format!("--config.file={}", config.display()),
        format!("--storage.tsdb.path={}", data.display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
        "--storage.tsdb.retention.time=100y".to_owned(),
        "--web.enable-admin-api".to_owned(),
    ];
    let mut process = Process::start(&prometheus, &arguments, &dir.path().join("prometheus.log"))?;
    let client = Client::new(format!("http://127.0.0.1:{port}"))?;
    eventually("prometheus is ready", BOUND, || client.ready()).await?;
    let compacted = || async {
        for entry in fs::read_dir(&data)?.flatten().filter(|e| e.file_name().len() == 26) {
            let Ok(meta) = fs::read(entry.path().join("meta.json")) else { continue };
            let meta: Value = serde_json::from_slice(&meta)?;
            if meta["compaction"]["level"].as_u64() > Some(1) {
                return Ok(());
            }
        }
        anyhow::bail!("no compacted block yet")
    };
    eventually("prometheus has compacted blocks", BOUND, compacted).await?;
    // While it runs.
    let scraped = || async {
        let live = printed(&watershed, &["tsdb", "dump", "--match=up", text(&data)])?;
        ensure!(live.lines().count() > 3, "{live}");
        Ok(())
    };
    eventually("what it scrapes can be read", BOUND, scraped).await?;
    process.kill().await?;
    let before = state(&data)?;
    let (report, sound) = verify(&watershed, &data)?;
    ensure!(sound, "{report:#}");
    let counts = &report["counts"];
    for what in ["blocks", "series", "postingsLists", "chunks", "samples", "logSegments", "logRecords"] {
        ensure!(counts[what].as_u64() > Some(0), "{what}: {report:#}");
    }
    let got = printed(&watershed, &["tsdb", "dump", text(&data)])?;
    let head = printed(&watershed, &["tsdb", "analyze", "--extended", text(&data), "head"])?;
    ensure!(head.contains("Block ID: head") && head.contains("prometheus_"), "{head}");
    let list = printed(&watershed, &["tsdb", "list", text(&data)])?;
    ensure!(list.contains("\nHEAD "), "{list}");
    ensure!(state(&data)? == before, "reading has changed the directory");
    let want = printed(&promtool, &["tsdb", "dump", text(&data)])?;
    ensure!(sorted(&got) == sorted(&want), "promtool dumps {} lines, we {}", want.lines().count(), got.lines().count());
    Ok(())
}
