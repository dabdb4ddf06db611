//! Deaths and damage: what was committed is there afterwards.

use std::fs;
use std::path::{Path, PathBuf};

use tsdb::{Options, WalCompression};

use crate::fixture::{append, content, copy_dir, labels, metric, open, options, scratch};

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(dir.join("wal"))
        .expect("log")
        .map(|entry| entry.expect("entry").path())
        .filter(|p| p.is_file())
        .collect();
    paths.sort();
    paths
}

#[test]
fn a_killed_database_comes_back_whole() {
    for compression in [WalCompression::None, WalCompression::Snappy, WalCompression::Zstd] {
        let (dir, copy) = (scratch(), scratch());
        let (db, _registry) = open(Options { wal_compression: compression, ..options(dir.path()) });
        for step in 0..300 {
            let series: Vec<_> = (0..20).map(|i| labels(&[("__name__", "m"), ("i", &i.to_string())])).collect();
            let batch: Vec<_> = series.iter().map(|l| (l, step * 5000, (step as f64).sqrt())).collect();
            append(&db, &batch);
        }
        copy_dir(dir.path(), copy.path()); // as kill -9 leaves it: nothing was closed
        let (back, registry) = open(options(copy.path()));
        assert_eq!(content(&back), content(&db));
        assert_eq!(metric(&registry, "prometheus_tsdb_wal_corruptions_total"), 0.0);
    }
}

/// A log that ends at any byte of its last records gives the commits before the cut, whole, and is repaired.
#[test]
fn a_torn_tail_costs_only_the_commits_it_tears() {
    let dir = scratch();
    let (db, _registry) = open(Options { wal_compression: WalCompression::None, ..options(dir.path()) });
    let (a, b) = (labels(&[("__name__", "a")]), labels(&[("__name__", "b")]));
    let log = segments(dir.path()).pop().expect("a segment");
    let mut ends = vec![0];
    let mut states = vec![content(&db)];
    for step in 0..4 {
        append(&db, &[(&a, step * 1000, step as f64), (&b, step * 1000, -step as f64)]);
        ends.push(fs::metadata(&log).expect("segment").len());
        states.push(content(&db));
    }
    for cut in 0..=ends[4] {
        let copy = scratch();
        copy_dir(dir.path(), copy.path());
        let torn = copy.path().join("wal").join(log.file_name().expect("name"));
        fs::OpenOptions::new().write(true).open(&torn).expect("segment").set_len(cut).expect("cut");
        let whole = ends.iter().rposition(|end| *end <= cut).expect("0 is there");
        let (back, registry) = open(options(copy.path()));
        assert_eq!(content(&back), states[whole], "cut at {cut}");
        let corruptions = metric(&registry, "prometheus_tsdb_wal_corruptions_total");
        drop(back);
        // After the series record of the first commit a cut is clean as well, so only count what is torn.
        let (again, registry) = open(options(copy.path()));
        assert_eq!(content(&again), states[whole], "second start, cut at {cut}");
        assert_eq!(metric(&registry, "prometheus_tsdb_wal_corruptions_total"), 0.0, "repaired, cut at {cut}");
        assert!(corruptions <= 1.0);
    }
}

#[test]
fn damage_in_the_middle_costs_only_what_it_hits() {
    let dir = scratch();
    let small = Options { wal_segment_bytes: 128 << 10, wal_compression: WalCompression::None, ..options(dir.path()) };
    let (db, _registry) = open(small.clone());
    let series: Vec<_> = (0..100).map(|i| labels(&[("__name__", "m"), ("i", &i.to_string())])).collect();
    for step in 0..400 {
        append(&db, &series.iter().map(|l| (l, step * 100, step as f64)).collect::<Vec<_>>());
    }
    drop(db);
    let paths = segments(dir.path());
    assert!(paths.len() > 2, "{paths:?}");
    let mut bytes = fs::read(&paths[0]).expect("segment");
    bytes[70_000] ^= 0xff; // in the third of its four pages
    fs::write(&paths[0], bytes).expect("written");
    let (db, registry) = open(small.clone());
    let got = content(&db);
    assert_eq!(got.len(), 100);
    let fewest = got.values().map(Vec::len).min().expect("series");
    assert!((300..400).contains(&fewest), "{fewest} of 400 samples");
    assert!(metric(&registry, "prometheus_tsdb_wal_corruptions_total") >= 1.0);
    drop(db);
    let (db, registry) = open(small);
    assert_eq!(content(&db), got);
    assert_eq!(metric(&registry, "prometheus_tsdb_wal_corruptions_total"), 0.0);
}

#[test]
fn a_dropped_transaction_leaves_nothing_in_the_log() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    let a = labels(&[("__name__", "a")]);
    append(&db, &[(&a, 0, 1.0)]);
    let before = fs::metadata(segments(dir.path()).pop().expect("segment")).expect("metadata").len();
    let mut appender = storage::Appendable::appender(&*db);
    appender.append(&labels(&[("__name__", "b")]), crate::fixture::ms(1), 1.0).expect("taken");
    drop(appender);
    let after = fs::metadata(segments(dir.path()).pop().expect("segment")).expect("metadata").len();
    assert_eq!(before, after);
    append(&db, &[(&labels(&[("__name__", "b")]), 2, 1.0)]);
    drop(db);
    let (db, _registry) = open(options(dir.path()));
    assert_eq!(content(&db).len(), 2);
}

#[test]
fn half_made_and_half_deleted_folders_go_and_others_stay() {
    let dir = scratch();
    let id = "01GRWZEJ5N3Z6TQZ4V2M3CZ1RA";
    let doomed = [format!("{id}.tmp-for-creation"), format!("{id}.tmp-for-deletion")];
    let others = ["lost+found".to_owned(), "notes.tmp-for-creation".to_owned(), "chunks_head".to_owned()];
    for name in doomed.iter().chain(&others) {
        fs::create_dir(dir.path().join(name)).expect("folder");
    }
    drop(open(options(dir.path())));
    assert!(doomed.iter().all(|name| !dir.path().join(name).exists()));
    assert!(others.iter().all(|name| dir.path().join(name).exists()));
}
