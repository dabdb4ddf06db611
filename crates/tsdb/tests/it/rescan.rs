//! Blocks that others put beside a running database, or take away from it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use model::{TimeRange, Timestamp};
use prometheus_client::registry::Registry;
use storage::Queryable;
use tsdb::{Backfill, BackfillOptions, BlockId, BlockMeta, Compaction, Db, Options};

use crate::fixture::{Content, append, block_on, content, copy_dir, labels, metric, open, options, scratch};

/// Appends one sample each ten seconds and lets the head be cut as it goes.
fn fill(db: &Db, minutes: std::ops::Range<i64>) {
    for step in minutes.start * 6..minutes.end * 6 {
        append(db, &[(&labels(&[("__name__", "own")]), step * 10_000, step as f64)]);
        db.maintain().expect("maintained");
    }
}

/// Blocks of a minute with a sample each ten seconds of the series `name`, made in `dir` as `create-blocks-from` does.
fn create_blocks(dir: &Path, name: &str, minutes: std::ops::Range<i64>) -> Vec<BlockMeta> {
    let mut backfill = Backfill::new(BackfillOptions { block_ms: 60_000, ..BackfillOptions::default() });
    let series = backfill.series(&labels(&[("__name__", name)])).expect("a series");
    for step in minutes.start * 6..minutes.end * 6 {
        backfill.push(series, Timestamp::from_ms(step * 10_000), 1.0).expect("taken");
    }
    assert!(!backfill.write(dir).expect("written"));
    backfill.publish().expect("published")
}

/// The block of a database of its own that was cut from its head: it has no mark.
fn foreign_block(minutes: std::ops::Range<i64>) -> (tempfile::TempDir, BlockMeta) {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    let (begin, end) = (minutes.start * 60_000, minutes.end * 60_000);
    append(&db, &[(&labels(&[("__name__", "foreign")]), begin, 1.0)]);
    append(&db, &[(&labels(&[("__name__", "foreign")]), end - 1, 2.0)]);
    db.flush_head(Timestamp::MAX).expect("flushed");
    while db.compact().expect("compacted").is_some() {}
    let meta = db.blocks().pop().expect("a block");
    (dir, meta)
}

fn put(from: &Path, meta: &BlockMeta, to: &Path) {
    let name = meta.ulid.to_string();
    copy_dir(&from.join(&name), &to.join(&name));
}

fn count(db: &Db, name: &str) -> usize {
    content(db).get(name).map_or(0, Vec::len)
}

fn found(db: &Db) -> Vec<BlockId> {
    db.maintain().expect("maintained").found.iter().map(|meta| meta.ulid).collect()
}

fn reopened(db: Arc<Db>, registry: Registry, options: Options) -> (Arc<Db>, Registry) {
    drop((db, registry));
    open(options)
}

#[test]
fn blocks_put_beside_are_shown_without_a_restart() {
    let dir = scratch();
    let (db, registry) = open(options(dir.path()));
    fill(&db, 20..30);
    let made = create_blocks(dir.path(), "old", 2..5);
    assert_eq!((made.len(), count(&db, "old")), (3, 0));
    let loads = metric(&registry, "prometheus_tsdb_reloads_total");
    let ids: Vec<BlockId> = made.iter().map(|meta| meta.ulid).collect();
    let mut seen = found(&db);
    seen.sort_unstable();
    assert_eq!(seen, ids);
    assert_eq!((count(&db, "old"), count(&db, "own")), (18, 60));
    assert_eq!(db.min_time(), Some(made[0].min_time));
    assert_eq!(metric(&registry, "prometheus_tsdb_blocks_loaded"), db.blocks().len() as f64);
    assert_eq!(metric(&registry, "prometheus_tsdb_reloads_total"), loads + 1.0);
    // Nothing more is done from then on.
    assert_eq!(found(&db), []);
    assert_eq!(metric(&registry, "prometheus_tsdb_reloads_total"), loads + 1.0);
    let all = content(&db);
    let (db, _registry) = reopened(db, registry, options(dir.path()));
    assert_eq!(content(&db), all);
    while db.compact().expect("compacted").is_some() {}
    assert_eq!(content(&db), all);
}

/// The newest end of a block says where the log begins to count: one from elsewhere that ends later would hide the head from the
/// next start.
#[test]
fn a_block_that_reaches_into_the_head_hides_nothing_of_it() {
    let check = |what: &str, place: &dyn Fn(&Path)| {
        let dir = scratch();
        let (db, registry) = open(options(dir.path()));
        fill(&db, 0..10);
        place(dir.path());
        assert_eq!(found(&db).len(), 1, "{what}");
        while db.compact().expect("compacted").is_some() {}
        let (all, own) = (content(&db), count(&db, "own"));
        assert_eq!((all.len(), own), (2, 60), "{what}");
        let (db, registry) = reopened(db, registry, options(dir.path()));
        assert_eq!(content(&db), all, "{what}");
        // Also a log that is shortened keeps what is in no block of ours.
        fill(&db, 10..12);
        let (db, registry) = reopened(db, registry, options(dir.path()));
        assert_eq!(count(&db, "own"), 72, "{what}");
        // Once the head has given its part to blocks, all become one.
        fill(&db, 12..45);
        let mut merged = false;
        while let Some(step) = db.compact().expect("compacted") {
            merged |= matches!(&step, Compaction::Replaced { block: Some(_), .. });
        }
        assert!(merged, "{what}");
        assert!(db.blocks().iter().all(|block| block.compaction.hints.is_empty()), "{what}: {:?}", db.blocks());
        assert_eq!(count(&db, "own"), 45 * 6, "{what}");
        let all: Content = content(&db);
        let (db, _registry) = reopened(db, registry, options(dir.path()));
        assert_eq!(content(&db), all, "{what}");
    };
    check("made by us", &|dir| drop(create_blocks(dir, "made", 30..31)));
    check("from elsewhere", &|dir| {
        let (elsewhere, meta) = foreign_block(30..31);
        put(elsewhere.path(), &meta, dir);
    });
}

#[test]
fn a_block_of_the_far_future_makes_no_other_too_old() {
    let dir = scratch();
    let (db, _registry) = open(Options { retention_ms: 600_000, ..options(dir.path()) });
    fill(&db, 0..10);
    create_blocks(dir.path(), "wrong", 10_000_000..10_000_001);
    let done = db.maintain().expect("maintained");
    assert_eq!((done.found.len(), done.deleted.len()), (1, 0));
    assert_eq!(count(&db, "own"), 60);
}

#[test]
fn a_block_that_is_still_being_copied_is_waited_for() {
    let dir = scratch();
    let (elsewhere, meta) = foreign_block(0..1);
    let (from, to) = (elsewhere.path().join(meta.ulid.to_string()), dir.path().join(meta.ulid.to_string()));
    let (db, registry) = open(options(dir.path()));
    let aside = || metric(&registry, "watershed_tsdb_blocks_set_aside");
    let segment = fs::read(from.join("chunks/000001")).expect("chunks");
    fs::create_dir_all(to.join("chunks")).expect("made");
    assert_eq!((found(&db).len(), aside()), (0, 0.0));
    for file in ["meta.json", "index", "tombstones"] {
        fs::copy(from.join(file), to.join(file)).expect("copied");
        assert_eq!((found(&db).len(), aside()), (0, 0.0), "{file}");
    }
    for bytes in [0, 8, segment.len() - 1] {
        fs::write(to.join("chunks/000001"), &segment[..bytes]).expect("written");
        assert_eq!((found(&db).len(), aside()), (0, 0.0), "{bytes} bytes");
    }
    fs::write(to.join("chunks/000001"), &segment).expect("written");
    assert_eq!(found(&db), [meta.ulid]);
    assert_eq!((count(&db, "foreign"), aside()), (2, 0.0));
}

#[test]
fn a_bad_block_is_set_aside_and_taken_when_it_is_mended() {
    let dir = scratch();
    let (elsewhere, meta) = foreign_block(0..1);
    let (db, registry) = open(options(dir.path()));
    fill(&db, 20..25);
    let index = dir.path().join(meta.ulid.to_string()).join("index");
    put(elsewhere.path(), &meta, dir.path());
    let good = fs::read(&index).expect("index");
    fs::write(&index, &good[..good.len() / 2]).expect("written");
    assert_eq!((found(&db).len(), db.blocks_set_aside().len()), (0, 0), "it may still be on its way");
    assert_eq!((found(&db).len(), db.blocks_set_aside().len()), (0, 1));
    assert_eq!(metric(&registry, "watershed_tsdb_blocks_set_aside"), 1.0);
    assert_eq!(metric(&registry, "prometheus_tsdb_reloads_failures_total"), 1.0);
    assert_eq!((found(&db).len(), db.blocks_set_aside().len()), (0, 1), "told once");
    assert_eq!(metric(&registry, "prometheus_tsdb_reloads_failures_total"), 1.0);
    assert_eq!((count(&db, "own"), index.exists()), (30, true));
    fs::write(&index, good).expect("written");
    assert_eq!((found(&db), db.blocks_set_aside().len()), (vec![meta.ulid], 0));
    assert_eq!(count(&db, "foreign"), 2);
    // Under another block's name it is none.
    let other = dir.path().join("01ARZ3NDEKTSV4RRFFQ69G5FAV");
    copy_dir(&dir.path().join(meta.ulid.to_string()), &other);
    assert_eq!((found(&db).len(), found(&db).len(), db.blocks_set_aside()), (0, 0, vec![other.clone()]));
    fs::remove_dir_all(other).expect("removed");
    assert_eq!((found(&db).len(), db.blocks_set_aside().len()), (0, 0));
    assert_eq!(metric(&registry, "watershed_tsdb_blocks_set_aside"), 0.0);
}

#[test]
fn a_block_that_somebody_deleted_is_no_longer_asked() {
    let dir = scratch();
    let (db, registry) = open(options(dir.path()));
    fill(&db, 0..10);
    let first = db.blocks()[0].clone();
    let series = block_on(db.select(&storage::SelectRequest::new(vec![], TimeRange::ALL))).expect("selects");
    fs::remove_dir_all(dir.path().join(first.ulid.to_string())).expect("removed");
    let done = db.maintain().expect("maintained");
    assert_eq!(done.vanished, [first.ulid]);
    assert!(db.blocks().iter().all(|block| block.ulid != first.ulid));
    assert_eq!(count(&db, "own") as u64, 60 - first.stats.num_samples);
    assert_eq!(db.min_time(), Some(db.blocks()[0].min_time));
    assert_eq!(metric(&registry, "prometheus_tsdb_blocks_loaded"), db.blocks().len() as f64);
    // Who was reading it reads on.
    let read: usize = series.series.map(|series| series.expect("readable").chunks.len()).sum();
    assert!(read > 0);
    assert_eq!(db.maintain().expect("maintained").vanished, []);
}

/// What a compaction has replaced comes back from a copy: its samples are there already.
#[test]
fn a_parent_that_is_put_back_goes_again() {
    let dir = scratch();
    let (db, _registry) = open(options(dir.path()));
    fill(&db, 0..8);
    let (copy, all) = (scratch(), content(&db));
    copy_dir(dir.path(), copy.path());
    let Some(Compaction::Replaced { parents, .. }) = db.compact().expect("compacted") else { panic!("no compaction") };
    let name = parents[0].to_string();
    copy_dir(&copy.path().join(&name), &dir.path().join(&name));
    assert_eq!(found(&db), []);
    assert!(!dir.path().join(&name).exists());
    assert_eq!(content(&db), all);
}
