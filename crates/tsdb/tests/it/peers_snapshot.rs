//! Chunk snapshots: a real Prometheus on ours, and we on its.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use model::{Clock, Histogram, Labels, NativeHistogram, SystemClock};
use storage::Appendable;
use tsdb::{Db, Options};

use crate::fixture::{append, copy_dir, dump, labels, metric, ms, open, scratch};
use crate::peers::{Prometheus, free_port, has};

const LOADED: &str = "watershed_tsdb_chunk_snapshot_series_loaded";
const FEATURES: &str = "--enable-feature=memory-snapshot-on-shutdown";
const STEPS: i64 = 300;
const STEP_MS: i64 = 5000;

fn options(dir: &Path) -> Options {
    Options { out_of_order_window_ms: 3_600_000, chunk_snapshot: true, ..Options::new(dir) }
}

fn config(jobs: &str) -> String {
    let storage = "storage: {tsdb: {out_of_order_time_window: 1h}}";
    format!("global: {{scrape_interval: 1s}}\n{storage}\nscrape_configs: {jobs}\n")
}

fn series(name: &str, i: i64) -> Labels {
    labels(&[("__name__", name), ("i", &i.to_string())])
}

/// Full and open chunks of ten series, and late samples; the last time is some seconds ago.
fn fill(db: &Db) -> i64 {
    let start = SystemClock.now().as_ms() / 1000 * 1000 - STEPS * STEP_MS;
    for step in 0..STEPS {
        let all: Vec<_> = (0..10).map(|i| (series("m", i), start + step * STEP_MS, (step * i) as f64)).collect();
        append(db, &all.iter().map(|(labels, time, value)| (labels, *time, *value)).collect::<Vec<_>>());
    }
    (0..7).for_each(|i| append(db, &[(&series("m", i % 2), start + i * 50_000 + 1000, 0.5)]));
    start
}

/// The one snapshot, and where in the log it was taken.
fn the_snapshot(data: &Path) -> (PathBuf, u64, u64) {
    let entries = fs::read_dir(data).expect("listed").map(|entry| entry.expect("an entry").path());
    let is_one =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("chunk_snapshot."));
    let found: Vec<_> = entries.filter(is_one).collect();
    let [path] = &found[..] else { panic!("{found:?}") };
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let numbers: Vec<u64> = name.split('.').skip(1).map(|part| part.parse().expect("a number")).collect();
    (path.clone(), numbers[0], numbers[1])
}

/// Makes zeros of the log that a snapshot stands for: whoever shows its samples has them from there.
fn blank_the_log(data: &Path) {
    let (_, segment, offset) = the_snapshot(data);
    for number in 0..=segment {
        let path = data.join(format!("wal/{number:08}"));
        let Ok(mut content) = fs::read(&path) else { continue };
        let len = if number == segment { offset as usize } else { content.len() };
        content[..len].fill(0);
        fs::write(path, content).expect("written");
    }
}

fn own_metric(prometheus: &Prometheus, name: &str) -> f64 {
    let page = prometheus.get("/metrics").expect("metrics");
    let line = page.lines().find(|line| line.split([' ', '{']).next() == Some(name));
    line.and_then(|line| line.rsplit(' ').next()).and_then(|value| value.parse().ok()).unwrap_or(f64::NAN)
}

fn assert_same(got: &BTreeSet<String>, want: &BTreeSet<String>) {
    let (missing, more) = (want.difference(got).next(), got.difference(want).next());
    assert!(got == want, "missing {missing:?}, more {more:?}, {} instead of {}", got.len(), want.len());
}

#[test]
fn prometheus_begins_with_our_snapshot() {
    if !has("prometheus_begins_with_our_snapshot", "prometheus") {
        return;
    }
    let (dir, theirs) = (scratch(), scratch());
    let (db, _registry) = open(options(dir.path()));
    fill(&db);
    let want = dump(&db);
    db.close().expect("closes");
    let data = theirs.path().join("data");
    copy_dir(dir.path(), &data);
    blank_the_log(&data);
    let prometheus = Prometheus::run_with(theirs.path(), &data, free_port(), &config("[]"), &[FEATURES]);
    assert_same(&prometheus.samples(""), &want);
    for damage in ["prometheus_tsdb_snapshot_replay_error_total", "prometheus_tsdb_wal_corruptions_total"] {
        assert_eq!(own_metric(&prometheus, damage), 0.0, "{damage}");
    }
    drop(prometheus);
    // Without the feature it reads the log, which is complete, and so do we after it.
    let data = theirs.path().join("again");
    copy_dir(dir.path(), &data);
    let prometheus = Prometheus::run(theirs.path(), &data, free_port(), &config("[]"));
    assert_same(&prometheus.samples(""), &want);
    prometheus.stop();
    let (db, registry) = open(options(&data));
    assert_same(&dump(&db), &want);
    assert_eq!(metric(&registry, "prometheus_tsdb_snapshot_replay_error_total"), 0.0);
}

#[test]
fn prometheus_finds_histograms_in_our_snapshot() {
    if !has("prometheus_finds_histograms_in_our_snapshot", "prometheus") {
        return;
    }
    let (dir, theirs) = (scratch(), scratch());
    let (db, _registry) = open(options(dir.path()));
    let start = fill(&db);
    for step in 0..30_u64 {
        let mut appender = db.appender();
        for i in 0..4 {
            let whole = Histogram { zero_count: step, count: step, sum: 0.0, ..Histogram::default() };
            let histogram = match i % 2 {
                0 => NativeHistogram::Int(Box::new(whole)),
                _ => NativeHistogram::Float(Box::new(whole.to_float())),
            };
            let time = ms(start + (STEPS - 30) * STEP_MS + step as i64 * STEP_MS);
            appender.append_histogram(&series("h", i), time, histogram).expect("taken");
        }
        appender.commit().expect("stored");
    }
    db.close().expect("closes");
    let data = theirs.path().join("data");
    copy_dir(dir.path(), &data);
    blank_the_log(&data);
    let prometheus = Prometheus::run_with(theirs.path(), &data, free_port(), &config("[]"), &[FEATURES]);
    assert_eq!(own_metric(&prometheus, "prometheus_tsdb_snapshot_replay_error_total"), 0.0);
    let answer = prometheus.get("/api/v1/query?query=sum(histogram_count(h))").expect("an answer");
    assert!(answer.contains(",\"116\"]"), "4 times 29: {answer}");
}

#[test]
fn we_begin_with_prometheus_s_snapshot() {
    if !has("we_begin_with_prometheus_s_snapshot", "prometheus") {
        return;
    }
    let (dir, theirs) = (scratch(), scratch());
    let (db, _registry) = open(Options { chunk_snapshot: false, ..options(dir.path()) });
    fill(&db);
    let data = theirs.path().join("data");
    copy_dir(dir.path(), &data);
    let port = free_port();
    let jobs = format!("[{{job_name: self, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]");
    let prometheus = Prometheus::run_with(theirs.path(), &data, port, &config(&jobs), &[FEATURES]);
    prometheus.wait("to scrape itself", || prometheus.samples("").iter().any(|line| line.contains("\"up\"")));
    let want = prometheus.samples("");
    prometheus.stop();
    let (snapshot, ..) = the_snapshot(&data);
    let kept = theirs.path().join("kept");
    copy_dir(&data, &kept);
    let (db, registry) = open(options(&data));
    let got = dump(&db);
    assert!(got.is_superset(&want), "missing {:?}", want.difference(&got).next());
    assert!(metric(&registry, LOADED) > 300.0, "{}", metric(&registry, LOADED));
    for damage in ["prometheus_tsdb_snapshot_replay_error_total", "prometheus_tsdb_wal_corruptions_total"] {
        assert_eq!(metric(&registry, damage), 0.0, "{damage}");
    }
    assert!(!snapshot.exists(), "it was used");
    drop(db);
    // As much as is in the log: nothing more, nothing twice. And back to Prometheus.
    let (by_log, _) = open(Options { chunk_snapshot: false, ..options(&data) });
    assert_same(&dump(&by_log), &got);
    let (db, registry) = open(options(&kept));
    assert!(metric(&registry, LOADED) > 300.0);
    assert_same(&dump(&db), &got);
    db.close().expect("closes");
    drop(db);
    let prometheus = Prometheus::run_with(theirs.path(), &kept, free_port(), &config("[]"), &[FEATURES]);
    assert_eq!(own_metric(&prometheus, "prometheus_tsdb_snapshot_replay_error_total"), 0.0);
    let back = prometheus.samples("");
    let recent: BTreeSet<_> = want.iter().filter(|line| !line.contains("\"scrape_")).cloned().collect();
    assert!(back.is_superset(&recent), "missing {:?}", recent.difference(&back).next());
}
