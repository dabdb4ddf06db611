//! The clock jumps, and is put right again: nothing that was stored is lost, what comes then is stored at once, and the
//! directory is kept in order as before. A machine that slept looks the same at first, and its old blocks go in the end.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use model::{Clock, ManualClock, Timestamp};
use prometheus_client::registry::Registry;
use storage::{AppendError, Appendable};
use tsdb::{Db, Options};

use crate::fixture::{Content, content, copy_dir, labels, metric, ms, scratch};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
const YEAR_MS: i64 = 365 * DAY_MS;
/// Five past a full block range, so that a range is never over by chance.
const START_MS: i64 = 1_699_999_200_000 + 5 * MINUTE_MS;

/// A shard in little: scrapes carry the clock's time, and maintenance comes round.
struct Node {
    dirs: Vec<tempfile::TempDir>,
    options: fn(&std::path::Path) -> Options,
    clock: Arc<ManualClock>,
    db: Arc<Db>,
    registry: Registry,
    /// Every sample that was acknowledged.
    stored: BTreeMap<String, BTreeMap<i64, u64>>,
    refused: usize,
}

fn open(options: Options, clock: &Arc<ManualClock>) -> (Arc<Db>, Registry) {
    let mut registry = Registry::default();
    let db = Db::open(options, Arc::clone(clock) as Arc<dyn Clock>, &mut registry).expect("the directory opens");
    (db, registry)
}

impl Node {
    fn new(options: fn(&std::path::Path) -> Options) -> Self {
        let (dir, clock) = (scratch(), Arc::new(ManualClock::new(ms(START_MS))));
        let (db, registry) = open(options(dir.path()), &clock);
        Node { dirs: vec![dir], options, clock, db, registry, stored: BTreeMap::new(), refused: 0 }
    }

    fn scrape(&mut self) {
        let now = self.clock.now();
        let mut appender = self.db.appender();
        let mut taken = Vec::new();
        for target in 0..4 {
            let labels = labels(&[("__name__", "up"), ("instance", &target.to_string())]);
            let value = (now.as_ms() / 1000 + target) as f64;
            match appender.append(&labels, now, value) {
                Ok(_) => taken.push((labels.to_string(), value.to_bits())),
                Err(_) => self.refused += 1,
            }
        }
        appender.commit().expect("stored");
        for (series, bits) in taken {
            self.stored.entry(series).or_default().insert(now.as_ms(), bits);
        }
    }

    /// Lives for so long.
    fn run(&mut self, length_ms: i64, interval_ms: i64) {
        for _ in 0..length_ms / interval_ms {
            self.clock.advance(interval_ms);
            self.scrape();
            self.db.maintain().expect("maintained");
            while self.db.compact().expect("compacted").is_some() {}
        }
    }

    fn restart(&mut self, killed: bool) {
        if killed {
            let next = scratch();
            copy_dir(self.dirs[self.dirs.len() - 1].path(), next.path());
            self.dirs.push(next);
        } else {
            self.db.close().expect("closed");
        }
        let options = (self.options)(self.dirs[self.dirs.len() - 1].path());
        // The directory is locked until the old one is gone.
        let nothing = scratch();
        self.db = open(Options::new(nothing.path()), &self.clock).0;
        (self.db, self.registry) = open(options, &self.clock);
    }

    fn stored(&self, keep: impl Fn(i64) -> bool) -> Content {
        let kept = |samples: &BTreeMap<i64, u64>| -> Vec<(i64, u64)> {
            samples.iter().map(|(time, bits)| (*time, *bits)).filter(|(time, _)| keep(*time)).collect()
        };
        self.stored.iter().map(|(series, samples)| (series.clone(), kept(samples))).collect()
    }

    fn check(&self, keep: impl Fn(i64) -> bool, case: &dyn Debug) {
        let (want, mut got) = (self.stored(&keep), content(&self.db));
        got.values_mut().for_each(|samples| samples.retain(|(time, _)| keep(*time)));
        for (series, want) in &want {
            let got = &got[series];
            let lost: Vec<_> = want.iter().filter(|sample| !got.contains(sample)).take(5).collect();
            assert!(lost.is_empty(), "{case:?}: {series} has lost {lost:?} and more");
            assert_eq!(got, want, "{case:?}");
        }
    }
}

fn by_default(dir: &std::path::Path) -> Options {
    Options::new(dir)
}

/// When it is restarted.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Restart {
    Never,
    WhileWrong { killed: bool },
    WhenRight { killed: bool },
}

#[test]
fn a_jump_that_is_taken_back_costs_nothing() {
    use Restart::{Never, WhenRight, WhileWrong};
    let restarts = [
        Never,
        WhileWrong { killed: true },
        WhenRight { killed: true },
        WhileWrong { killed: false },
        WhenRight { killed: false },
    ];
    let mut restarts = restarts.into_iter().cycle();
    for jump_ms in [HOUR_MS / 2, DAY_MS, 10 * YEAR_MS, -HOUR_MS, -START_MS] {
        // Shorter than half a block, longer, and long enough for blocks of the wrong time.
        for wrong_ms in [10 * MINUTE_MS, 90 * MINUTE_MS, 7 * HOUR_MS] {
            check_jump(jump_ms, wrong_ms, restarts.next().expect("it goes round"));
        }
        restarts.next();
    }
}

fn check_jump(jump_ms: i64, wrong_ms: i64, restart: Restart) {
    let case = (jump_ms, wrong_ms, restart);
    let mut node = Node::new(by_default);
    node.run(5 * HOUR_MS, MINUTE_MS);
    assert_eq!(node.refused, 0, "{case:?}");
    let (before, blocks_before) = (node.clock.now().as_ms(), node.db.blocks().len());
    assert!(blocks_before > 0, "{case:?}");

    node.clock.advance(jump_ms);
    node.run(wrong_ms / 2, MINUTE_MS);
    if let Restart::WhileWrong { killed } = restart {
        node.restart(killed);
    }
    node.run(wrong_ms / 2, MINUTE_MS);
    // A jump back goes over times that are stored already, which are refused or the same again.
    if jump_ms > 0 {
        assert_eq!(node.refused, 0, "{case:?}");
    }
    node.check(|time| time <= before, &case);

    node.clock.set(ms(before + wrong_ms));
    if let Restart::WhenRight { killed } = restart {
        node.restart(killed);
    }
    node.refused = 0;
    node.run(6 * HOUR_MS, MINUTE_MS);
    assert_eq!(node.refused, 0, "{case:?}: samples of now are taken at once");
    // What a clock in 1970 brought is older than the retention.
    let is_kept = |time: i64| time > START_MS / 2;
    node.check(is_kept, &case);
    // Blocks are cut as before, and what is in them has left the head and its logs.
    let now = node.clock.now().as_ms();
    let covered = node.db.blocks().iter().map(|block| block.max_time.as_ms()).filter(|end| *end <= now).max();
    assert!(covered.is_some_and(|end| now - end <= 4 * HOUR_MS), "{case:?}: blocks end {covered:?}, now is {now}");
    node.restart(true);
    node.check(is_kept, &case);
    node.run(HOUR_MS, MINUTE_MS);
    assert_eq!(node.refused, 0, "{case:?}");
    node.check(is_kept, &case);
}

#[test]
fn after_a_long_sleep_old_blocks_go_when_there_is_a_day_of_new_ones() {
    let mut node = Node::new(|dir| Options { retention_ms: 2 * DAY_MS, ..Options::new(dir) });
    node.run(9 * HOUR_MS, 5 * MINUTE_MS);
    let before = node.clock.now();
    let of_before = |db: &Db| db.blocks().iter().filter(|block| block.max_time <= before).count();
    node.clock.advance(30 * DAY_MS);
    node.run(20 * HOUR_MS, 5 * MINUTE_MS);
    assert!(of_before(&node.db) > 0 && node.db.blocks().len() > of_before(&node.db));
    assert_eq!(node.refused, 0);
    node.check(|_| true, &"asleep");
    node.run(10 * HOUR_MS, 5 * MINUTE_MS);
    assert_eq!(of_before(&node.db), 0);
    node.check(|time| time > before.as_ms(), &"awake");
}

#[test]
fn a_target_ahead_of_the_clock_is_refused_and_counted() {
    let mut node = Node::new(by_default);
    node.run(10 * MINUTE_MS, MINUTE_MS);
    let ahead = labels(&[("__name__", "up"), ("instance", "ahead")]);
    let mut appender = node.db.appender();
    let now = node.clock.now();
    let answer = appender.append(&ahead, now.saturating_add(DAY_MS), 1.0);
    assert!(matches!(answer, Err(AppendError::TooNew { .. })), "{answer:?}");
    appender.commit().expect("nothing to store");
    assert_eq!(metric(&node.registry, "watershed_tsdb_too_new_samples_total"), 1.0);
    node.run(10 * MINUTE_MS, MINUTE_MS);
    assert_eq!(node.refused, 0);
}

#[test]
fn late_samples_of_a_clock_that_was_put_right_are_counted() {
    let mut node = Node::new(by_default);
    node.run(10 * MINUTE_MS, MINUTE_MS);
    let before = node.clock.now();
    node.clock.advance(DAY_MS);
    node.run(10 * MINUTE_MS, MINUTE_MS);
    node.clock.set(before);
    node.run(10 * MINUTE_MS, MINUTE_MS);
    assert_eq!(metric(&node.registry, "prometheus_tsdb_head_out_of_order_samples_appended_total"), 40.0);
    // Too far back is refused even then.
    let mut appender = node.db.appender();
    let up = labels(&[("__name__", "up"), ("instance", "0")]);
    let long_ago = Timestamp::from_ms(before.as_ms() - 2 * HOUR_MS);
    assert!(appender.append(&up, long_ago, 1.0).is_err());
}
