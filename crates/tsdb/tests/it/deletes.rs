//! Deleting, and a model of everything that changes blocks: appends, cuts, blocks from elsewhere, deletions, compactions, deaths.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use model::{MatchOp, Matcher, TimeRange, Timestamp};
use proptest::prelude::*;
use storage::{Hints, LabelRequest, Queryable, SelectRequest};
use tsdb::{Db, Options};

use crate::fixture::{Content, append, block_on, content, copy_dir, labels, metric, ms, open, options, scratch};

fn range(min: i64, max: i64) -> TimeRange {
    TimeRange::new(ms(min), ms(max))
}

fn fill(db: &Db, times: impl Iterator<Item = i64>) {
    let series: Vec<_> = (0..4).map(|i| labels(&[("__name__", "m"), ("i", &i.to_string())])).collect();
    for time in times {
        append(db, &series.iter().map(|labels| (labels, time, time as f64)).collect::<Vec<_>>());
    }
}

fn without(all: &Content, series: &str, range: TimeRange) -> Content {
    let mut left = all.clone();
    for (name, samples) in &mut left {
        if name.contains(series) {
            samples.retain(|(time, _)| !range.contains(ms(*time)));
        }
    }
    left.retain(|_, samples| !samples.is_empty());
    left
}

/// Blocks from 0 to 180 s, the head from there to 240 s.
fn blocks_and_head(dir: &std::path::Path) -> (std::sync::Arc<Db>, prometheus_client::registry::Registry) {
    let (db, registry) = open(options(dir));
    fill(&db, (0..48).map(|step| step * 5_000));
    db.flush_head(ms(180_000)).expect("cut");
    assert_eq!(db.blocks().len(), 3);
    (db, registry)
}

#[test]
fn what_is_deleted_is_gone_at_once_and_for_ever() {
    let dir = scratch();
    let (db, _registry) = blocks_and_head(dir.path());
    // From the middle of a block to the middle of the head.
    let deleted = range(90_000, 205_000);
    let want = without(&content(&db), "i=\"1\"", deleted);
    db.delete_series(&[Matcher::equal("i", "1")], deleted).expect("deleted");
    assert_eq!(content(&db), want);
    let stones: Vec<u64> = db.blocks().iter().map(|block| block.stats.num_tombstones).collect();
    assert_eq!(stones, [0, 1, 1]);
    // Samples to come are not touched, not even within the range that was asked for.
    db.delete_series(&[Matcher::equal("i", "1")], range(0, 1_000_000)).expect("deleted");
    fill(&db, std::iter::once(240_000));
    let now = content(&db);
    assert_eq!(now.values().map(Vec::len).collect::<Vec<_>>(), [49, 1, 49, 49]);
    // A death, a cut, a cleaning and a compaction change nothing.
    let killed = scratch();
    copy_dir(dir.path(), killed.path());
    let (back, registry) = open(options(killed.path()));
    assert_eq!(content(&back), now);
    assert_eq!(metric(&registry, "watershed_tsdb_wal_unread_records_total").max(0.0), 0.0);
    db.flush_head(Timestamp::MAX).expect("cut");
    assert_eq!(content(&db), now);
    db.clean_tombstones().expect("cleaned");
    assert_eq!(content(&db), now);
    assert!(db.blocks().iter().all(|block| block.stats.num_tombstones == 0));
    while db.compact().expect("compacted").is_some() {}
    assert_eq!(content(&db), now);
    drop(db);
    let (db, _registry) = open(options(dir.path()));
    assert_eq!(content(&db), now);
}

#[test]
fn cleaned_blocks_are_smaller_and_empty_ones_are_gone() {
    let dir = scratch();
    let (db, registry) = blocks_and_head(dir.path());
    let before = db.blocks();
    let all = Matcher::equal("__name__", "m");
    db.delete_series(std::slice::from_ref(&all), range(0, 59_999)).expect("deleted");
    db.delete_series(&[Matcher::equal("i", "0")], range(60_000, 100_000)).expect("deleted");
    // As in Prometheus, label values stay until the block is written anew.
    let request = LabelRequest { matchers: vec![all], range: range(0, 59_999), limit: 0 };
    assert_eq!(block_on(db.label_values("i", &request)).expect("values").len(), 4);
    // Series of which everything is deleted are not shown.
    let hints = Hints { labels_only: true, ..Hints::default() };
    let listed = SelectRequest { matchers: vec![], range: range(0, 59_999), hints };
    assert_eq!(block_on(db.select(&listed)).expect("selects").series.count(), 0);
    let want = content(&db);
    db.clean_tombstones().expect("cleaned");
    assert_eq!(content(&db), want);
    let after = db.blocks();
    assert_eq!(after.len(), 2);
    assert_eq!(after[1], before[2], "untouched");
    assert!(after[0].stats.num_samples < before[1].stats.num_samples);
    // As Prometheus writes it: a block of level 1 that is its own source and has one parent.
    assert_eq!((after[0].compaction.level, &after[0].compaction.sources), (1, &vec![after[0].ulid]));
    assert_eq!(after[0].compaction.parents.iter().map(|parent| parent.ulid).collect::<Vec<_>>(), [before[1].ulid]);
    assert_eq!(metric(&registry, "prometheus_tsdb_tombstone_cleanup_seconds_count"), 1.0);
    for gone in &before[..2] {
        assert!(!dir.path().join(gone.ulid.to_string()).exists());
    }
}

/// The log still has the newest block's samples. If the block went, they would come back.
#[test]
fn what_is_deleted_of_the_newest_block_does_not_come_back_from_the_log() {
    let dir = scratch();
    let (db, _registry) = blocks_and_head(dir.path());
    db.delete_series(&[Matcher::equal("__name__", "m")], range(120_000, 179_999)).expect("deleted");
    let want = content(&db);
    db.clean_tombstones().expect("cleaned");
    assert_eq!((content(&db), db.blocks().len()), (want.clone(), 3));
    drop(db);
    let (db, _registry) = open(options(dir.path()));
    assert_eq!(content(&db), want);
    // It goes when there is a newer one.
    db.flush_head(Timestamp::MAX).expect("cut");
    db.clean_tombstones().expect("cleaned");
    assert_eq!((content(&db), db.blocks().len()), (want, 3));
}

/// A tombstone that touches no sample makes a block with the same content under another name, not one that replaces itself.
#[test]
fn cleaning_a_block_without_effect_keeps_it() {
    let dir = scratch();
    let (db, _registry) = blocks_and_head(dir.path());
    let want = content(&db);
    db.delete_series(&[Matcher::equal("i", "0")], range(1, 4_999)).expect("deleted");
    assert_eq!(db.blocks()[0].stats.num_tombstones, 1);
    for _ in 0..2 {
        db.clean_tombstones().expect("cleaned");
        assert_eq!(content(&db), want);
    }
    drop(db);
    let (db, _registry) = open(options(dir.path()));
    assert_eq!(content(&db), want);
}

#[test]
fn a_deletion_that_matches_nothing_writes_nothing() {
    let dir = scratch();
    let (db, _registry) = blocks_and_head(dir.path());
    let (blocks, bytes) = (db.blocks(), db.disk_bytes());
    db.delete_series(&[Matcher::equal("i", "9")], TimeRange::ALL).expect("deleted");
    db.delete_series(&[Matcher::equal("i", "1")], range(300_000, 400_000)).expect("deleted");
    assert_eq!((db.blocks(), db.disk_bytes()), (blocks, bytes));
}

#[test]
fn a_snapshot_keeps_deletions_and_may_leave_out_the_head() {
    let dir = scratch();
    let (db, _registry) = blocks_and_head(dir.path());
    db.delete_series(&[Matcher::equal("i", "1")], range(100_000, 200_000)).expect("deleted");
    let want = content(&db);
    let (whole, blocks) = (scratch(), scratch());
    db.snapshot(whole.path(), true).expect("snapshot");
    db.snapshot(blocks.path(), false).expect("snapshot");
    assert_eq!(content(&open(options(whole.path())).0), want);
    let without_head = content(&open(options(blocks.path())).0);
    assert_eq!(without_head["m{i=\"0\"}"].len(), 36, "{:?}", without_head.keys());
}

#[derive(Debug, Clone)]
enum Step {
    /// So many samples of the series that a mask tells.
    Append(u8, u8),
    Flush,
    Maintain,
    /// A block that another database wrote of times that are in blocks: series mask, first minute, step.
    Backfill(u8, u8, u8),
    /// Series by a mask, from one to the other percent of all time.
    Delete(u8, u8, u8),
    Compact,
    Clean,
    Restart,
    Kill,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..64_u8, 1..40_u8).prop_map(|(series, count)| Step::Append(series, count)),
        2 => Just(Step::Flush),
        3 => Just(Step::Maintain),
        2 => (1..64_u8, 0..100_u8, 1..20_u8).prop_map(|(series, at, step)| Step::Backfill(series, at, step)),
        4 => (1..64_u8, 0..100_u8, 0..100_u8).prop_map(|(series, a, b)| Step::Delete(series, a.min(b), a.max(b))),
        5 => Just(Step::Compact),
        1 => Just(Step::Clean),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
    ]
}

const STEP_MS: i64 = 3_000;

fn series_of(mask: u8) -> impl Iterator<Item = usize> {
    (0..6).filter(move |i| mask & (1 << i) != 0)
}

fn name(i: usize) -> model::Labels {
    labels(&[("__name__", "m"), ("series", &i.to_string())])
}

/// The same time has the same value, wherever it comes from.
fn value(i: usize, time: i64) -> f64 {
    (time / 7 + i as i64) as f64
}

fn matchers(mask: u8) -> Vec<Matcher> {
    let names: Vec<String> = series_of(mask).map(|i| i.to_string()).collect();
    vec![Matcher::new(MatchOp::Regex, "series", names.join("|")).expect("valid")]
}

type Model = BTreeMap<usize, BTreeMap<i64, u64>>;

struct World {
    dirs: Vec<tempfile::TempDir>,
    db: std::sync::Arc<Db>,
    want: Model,
    now: i64,
    /// Everything before is in blocks.
    in_blocks: i64,
    /// The names of all blocks that there ever were.
    seen: BTreeSet<String>,
}

fn small(dir: &tempfile::TempDir) -> Options {
    Options { wal_segment_bytes: 32 << 10, max_block_ms: 9 * 60_000, ..options(dir.path()) }
}

impl World {
    fn new() -> Self {
        let dirs = vec![scratch()];
        let db = open(small(&dirs[0])).0;
        World { dirs, db, want: Model::new(), now: 0, in_blocks: 0, seen: BTreeSet::new() }
    }

    fn dir(&self) -> &tempfile::TempDir {
        &self.dirs[self.dirs.len() - 1]
    }

    fn reopen(&mut self, clean: bool) {
        let next = scratch();
        if clean {
            self.db.close().expect("closed");
        } else {
            copy_dir(self.dir().path(), next.path());
            self.dirs.push(next);
        }
        // The directory's lock must be free before it is opened again.
        let elsewhere = scratch();
        self.db = open(small(&elsewhere)).0;
        self.db = open(small(self.dir())).0;
    }

    fn backfill(&mut self, mask: u8, at: i64, step: i64) {
        let first = (self.in_blocks * at / 100 / 60_000) * 60_000;
        let end = (first + 60_000 * (1 + step % 3)).min(self.in_blocks);
        let elsewhere = scratch();
        let (db, _registry) = open(small(&elsewhere));
        let mut samples = Vec::new();
        for time in (first..end).step_by(step as usize * 500) {
            for i in series_of(mask) {
                append(&db, &[(&name(i), time, value(i, time))]);
                samples.push((i, time));
            }
        }
        db.flush_head(ms(end)).expect("cut");
        // The name tells the content: one that is there, or was replaced by another, stays as it is.
        let blocks: Vec<String> = db.blocks().iter().map(|block| block.ulid.to_string()).collect();
        if blocks.iter().any(|id| self.seen.contains(id)) {
            return;
        }
        for id in blocks {
            copy_dir(&elsewhere.path().join(&id), &self.dir().path().join(&id));
        }
        for (i, time) in samples {
            self.want.entry(i).or_default().insert(time, value(i, time).to_bits());
        }
        self.reopen(true);
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Append(mask, count) => {
                for _ in 0..count {
                    for i in series_of(mask) {
                        append(&self.db, &[(&name(i), self.now, value(i, self.now))]);
                        self.want.entry(i).or_default().insert(self.now, value(i, self.now).to_bits());
                    }
                    self.now += STEP_MS;
                }
            }
            Step::Flush => {
                self.db.flush_head(ms(self.now)).expect("flushed");
            }
            Step::Maintain => {
                self.db.maintain().expect("maintained");
            }
            Step::Backfill(mask, at, step) => self.backfill(mask, at.into(), step.into()),
            Step::Delete(mask, from, to) => {
                let deleted = range(self.now * i64::from(from) / 100, self.now * i64::from(to) / 100);
                self.db.delete_series(&matchers(mask), deleted).expect("deleted");
                for i in series_of(mask) {
                    self.want.entry(i).or_default().retain(|time, _| !deleted.contains(ms(*time)));
                }
            }
            Step::Compact => {
                self.db.compact().expect("compacted");
            }
            Step::Clean => self.db.clean_tombstones().expect("cleaned"),
            Step::Restart => self.reopen(true),
            Step::Kill => self.reopen(false),
        }
        self.seen.extend(self.db.blocks().iter().map(|block| block.ulid.to_string()));
        self.in_blocks = self.db.blocks().iter().map(|block| block.max_time.as_ms()).max().unwrap_or(0);
    }

    fn wanted(&self) -> Content {
        let filled = self.want.iter().filter(|(_, samples)| !samples.is_empty());
        filled.map(|(i, samples)| (name(*i).to_string(), samples.iter().map(|(t, v)| (*t, *v)).collect())).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn blocks_hold_what_a_map_would(steps in proptest::collection::vec(any_step(), 1..50)) {
        let mut world = World::new();
        for (at, step) in steps.iter().enumerate() {
            world.take(step);
            let (got, want) = (content(&world.db), world.wanted());
            prop_assert!(got == want, "after {:?}: {}", &steps[..=at], difference(&got, &want));
        }
        // What compaction leaves is told truly by every block, and nothing else lies about.
        while world.db.compact().expect("compacted").is_some() {}
        prop_assert_eq!(content(&world.db), world.wanted());
        let folders = fs::read_dir(world.dir().path()).expect("dir").filter(|e| e.as_ref().expect("entry").file_name().len() >= 26);
        prop_assert_eq!(folders.count(), world.db.blocks().len());
        world.db.clean_tombstones().expect("cleaned");
        prop_assert_eq!(content(&world.db), world.wanted());
        // Only the newest may keep its tombstones: where everything in it was deleted.
        let blocks = world.db.blocks();
        let end = blocks.iter().map(|block| block.max_time).max();
        prop_assert!(blocks.iter().all(|block| block.stats.num_tombstones == 0 || Some(block.max_time) == end));
    }
}

fn difference(got: &Content, want: &Content) -> String {
    let mut out = String::new();
    for (series, samples) in want {
        let there = got.get(series).cloned().unwrap_or_default();
        let lost: Vec<_> = samples.iter().filter(|sample| !there.contains(sample)).map(|(time, _)| time).collect();
        let more: Vec<_> = there.iter().filter(|sample| !samples.contains(sample)).map(|(time, _)| time).collect();
        if !lost.is_empty() || !more.is_empty() {
            out.push_str(&format!("{series}: lost {lost:?}, more {more:?}; "));
        }
    }
    out
}
