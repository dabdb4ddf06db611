//! What the two globals have put into their bucket: each window once, and in it what they answer.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::{Points, eventually, watershed};

use crate::topology::{BLOCK_MS, Topology, sorted};

/// Windows are made a while after their end, and again when late samples have been cut into blocks.
const BOUND: Duration = Duration::from_secs(180);

/// Compares every window that lies within these times, in seconds, and says what it compared.
pub(crate) async fn holds_each_window_once(
    topology: &Topology,
    selector: &str,
    start: f64,
    end: f64,
) -> Result<String> {
    let first = ((start * 1000.0) as i64 / BLOCK_MS + 1) * BLOCK_MS;
    let last = (end * 1000.0) as i64 / BLOCK_MS * BLOCK_MS;
    ensure!(first < last, "the run is too short for a window");
    let expected = answered(topology, selector, first, last).await?;
    ensure!(!expected.is_empty(), "the globals answer nothing");
    let windows = eventually("the bucket holds each window once, whole", BOUND, || async {
        let blocks = unmarked(&topology.bucket)?;
        let mut windows = BTreeMap::new();
        for (block, meta) in &blocks {
            let begin = meta["minTime"].as_i64().context("no minTime")?;
            ensure!(meta["maxTime"].as_i64() == Some(begin + BLOCK_MS), "{meta}");
            let other = windows.insert(begin, block);
            ensure!(other.is_none(), "{begin} is in {} and {other:?}", block.display());
        }
        let missing: Vec<i64> =
            (first..last).step_by(BLOCK_MS as usize).filter(|begin| !windows.contains_key(begin)).collect();
        ensure!(missing.is_empty(), "no block of {missing:?}");
        let held = dumped(&blocks, selector, first, last)?;
        ensure!(
            held == expected,
            "the bucket holds other samples than the globals answer: {}",
            first_difference(&held, &expected)
        );
        Ok(windows.len())
    })
    .await?;
    let samples: usize = expected.values().map(Vec::len).sum();
    Ok(format!("bucket: {windows} windows, each once, {samples} samples as answered"))
}

/// The blocks that are not to be deleted, with their descriptions.
fn unmarked(bucket: &Path) -> Result<Vec<(PathBuf, Value)>> {
    let mut blocks = Vec::new();
    for entry in fs::read_dir(bucket)? {
        let path = entry?.path();
        if path.join("meta.json").exists() && !path.join("deletion-mark.json").exists() {
            let meta = serde_json::from_slice(&fs::read(path.join("meta.json"))?)?;
            blocks.push((path, meta));
        }
    }
    Ok(blocks)
}

/// What the first global answers of these times; the second answers the same.
async fn answered(topology: &Topology, selector: &str, first: i64, last: i64) -> Result<Points> {
    let global = &topology.globals()[0].client;
    let seconds = (last - first) as u64 / 1000 + 1;
    let points = global.samples(selector, seconds, last as f64 / 1000.0).await?;
    Ok(within(sorted(points), first, last))
}

/// The samples of these times, their values in one notation: an API and a dump print large numbers in different ones.
fn within(points: Points, first: i64, last: i64) -> Points {
    let number = |text: String| text.parse::<f64>().map_or(text, |number| number.to_string());
    let cut = |points: Vec<(i64, String)>| -> Vec<_> {
        let inside = points.into_iter().filter(|(time, _)| (first..last).contains(time));
        inside.map(|(time, value)| (time, number(value))).collect()
    };
    points.into_iter().map(|(series, points)| (series, cut(points))).filter(|(_, points)| !points.is_empty()).collect()
}

/// What lies in the blocks, stale markers left out.
fn dumped(blocks: &[(PathBuf, Value)], selector: &str, first: i64, last: i64) -> Result<Points> {
    let directory = tempfile::tempdir()?;
    for (block, _) in blocks {
        let copy = directory.path().join(block.file_name().context("a name")?);
        fs::create_dir_all(copy.join("chunks"))?;
        for file in ["meta.json", "index", "chunks/000001"] {
            fs::copy(block.join(file), copy.join(file))?;
        }
    }
    let out = Command::new(watershed()?)
        .args(["tsdb", "dump", "--json", "--match", selector])
        .arg(directory.path())
        .output()?;
    ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let mut points = Points::new();
    for line in out.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let series: Value = serde_json::from_slice(line)?;
        let values = series["values"].as_array().context("no values")?;
        let point = |value: &Value| Some(((value[0].as_f64()? * 1000.0).round() as i64, value[1].as_str()?.to_owned()));
        let all = values.iter().filter_map(point).filter(|(_, value)| value != "NaN");
        points.entry(series["metric"].to_string()).or_default().extend(all);
    }
    Ok(within(sorted(points), first, last))
}

fn first_difference(held: &Points, answered: &Points) -> String {
    let names = held.keys().chain(answered.keys());
    let mut different = names.filter(|name| held.get(*name) != answered.get(*name));
    let Some(name) = different.next() else { return "none".to_owned() };
    let [held, answered] = [held, answered].map(|points| points.get(name).map(Vec::as_slice).unwrap_or_default());
    let only = |these: &[(i64, String)], those: &[(i64, String)]| -> Vec<_> {
        these.iter().filter(|point| !those.contains(point)).take(3).cloned().collect()
    };
    format!(
        "{name}: {} held, {} answered, only held {:?}, only answered {:?}",
        held.len(),
        answered.len(),
        only(held, answered),
        only(answered, held)
    )
}
