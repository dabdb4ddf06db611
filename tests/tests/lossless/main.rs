//! Federation loses nothing: shards and globals are killed, links between them cut, delay, truncate, corrupt and stall, and in the end
//! each global has every sample that a replica stored, once.
//!
//! `WATERSHED_LOSSLESS_SEED` repeats a run's plan, `WATERSHED_LOSSLESS_SECONDS` makes it longer (CI: 60; the long form: 1800).

mod bucket;
mod target;
mod topology;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::{Points, Random, Weather, eventually, setting};
use tokio::time::{Instant, sleep};

use topology::{Topology, now};

const SECONDS: u64 = 60;
/// How long the globals may take to have everything once the links are fine again.
const CATCH_UP: Duration = Duration::from_secs(60);
/// Until the last minute is complete, and both have asked each other.
const AGREE: Duration = Duration::from_secs(140);
const SELECTOR: &str = "{__name__=~\"job:.*|up|made_.*\",job!~\"federation|peer\"}";

#[derive(Debug, Default)]
struct Report {
    kills: u64,
    samples: u64,
    missing: u64,
    doubled: u64,
    other: u64,
}

/// What a replica has must be at the global, once; what it hasn't must not.
fn compare(who: &str, source: &Points, global: &Points, report: &mut Report, told: &mut Vec<String>) {
    // How many series miss something at each time: a commit that was lost shows.
    let mut missing_at: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    for (series, points) in source {
        let there = global.get(series).map(Vec::as_slice).unwrap_or_default();
        let by_time: BTreeMap<i64, &String> = there.iter().map(|(time, value)| (*time, value)).collect();
        report.samples += points.len() as u64;
        report.doubled += (there.len() - by_time.len()) as u64;
        for (time, _) in points.iter().filter(|(time, _)| !by_time.contains_key(time)) {
            missing_at.entry(*time).or_default().push(series);
        }
        let other =
            points.iter().filter(|(time, value)| by_time.get(time).is_some_and(|there| *there != value)).count();
        let more = there.iter().filter(|(time, _)| points.binary_search_by_key(time, |p| p.0).is_err()).count();
        report.other += (other + more) as u64;
        if other + more > 0 {
            told.push(format!("{who}: {series}: {other} with other values, {more} that are not at the source"));
        }
    }
    for (time, series) in missing_at {
        report.missing += series.len() as u64;
        told.push(format!("{who}: at {time} {} series are missing, {} …", series.len(), series[0]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_between_edge_and_centre() -> Result<()> {
    let seed = setting("WATERSHED_LOSSLESS_SEED", || RandomState::new().hash_one("lossless"))?;
    let seconds = setting("WATERSHED_LOSSLESS_SECONDS", || SECONDS)?;
    println!("WATERSHED_LOSSLESS_SEED={seed}");
    let mut random = Random::new(seed);
    // What is left of a failure, logs and all, is kept.
    let mut dir = tempfile::tempdir()?;
    dir.disable_cleanup(true);
    println!("in {}", dir.path().display());
    let mut topology = Topology::start(dir.path(), seed).await?;
    let (begin, start) = (Instant::now(), now());
    let mut report = Report::default();
    while begin.elapsed() < Duration::from_secs(seconds) {
        topology.set_weather(random.pick(&[Weather::Clear, Weather::Bad, Weather::Bad, Weather::Cut]));
        sleep(Duration::from_millis(1000 + random.below(4000))).await;
        if random.below(2) == 0 {
            let killed = topology.kill_one(&mut random).await?;
            println!("{:.3} {killed} was killed", now());
            report.kills += 1;
        }
    }
    topology.set_weather(Weather::Clear);
    let end = now();
    let length = (end - start).ceil() as u64 + 30;
    let mut told = Vec::new();
    let compared = eventually("the globals have everything", CATCH_UP, || async {
        let (mut report, mut told) = (Report::default(), Vec::new());
        for (name, replica) in topology.replicas() {
            // Its own external labels are what the globals have of it besides.
            let mine = topology.as_pulled(name, replica.client.samples(SELECTOR, length, end).await?);
            ensure!(mine.values().map(Vec::len).sum::<usize>() > 100, "{name} has stored nothing");
            for (number, global) in topology.globals().iter().enumerate() {
                let (cluster, letter) = topology::labels_of(name);
                let selector = SELECTOR.replace('{', &format!("{{cluster=\"{cluster}\",replica=\"{letter}\","));
                let pulled = topology::sorted(global.client.samples(&selector, length, end).await?);
                compare(&format!("global {number} of {name}"), &mine, &pulled, &mut report, &mut told);
            }
        }
        told.truncate(100);
        ensure!(report.missing == 0, "{report:?}\n{}", told.join("\n"));
        Ok((report, told))
    })
    .await;
    match compared {
        Ok((found, what)) => {
            report = Report { kills: report.kills, ..found };
            told.extend(what);
        }
        Err(error) => return Err(error.context(format!("seed {seed}, {}, {report:?}", topology.link_report()))),
    }
    println!("{seconds} s, {}, {report:?}", topology.link_report());
    ensure!(report.missing + report.doubled + report.other == 0, "seed {seed}: {report:?}\n{}", told.join("\n"));
    same_answers(&topology, &mut random, start, end).await?;
    agree(&topology, start, end).await?;
    println!("{}", bucket::holds_each_window_once(&topology, SELECTOR, start, end).await?);
    dir.disable_cleanup(false);
    Ok(())
}

/// Both globals find by themselves that they hold the same of every minute, what each knows of itself included.
async fn agree(topology: &Topology, start: f64, end: f64) -> Result<()> {
    for global in topology.globals() {
        eventually("the globals agree", AGREE, || async {
            let found = global.client.api("consistency").await?;
            let windows = found["windows"].as_array().context("no windows")?;
            let newest = windows.last().and_then(|window| window["until"].as_i64()).unwrap_or_default();
            ensure!(newest as f64 >= end * 1000.0, "not complete yet: {newest}");
            let of_run = |window: &&Value| window["until"].as_f64().is_some_and(|until| until > start * 1000.0);
            let differ: Vec<_> = windows.iter().filter(of_run).filter(|window| window["agrees"] != true).collect();
            ensure!(differ.is_empty(), "{differ:?} of {found}");
            ensure!(found["peerError"] == "", "{found}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Both globals answer alike.
async fn same_answers(topology: &Topology, random: &mut Random, start: f64, end: f64) -> Result<()> {
    let templates = [
        "SELECTOR",
        "sum by (cluster, replica) (rate(made_counter_total[RANGE]))",
        "max by (cluster) (SELECTOR)",
        "avg_over_time(made_gauge[RANGE])",
        "count by (cluster, replica, __name__) (SELECTOR)",
        "changes(made_gauge[RANGE])",
        "job:made_counter:rate - on (cluster) group_left () min by (cluster) (job:made_counter:rate)",
        "quantile(0.9, made_gauge)",
        "increase(made_counter_total[RANGE] offset 3s)",
        "last_over_time(up{job=\"made\"}[RANGE])",
    ];
    for number in 0..100 {
        let range = format!("{}s", 2 + random.below(40));
        let query = random.pick(&templates).replace("SELECTOR", SELECTOR).replace("RANGE", &range);
        let at = start + (end - start) * random.below(1000) as f64 / 1000.0;
        let mut answers = Vec::new();
        for global in topology.globals() {
            let mut result = global.client.query(&query, Some(at)).await?;
            if let Some(list) = result.as_array_mut() {
                list.sort_by_key(|series| series["metric"].to_string());
            }
            answers.push(result);
        }
        ensure!(answers[0] == answers[1], "query {number}, {query} at {at}:\n{}\n{}", answers[0], answers[1]);
    }
    Ok(())
}
