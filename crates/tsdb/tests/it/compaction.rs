//! Blocks becoming fewer: what is read stays the same, whatever happens in between.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use model::{
    Buckets, CUSTOM_BUCKETS_SCHEMA, FloatHistogram, Histogram, Matcher, NativeHistogram, Span, TimeRange, Timestamp,
};
use storage::chunk::{Encoding, Value};
use storage::{Appendable, Queryable, SelectRequest};
use tsdb::{BlockMeta, Compaction, Db, Options};

use crate::fixture::{Content, append, content, copy_dir, labels, metric, ms, open, options, scratch, select};

/// Five series over some minutes, a sample each five seconds and series, in blocks of a minute.
fn fill(db: &Db, minutes: std::ops::Range<i64>) {
    let series: Vec<_> = (0..5).map(|i| labels(&[("__name__", "m"), ("i", &i.to_string())])).collect();
    for step in minutes.start * 12..minutes.end * 12 {
        // Series 4 comes late and series 3 goes early.
        let there = |i: usize| !(i == 4 && step < 100 || i == 3 && step > 150);
        let batch: Vec<_> = series
            .iter()
            .enumerate()
            .filter(|(i, _)| there(*i))
            .map(|(i, labels)| (labels, step * 5_000, (step * 10) as f64 + i as f64))
            .collect();
        append(db, &batch);
        if step % 7 == 0 {
            db.maintain().expect("maintained");
        }
    }
}

fn compact_all(db: &Db) -> Vec<Compaction> {
    std::iter::from_fn(|| db.compact().expect("compacted")).collect()
}

fn spans(db: &Db) -> Vec<(i64, i64, u32)> {
    let span =
        |block: &BlockMeta| (block.min_time.as_ms() / 60_000, block.max_time.as_ms() / 60_000, block.compaction.level);
    db.blocks().iter().map(span).collect()
}

#[test]
fn levels_are_those_of_prometheus_and_nothing_changes() {
    let dir = scratch();
    let (db, registry) = open(options(dir.path()));
    fill(&db, 0..21);
    let (all, before) = (content(&db), db.blocks());
    assert!(before.len() >= 19, "{}", before.len());
    let steps = compact_all(&db);
    // Widths are 1, 3 and 9 minutes, as `max_block_ms` is ten. The newest block waits.
    assert_eq!(spans(&db), [(0, 9, 3), (9, 18, 3), (18, 19, 1)]);
    assert_eq!(content(&db), all);
    assert_eq!(metric(&registry, "prometheus_tsdb_blocks_loaded"), 3.0);
    assert_eq!(metric(&registry, "prometheus_tsdb_vertical_compactions_total"), 0.0);
    assert_eq!(metric(&registry, "prometheus_tsdb_compactions_failed_total"), 0.0);
    assert_eq!(metric(&registry, "prometheus_tsdb_compaction_populating_block"), 0.0);
    assert!(metric(&registry, "prometheus_tsdb_compaction_chunk_samples_count") > 0.0);
    assert_eq!(steps.len(), 8);
    // A block tells its ancestry: what it replaces, and the blocks of level 1 that all came from.
    let block = &db.blocks()[0];
    assert_eq!(block.compaction.parents.len(), 3);
    let mut sources: Vec<_> = before[..9].iter().map(|block| block.ulid).collect();
    sources.sort();
    assert_eq!(block.compaction.sources, sources);
    assert_eq!(block.stats.num_samples, before[..9].iter().map(|block| block.stats.num_samples).sum::<u64>());
    assert_eq!(block.stats.num_series, 5);
    // Only these are on disk, and a restart sees the same.
    assert_eq!(folders(dir.path()), db.blocks().iter().map(|block| block.ulid.to_string()).collect());
    drop(db);
    let (db, _registry) = open(options(dir.path()));
    assert_eq!(content(&db), all);
    assert_eq!(db.compact().expect("nothing to do"), None);
}

fn folders(dir: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(dir).expect("dir").map(|entry| entry.expect("entry").file_name());
    names.filter_map(|name| name.into_string().ok()).filter(|name| name.len() >= 26).collect()
}

#[test]
fn whoever_compacts_the_same_gets_the_same() {
    let names = |dir: &Path| {
        let (db, _registry) = open(options(dir));
        fill(&db, 0..12);
        compact_all(&db);
        db.blocks().iter().map(|block| block.ulid).collect::<Vec<_>>()
    };
    let (one, two) = (scratch(), scratch());
    assert_eq!(names(one.path()), names(two.path()));
}

/// Puts the blocks of a database with `samples` into `dir`.
fn backfill(dir: &Path, samples: &[(&str, i64, f64)]) {
    let elsewhere = scratch();
    let (db, _registry) = open(options(elsewhere.path()));
    for (name, time, value) in samples {
        append(&db, &[(&labels(&[("__name__", name)]), *time, *value)]);
    }
    db.flush_head(Timestamp::MAX).expect("flushed");
    for block in db.blocks() {
        copy_dir(&elsewhere.path().join(block.ulid.to_string()), &dir.join(block.ulid.to_string()));
    }
}

#[test]
fn overlapping_blocks_are_merged_first_and_the_first_sample_counts() {
    let dir = scratch();
    backfill(dir.path(), &[("a", 0, 1.0), ("b", 0, 1.0), ("a", 20_000, 1.0), ("a", 40_000, 1.0)]);
    backfill(dir.path(), &[("a", 10_000, 2.0), ("a", 20_000, 2.0), ("c", 59_000, 2.0)]);
    backfill(dir.path(), &[("a", 60_000, 3.0)]);
    let (db, registry) = open(options(dir.path()));
    let all = content(&db);
    let times: Vec<i64> = all["a"].iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [0, 10_000, 20_000, 40_000, 60_000]);
    assert_eq!(db.blocks().len(), 3);
    let steps = compact_all(&db);
    assert_eq!(steps.len(), 1);
    assert_eq!(db.blocks().len(), 2);
    assert_eq!(content(&db), all);
    assert_eq!(metric(&registry, "prometheus_tsdb_vertical_compactions_total"), 1.0);
}

/// What a crash leaves at each point of a step: the new block beside its parents, or half of something.
#[test]
fn a_crash_at_any_point_of_a_step_loses_and_doubles_nothing() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    fill(&db, 0..6);
    let all = content(&db);
    let before = scratch();
    copy_dir(dir.path(), before.path());
    let Some(Compaction::Replaced { parents, block: Some(block) }) = db.compact().expect("compacted") else {
        panic!("nothing was compacted")
    };
    let new = block.ulid.to_string();
    let check = |what: &str, change: &dyn Fn(&Path)| {
        let crashed = scratch();
        copy_dir(before.path(), crashed.path());
        change(crashed.path());
        let (db, _registry) = open(options(crashed.path()));
        assert_eq!(content(&db), all, "{what}");
        compact_all(&db);
        assert_eq!(content(&db), all, "{what}, compacted");
        assert!(db.blocks().iter().any(|block| block.ulid.to_string() == new), "{what}");
        let on_disk = db.blocks().iter().map(|block| block.ulid.to_string()).collect();
        assert_eq!(folders(crashed.path()), on_disk, "{what}");
    };
    let put = |to: &Path, name: &str| copy_dir(&dir.path().join(&new), &to.join(name));
    check("before it", &|_| {});
    check("in the middle of writing", &|to| {
        put(to, &format!("{new}.tmp-for-creation"));
        fs::remove_file(to.join(format!("{new}.tmp-for-creation")).join("meta.json")).expect("removed");
    });
    check("before the rename", &|to| put(to, &format!("{new}.tmp-for-creation")));
    check("before the parents are deleted", &|to| put(to, &new));
    for gone in 1..=parents.len() {
        check("while the parents are deleted", &|to| {
            put(to, &new);
            for parent in &parents[..gone - 1] {
                fs::remove_dir_all(to.join(parent.to_string())).expect("removed");
            }
            let half = to.join(format!("{}.tmp-for-deletion", parents[gone - 1]));
            fs::rename(to.join(parents[gone - 1].to_string()), &half).expect("renamed");
            fs::remove_file(half.join("index")).expect("removed");
        });
    }
}

/// Flips a bit in the data of a chunk.
fn damage_chunks(dir: &Path, block: &BlockMeta) -> PathBuf {
    let folder = dir.join(block.ulid.to_string());
    let segment = folder.join("chunks/000001");
    let mut bytes = fs::read(&segment).expect("segment");
    bytes[20] ^= 1;
    fs::write(&segment, bytes).expect("written");
    folder
}

#[test]
fn a_block_that_cannot_be_read_is_set_aside_and_the_rest_goes_on() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    fill(&db, 0..12);
    let blocks = db.blocks();
    drop(db);
    let folder = damage_chunks(dir.path(), &blocks[4]);
    let (db, registry) = open(options(dir.path()));
    let steps = compact_all(&db);
    assert!(steps.contains(&Compaction::SetAside(blocks[4].ulid)), "{steps:?}");
    // What stands together on both sides of it becomes one.
    assert_eq!(spans(&db), [(0, 4, 3), (4, 5, 1), (5, 9, 3), (9, 10, 1), (10, 11, 1)]);
    assert_eq!(metric(&registry, "watershed_tsdb_blocks_set_aside"), 1.0);
    assert_eq!(metric(&registry, "prometheus_tsdb_compactions_failed_total"), 1.0);
    let mark: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("no-compact-mark.json")).expect("a mark")).expect("JSON");
    assert_eq!(mark["id"], blocks[4].ulid.to_string());
    assert_eq!((mark["version"].as_u64(), mark["reason"].as_str()), (Some(1), Some("unreadable-block")));
    assert!(mark["details"].as_str().is_some_and(|details| details.contains("checksum")), "{mark}");
    assert!(db.blocks()[1].compaction.failed);
    drop(db);
    // Not tried again after a restart, by us or by Prometheus.
    let (db, registry) = open(options(dir.path()));
    assert_eq!(compact_all(&db), []);
    assert_eq!(metric(&registry, "watershed_tsdb_blocks_set_aside"), 1.0);
    let meta = BlockMeta::from_json(&fs::read(folder.join("meta.json")).expect("meta")).expect("valid");
    assert!(meta.compaction.failed);
}

#[test]
fn a_held_block_is_not_compacted() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    db.hold_blocks(|_| true);
    fill(&db, 0..6);
    assert_eq!(db.compact().expect("nothing to do"), None);
    db.hold_blocks(|_| false);
    assert!(db.compact().expect("compacted").is_some());
}

#[test]
fn closing_ends_compaction() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    fill(&db, 0..6);
    let blocks = db.blocks();
    db.close().expect("closed");
    assert_eq!(db.compact().expect("stopped"), None);
    assert_eq!(db.blocks(), blocks);
}

#[test]
fn retention_by_size_keeps_the_newest() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    fill(&db, 0..12);
    let (blocks, bytes) = (db.blocks(), db.disk_bytes());
    drop(db);
    let limited = Options { retention_bytes: bytes - 1, ..options(dir.path()) };
    let (db, registry) = open(limited.clone());
    assert_eq!(metric(&registry, "prometheus_tsdb_retention_limit_bytes"), limited.retention_bytes as f64);
    db.hold_blocks(|_| true);
    assert!(db.maintain().expect("maintained").deleted.is_empty(), "held");
    db.hold_blocks(|_| false);
    let deleted = db.maintain().expect("maintained").deleted;
    assert!(!deleted.is_empty() && deleted.len() < 3, "{}", deleted.len());
    assert!(db.disk_bytes() <= limited.retention_bytes);
    let left: Vec<_> = db.blocks();
    assert_eq!(left, blocks[deleted.len()..]);
    assert_eq!(metric(&registry, "prometheus_tsdb_size_retentions_total"), 1.0);
    assert_eq!(db.maintain().expect("maintained").deleted, []);
}

/// Appends, queries and cuts go on while blocks are merged.
#[test]
fn compaction_runs_beside_everything_else() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                db.compact().expect("compacted");
            }
        });
        scope.spawn(|| {
            let mut newest = 0;
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                let got = select(&*db, vec![Matcher::equal("i", "0")], TimeRange::ALL);
                let count: usize = got.values().map(Vec::len).sum();
                assert!(count >= newest, "{count} samples after {newest}");
                newest = count;
                let whole = got.values().flatten().enumerate().all(|(at, (time, _))| *time == at as i64 * 5_000);
                assert!(whole, "a hole or a repeat among {count} samples");
            }
        });
        fill(&db, 0..40);
        done.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    compact_all(&db);
    let got: Content = content(&db);
    assert_eq!(got.values().map(Vec::len).collect::<Vec<_>>(), [480, 480, 480, 151, 380]);
    assert_eq!(db.min_time(), Some(ms(0)));
}

/// A native histogram of one of four kinds, with other buckets every now and then and a reset half-way.
fn native(kind: usize, step: i64) -> NativeHistogram {
    let (custom, count) = (kind >= 2, 1 + step % 150);
    let buckets = Buckets {
        schema: if custom { CUSTOM_BUCKETS_SCHEMA } else { (step / 40 % 3) as i32 },
        positive_spans: vec![Span { offset: 0, length: 2 + (step / 25 % 2) as u32 }],
        custom_values: if custom { vec![0.5, 1.0, 2.5] } else { Vec::new() },
        ..Buckets::default()
    };
    let mut positive = vec![count];
    positive.resize(buckets.positive_spans[0].length as usize, 0);
    let (count, sum) = ((count * positive.len() as i64) as u64, step as f64);
    let whole = Histogram { buckets, count, sum, positive, ..Histogram::default() };
    if kind.is_multiple_of(2) {
        NativeHistogram::Int(Box::new(whole))
    } else {
        NativeHistogram::Float(Box::new(whole.to_float()))
    }
}

fn append_native(db: &Db, steps: impl Iterator<Item = i64>) {
    for step in steps {
        let mut appender = db.appender();
        for kind in 0..4 {
            let labels = labels(&[("__name__", "h"), ("kind", &kind.to_string())]);
            appender.append_histogram(&labels, ms(step * 5_000), native(kind, step)).expect("taken");
        }
        appender.commit().expect("stored");
        if step % 7 == 0 {
            db.maintain().expect("maintained");
        }
    }
}

/// By kind: time, encoding, and what can't change by encoding it anew.
fn native_content(db: &Db) -> Vec<Vec<(i64, Encoding, NativeHistogram)>> {
    let request = SelectRequest::new(vec![Matcher::equal("__name__", "h")], TimeRange::ALL);
    let set = crate::fixture::block_on(db.select(&request)).expect("selects");
    let samples = |series: storage::Series| {
        let mut out = BTreeMap::new();
        for chunk in &series.chunks {
            let mut values = chunk.values();
            while let Some((time, value)) = values.next().expect("readable") {
                let Value::Histogram(histogram) = value else { panic!("a float at {time}") };
                out.entry(time).or_insert((time, chunk.encoding, histogram));
            }
        }
        out.into_values().collect()
    };
    set.series.map(|series| samples(series.expect("series"))).collect()
}

fn check_native(db: &Db, steps: &[i64], what: &str) {
    let content = native_content(db);
    assert_eq!(content.len(), 4, "{what}");
    for (kind, samples) in content.iter().enumerate() {
        let times: Vec<i64> = samples.iter().map(|(time, ..)| time / 5_000).collect();
        assert_eq!(times, steps, "{what}, kind {kind}");
        let encoding = if kind % 2 == 0 { Encoding::Histogram } else { Encoding::FloatHistogram };
        for (time, found, histogram) in samples {
            assert_eq!(*found, encoding, "{what}, kind {kind}");
            let (got, want) = (histogram.to_float(), native(kind, time / 5_000).to_float());
            let essence = |h: &FloatHistogram| (h.buckets.schema, h.count, h.sum, h.buckets.custom_values.clone());
            assert_eq!(essence(&got), essence(&want), "{what}, kind {kind} at {time}");
            let counts = |h: &FloatHistogram| h.positive.iter().copied().filter(|c| *c != 0.0).collect::<Vec<_>>();
            assert_eq!(counts(&got), counts(&want), "{what}, kind {kind} at {time}");
        }
    }
}

#[test]
fn native_histograms_go_through_all_levels() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    let steps: Vec<i64> = (0..21 * 12).collect();
    append_native(&db, steps.iter().copied());
    check_native(&db, &steps, "cut");
    compact_all(&db);
    assert_eq!(spans(&db), [(0, 9, 3), (9, 18, 3), (18, 19, 1)]);
    check_native(&db, &steps, "compacted");
    // A part is deleted, and the blocks are written anew without it.
    let deleted = TimeRange::new(ms(100 * 5_000), ms(120 * 5_000));
    db.delete_series(&[Matcher::equal("__name__", "h")], deleted).expect("deleted");
    db.clean_tombstones().expect("cleaned");
    let left: Vec<i64> = steps.into_iter().filter(|step| !(100..=120).contains(step)).collect();
    check_native(&db, &left, "cleaned");
    drop(db);
    check_native(&open(options(dir.path())).0, &left, "opened again");
}

#[test]
fn overlapping_native_histograms_are_merged_sample_by_sample() {
    let (dir, even, odd) = (scratch(), scratch(), scratch());
    let steps: Vec<i64> = (0..60).collect();
    for (elsewhere, rest) in [(&even, 0), (&odd, 1)] {
        let (db, _registry) = open(options(elsewhere.path()));
        append_native(&db, steps.iter().copied().filter(|step| step % 2 == rest || step % 10 == 0));
        db.flush_head(Timestamp::MAX).expect("flushed");
        for block in db.blocks() {
            let name = block.ulid.to_string();
            copy_dir(&elsewhere.path().join(&name), &dir.path().join(&name));
        }
    }
    let (db, registry) = open(options(dir.path()));
    check_native(&db, &steps, "beside each other");
    compact_all(&db);
    assert!(metric(&registry, "prometheus_tsdb_vertical_compactions_total") >= 5.0);
    check_native(&db, &steps, "merged");
    let overlaps = db.blocks().windows(2).filter(|pair| pair[0].max_time > pair[1].min_time).count();
    assert_eq!(overlaps, 0);
}
