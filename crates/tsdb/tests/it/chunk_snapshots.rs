//! What a clean stop leaves behind, and what the next start makes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Exemplar, Histogram, Labels, Matcher, Metadata, MetricType, NativeHistogram, TimeRange};
use prometheus_client::registry::Registry;
use storage::{Appendable, ExemplarQueryable, Queryable, Samples, SelectRequest};
use tsdb::{Db, Options, failpoint};

use crate::fixture::{append, block_on, content, copy_dir, labels, metric, ms, open, options, scratch};

const LOADED: &str = "watershed_tsdb_chunk_snapshot_series_loaded";
const REFUSED: &str = "prometheus_tsdb_snapshot_replay_error_total";

fn with_snapshot(dir: &Path) -> Options {
    Options { chunk_snapshot: true, out_of_order_window_ms: 50_000, wal_segment_bytes: 32 << 10, ..options(dir) }
}

fn series(name: &str, i: usize) -> Labels {
    labels(&[("__name__", name), ("i", &i.to_string())])
}

/// Some 80 series of floats and histograms from 0 to 100 s, five of them late, with exemplars, metadata and deletions.
fn fill(db: &Db, from: i64, to: i64) {
    for step in from..to {
        let mut appender = db.appender();
        for i in 0..60 {
            let reference = appender.append(&series("m", i), ms(step * 200), (step * i as i64) as f64).expect("taken");
            if step % 50 == i as i64 {
                let exemplar =
                    Exemplar { labels: labels(&[("t", &step.to_string())]), value: 1.0, time: ms(step * 200) };
                appender.append_exemplar(reference, &exemplar).expect("taken");
            }
            if step % 200 == 7 {
                let metadata = Metadata { kind: MetricType::Gauge, unit: String::new(), help: format!("Step {step}.") };
                appender.append_metadata(reference, &metadata).expect("taken");
            }
        }
        for i in 0..20 {
            let (count, positive) = (5 + step as u64, vec![1 + step]);
            let buckets =
                model::Buckets { positive_spans: vec![model::Span { offset: 0, length: 1 }], ..Default::default() };
            let whole = Histogram { count, sum: 0.5, zero_count: 4, buckets, positive, ..Default::default() };
            let histogram = match i % 2 {
                0 => NativeHistogram::Int(Box::new(whole)),
                _ => NativeHistogram::Float(Box::new(whole.to_float())),
            };
            appender.append_histogram(&series("h", i), ms(step * 200), histogram).expect("taken");
        }
        appender.commit().expect("stored");
        if step % 100 == 60 {
            for i in 0..5 {
                append(db, &[(&series("m", i), step * 200 - 7_777, 0.25)]);
            }
        }
        if step % 100 == 80 {
            let matchers = [Matcher::equal("i", (step / 100).to_string())];
            db.delete_series(&matchers, TimeRange::new(ms(step * 200 - 900), ms(step * 200))).expect("deleted");
        }
    }
}

/// Everything that can be read, as text.
fn everything(db: &Db) -> Vec<String> {
    let mut all = Vec::new();
    let set = block_on(db.select(&SelectRequest::new(vec![], TimeRange::ALL))).expect("selects");
    assert!(set.warnings.is_empty(), "{:?}", set.warnings);
    for series in set.series {
        let series = series.expect("readable");
        let mut samples = Samples::default();
        series.decode(TimeRange::ALL, &mut samples).expect("readable");
        all.extend(samples.iter().map(|sample| format!("{} {} {}", series.labels, sample.time, sample.value)));
        let of_histogram = |sample: &storage::HistogramSample| {
            format!("{} {} {:?}", series.labels, sample.time, sample.histogram.positive)
        };
        all.extend(samples.histograms.iter().map(of_histogram));
    }
    for found in block_on(db.exemplars(&[vec![]], TimeRange::ALL)).expect("exemplars") {
        all.push(format!("{} {:?}", found.labels, found.exemplars));
    }
    for i in 0..60 {
        all.push(format!("{i} {:?}", db.series_metadata(&series("m", i))));
    }
    let stats = db.head_stats();
    all.push(format!("{} series, {:?} to {:?}", stats.series, stats.min_time, stats.max_time));
    all
}

fn snapshots(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("listed").map(|entry| entry.expect("an entry").path());
    entries
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("chunk_snapshot.")))
        .collect()
}

fn the_snapshot(dir: &Path) -> PathBuf {
    let [path] = &snapshots(dir)[..] else { panic!("{:?}", snapshots(dir)) };
    path.clone()
}

/// A directory that was closed with a snapshot, and what was in it.
fn stopped(steps: i64) -> (tempfile::TempDir, Vec<String>) {
    let dir = scratch();
    let (db, _registry) = open(with_snapshot(dir.path()));
    fill(&db, 0, steps);
    let all = everything(&db);
    db.close().expect("closes");
    (dir, all)
}

fn reopened(dir: &Path) -> (Arc<Db>, Registry) {
    open(with_snapshot(dir))
}

#[track_caller]
fn same(got: &[String], want: &[String]) {
    if got == want {
        return;
    }
    let missing = want.iter().find(|line| !got.contains(line));
    let more = got.iter().find(|line| !want.contains(line));
    panic!("missing {missing:?}, more {more:?}, {} instead of {}", got.len(), want.len());
}

#[test]
fn everything_is_there_again() {
    let (dir, want) = stopped(480);
    let copy = scratch();
    copy_dir(dir.path(), copy.path());
    let (db, registry) = reopened(dir.path());
    assert_eq!(metric(&registry, LOADED), 80.0);
    same(&everything(&db), &want);
    assert_eq!(snapshots(dir.path()), [""; 0].map(PathBuf::from), "it is of no more use");
    // It goes on from there as if the log had been read.
    let (by_log, registry) = open(Options { chunk_snapshot: false, ..with_snapshot(copy.path()) });
    assert!(metric(&registry, LOADED).abs() < 0.5);
    for db in [&db, &by_log] {
        fill(db, 480, 700);
        db.maintain().expect("maintained");
    }
    assert_eq!(db.head_stats().chunks, by_log.head_stats().chunks);
    same(&everything(&db), &everything(&by_log));
    drop(db); // as after a kill: the log is complete
    let (db, registry) = reopened(dir.path());
    assert!(metric(&registry, LOADED).abs() < 0.5);
    drop(by_log);
    let (by_log, _registry) = open(Options { chunk_snapshot: false, ..with_snapshot(copy.path()) });
    same(&everything(&db), &everything(&by_log));
}

#[test]
fn starts_and_stops_again_and_again() {
    let dir = scratch();
    let twin = scratch();
    let (other, _) = open(Options { out_of_order_window_ms: 50_000, ..options(twin.path()) });
    for round in 0..12 {
        let (db, registry) = reopened(dir.path());
        assert_eq!(metric(&registry, LOADED) > 0.0, round > 0);
        if round % 3 == 2 {
            db.maintain().expect("maintained");
            other.maintain().expect("maintained");
        }
        fill(&db, round * 61, round * 61 + 61);
        fill(&other, round * 61, round * 61 + 61);
        // A checkpoint leaves out exemplars of times that are in blocks.
        let without = |all: Vec<String>| all.into_iter().filter(|line| !line.contains("Exemplar")).collect::<Vec<_>>();
        same(&without(everything(&db)), &without(everything(&other)));
        db.close().expect("closes");
        the_snapshot(dir.path());
    }
}

#[test]
fn a_process_that_dies_after_such_a_start_loses_nothing() {
    let dir = scratch();
    let without_blocks = || Options { min_block_ms: 600_000, ..with_snapshot(dir.path()) };
    let (db, _) = open(without_blocks());
    fill(&db, 0, 480);
    db.close().expect("closes");
    drop(db);
    let kept = scratch();
    let snapshot = the_snapshot(dir.path());
    copy_dir(&snapshot, kept.path());
    let (db, _) = open(without_blocks());
    // Open chunks become full ones and are written.
    fill(&db, 480, 800);
    db.maintain().expect("maintained");
    let want = everything(&db);
    drop(db);
    assert!(has_no_checkpoint(dir.path()) && !snapshot.exists());
    // As if it had died before it forgot the snapshot.
    copy_dir(kept.path(), &snapshot);
    let (db, registry) = open(without_blocks());
    assert_eq!(metric(&registry, LOADED), 80.0);
    same(&everything(&db), &want);
}

fn has_no_checkpoint(dir: &Path) -> bool {
    let mut names = fs::read_dir(dir.join("wal")).expect("listed").map(|entry| entry.expect("entry").file_name());
    !names.any(|name| name.to_string_lossy().starts_with("checkpoint"))
}

/// Changes one file of a snapshot, or what lies beside it.
type Harm = fn(dir: &Path, snapshot: &Path);

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("readable");
    bytes[at] ^= 0x10;
    fs::write(path, bytes).expect("written");
}

#[test]
fn one_that_cannot_be_used_costs_nothing_but_time() {
    let table: [(&str, bool, Harm); 8] = [
        ("a byte", true, |_, snapshot| flip(&snapshot.join("00000000"), 3000)),
        ("the basis", true, |_, snapshot| flip(&snapshot.join("basis.json"), 0)),
        ("torn", true, |_, snapshot| {
            let file = fs::OpenOptions::new().write(true).open(snapshot.join("00000000")).expect("opens");
            file.set_len(9999).expect("cut");
        }),
        ("empty", true, |_, snapshot| fs::remove_file(snapshot.join("00000000")).expect("removed")),
        ("of a later log", true, |dir, snapshot| {
            fs::rename(snapshot, dir.join("chunk_snapshot.000999.0000000000")).expect("renamed");
        }),
        ("of an earlier log", false, |dir, snapshot| {
            fs::rename(snapshot, dir.join("chunk_snapshot.000000.0000032768")).expect("renamed");
        }),
        ("no head chunks", false, |dir, _| fs::remove_dir_all(dir.join("chunks_head")).expect("removed")),
        ("damaged head chunks", false, |dir, _| flip(&dir.join("chunks_head/000001"), 4000)),
    ];
    for (what, is_refused, harm) in table {
        let (dir, want) = stopped(250);
        harm(dir.path(), &the_snapshot(dir.path()));
        let (db, registry) = reopened(dir.path());
        assert!(metric(&registry, LOADED).abs() < 0.5, "{what}");
        assert_eq!(metric(&registry, REFUSED), f64::from(u8::from(is_refused)), "{what}");
        same(&everything(&db), &want);
        let left = snapshots(dir.path());
        assert_eq!(left.len(), usize::from(is_refused), "{what}: {left:?}");
        assert!(
            left.iter().all(|path| path.extension().is_some_and(|extension| extension == "bad")),
            "{what}: {left:?}"
        );
        db.close().expect("closes");
        assert_ne!(
            the_snapshot(dir.path()).extension().and_then(|extension| extension.to_str()),
            Some("bad"),
            "{what}"
        );
    }
}

#[test]
fn the_log_that_was_shortened_since_counts() {
    let (dir, _) = stopped(250);
    let old = scratch();
    let snapshot = the_snapshot(dir.path());
    copy_dir(&snapshot, old.path());
    // Somebody without the feature works on the directory, cuts blocks and shortens the log.
    let (db, _) = open(Options { chunk_snapshot: false, ..with_snapshot(dir.path()) });
    assert!(snapshot.exists(), "it is left alone");
    fill(&db, 250, 1200);
    db.maintain().expect("maintained");
    assert!(!has_no_checkpoint(dir.path()) && !db.blocks().is_empty());
    let want = content(&db);
    drop(db);
    let (db, registry) = reopened(dir.path());
    assert!(metric(&registry, LOADED).abs() < 0.5 && metric(&registry, REFUSED).abs() < 0.5);
    assert!(content(&db) == want);
    assert!(!snapshot.exists(), "it is out of date");
}

#[test]
fn the_log_that_has_grown_since_is_read_behind_it() {
    let (dir, _) = stopped(250);
    let (db, _) = open(Options { chunk_snapshot: false, ..with_snapshot(dir.path()) });
    fill(&db, 250, 400);
    let want = everything(&db);
    db.close().expect("closes");
    drop(db);
    let (db, registry) = reopened(dir.path());
    assert_eq!(metric(&registry, LOADED), 80.0);
    same(&everything(&db), &want);
}

#[test]
fn a_full_disk_costs_the_snapshot_alone() {
    for point in ["snapshot.begin", "snapshot.write", "snapshot.rename.before"] {
        let dir = scratch();
        let (db, registry) = open(with_snapshot(dir.path()));
        fill(&db, 0, 250);
        let want = everything(&db);
        let armed = failpoint::arm(&format!("{point}=full"));
        db.close().expect("closes");
        drop(armed);
        assert_eq!(metric(&registry, "watershed_tsdb_chunk_snapshots_failed_total"), 1.0);
        assert_eq!(snapshots(dir.path()), [""; 0].map(PathBuf::from), "{point}");
        drop(db);
        let (db, _registry) = reopened(dir.path());
        same(&everything(&db), &want);
    }
}

#[test]
fn there_is_none_before_everything_has_been_read() {
    let (dir, want) = stopped(250);
    let snapshot = the_snapshot(dir.path());
    flip(&snapshot.join("00000000"), 3000); // so that there is something to read
    let armed = failpoint::arm("snapshot.forget=full");
    let (db, _) = open(Options { load_in_background: true, ..with_snapshot(dir.path()) });
    db.close().expect("closes");
    drop(armed);
    // The thread that reads lets go of the directory in its own time.
    let (weak, deadline) = (Arc::downgrade(&db), std::time::Instant::now() + std::time::Duration::from_secs(10));
    drop(db);
    while weak.strong_count() > 0 && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    for path in snapshots(dir.path()) {
        assert!(path == snapshot || path.extension().is_some(), "{}", path.display());
    }
    let (db, _registry) = reopened(dir.path());
    same(&everything(&db), &want);
}
