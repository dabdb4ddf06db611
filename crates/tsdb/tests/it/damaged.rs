//! A directory with one damaged file, whichever it is: it opens, it shows nothing that was never stored, it can be kept in
//! order, and it opens again.

use std::fs;
use std::path::{Path, PathBuf};

use model::{Matcher, TimeRange};
use storage::{Queryable, Samples, SelectRequest};
use tsdb::{Db, Options};

use crate::fixture::{Content, append, block_on, content, copy_dir, labels, ms, open, options, scratch};

/// Mutations of each file.
const MUTATIONS: u64 = 12;

fn late_options(dir: &Path) -> Options {
    Options { out_of_order_window_ms: 50_000, wal_segment_bytes: 32 << 10, ..options(dir) }
}

/// Blocks with something deleted, a checkpoint, full chunks of the head, late samples with markers.
fn fill(db: &Db) {
    let series: Vec<_> = (0..4).map(|i| labels(&[("__name__", "m"), ("i", &i.to_string())])).collect();
    for step in 0..700_i64 {
        let late = if step % 9 == 8 { 20_250 } else { 0 };
        let batch: Vec<_> = series.iter().map(|labels| (labels, step * 500 - late, step as f64)).collect();
        append(db, &batch);
        if step % 50 == 0 {
            db.maintain().expect("maintained");
        }
    }
    db.delete_series(&[Matcher::equal("i", "1")], TimeRange::new(ms(30_000), ms(90_000))).expect("deleted");
    db.flush();
}

fn files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, into);
        } else if fs::metadata(&path).expect("a file").len() > 0 {
            into.push(path);
        }
    }
}

/// What can be read, if everything can.
fn readable(db: &Db) -> Option<Content> {
    let set = block_on(db.select(&SelectRequest::new(vec![], TimeRange::ALL))).ok()?;
    let (mut out, mut samples) = (Content::new(), Samples::default());
    for series in set.series {
        let series = series.ok()?;
        series.decode(TimeRange::ALL, &mut samples).ok()?;
        let values = samples.values.iter().map(|value| value.to_bits());
        out.insert(series.labels.to_string(), samples.times.iter().copied().zip(values).collect());
    }
    Some(out)
}

fn check(whole: &Path, file: &Path, number: u64, all: &Content) {
    let dir = scratch();
    copy_dir(whole, dir.path());
    let path = dir.path().join(file);
    let damaged = mutation::mutate(&fs::read(&path).expect("a file"), number);
    fs::write(&path, damaged).expect("written");
    let what = format!("{}, mutation {number}", file.display());
    // A changed meta.json is another block: it has no checksum.
    let is_meta = file.ends_with("meta.json");
    for _ in 0..2 {
        let (db, _registry) = open(late_options(dir.path()));
        for (series, samples) in readable(&db).iter().flatten() {
            let known = all.get(series).unwrap_or_else(|| panic!("{what}: {series} was never there"));
            let invented = samples.iter().find(|sample| !known.contains(sample));
            assert!(invented.is_none() || is_meta, "{what}: {series} has got {invented:?}");
        }
        let _ = db.maintain();
        for _ in 0..10 {
            if !matches!(db.compact(), Ok(Some(_))) {
                break;
            }
        }
    }
}

#[test]
fn one_damaged_file_costs_no_more_than_itself() {
    let (dir, killed) = (scratch(), scratch());
    let (db, _registry) = open(late_options(dir.path()));
    fill(&db);
    // With deletions undone: a damaged log may have lost them.
    let mut all = content(&db);
    let undeleted = (0..700_i64).map(|step| {
        let late = if step % 9 == 8 { 20_250 } else { 0 };
        (step * 500 - late, (step as f64).to_bits())
    });
    all.get_mut("m{i=\"1\"}").expect("a series").extend(undeleted);
    copy_dir(dir.path(), killed.path());
    db.close().expect("closed");
    drop(db);
    for whole in [killed.path(), dir.path()] {
        let mut found = Vec::new();
        files(whole, &mut found);
        found.sort();
        assert!(found.len() > 10, "{found:?}");
        for path in found {
            let file = path.strip_prefix(whole).expect("it is in there");
            (0..MUTATIONS).for_each(|number| check(whole, file, number, &all));
        }
    }
}
