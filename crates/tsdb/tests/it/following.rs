//! Who follows a database is told everything: of whatever there is, nothing was left out, through late samples, cuts, stops of every
//! kind, and a power cut that takes the end of the log.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use model::{Clock, Exemplar, Histogram, ManualClock, Matcher, Metadata, MetricType, TimeRange};
use prometheus_client::registry::Registry;
use proptest::prelude::*;
use storage::{
    Appendable, Change, Changes, Feed, Follower, Missed, Place, Progress, Queryable, Samples, SelectRequest,
};
use tsdb::{Db, Options};

use crate::fixture::{block_on, check_property, copy_dir, labels, ms, scratch};

const START_MS: i64 = 1_699_999_200_000;
const SERIES: u8 = 5;
const CASES: u32 = 400;

/// A series and a time.
type Told = (u8, i64);

#[derive(Debug, Clone)]
enum Step {
    /// One transaction: series, and how far their times are from the clock's, which goes on before each.
    Commit(Vec<(u8, i32, u16)>),
    Maintain,
    Flush,
    Close,
    Drop,
    Kill,
    /// And so many bytes of the log's newest segment were not on the disk; the whole of it if there were no more.
    PowerCut(u16),
    /// The follower of this number reads.
    Read(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    let offset = prop_oneof![8 => Just(0), 3 => -65_000..0_i32, 1 => 0..9_000_i32];
    let commit = proptest::collection::vec((0..SERIES, offset, 0..3_000_u16), 1..12);
    prop_oneof![
        12 => commit.prop_map(Step::Commit),
        2 => Just(Step::Maintain),
        1 => Just(Step::Flush),
        1 => Just(Step::Close),
        1 => Just(Step::Drop),
        2 => Just(Step::Kill),
        1 => (0..5_000_u16).prop_map(Step::PowerCut),
        6 => (0..2_usize).prop_map(Step::Read),
    ]
}

/// The first follower is there all the time, the other one seldom; they follow different series.
fn selectors(follower: usize) -> Vec<Vec<Matcher>> {
    let series = |number: u8| vec![Matcher::equal("series", number.to_string())];
    if follower == 0 { vec![series(0), series(1), series(2)] } else { vec![series(2), series(3)] }
}

fn follows(follower: usize, series: u8) -> bool {
    if follower == 0 { series <= 2 } else { (2..=3).contains(&series) }
}

fn open(dir: &Path, clock: &Arc<ManualClock>) -> Arc<Db> {
    let options = Options {
        min_block_ms: 60_000,
        max_block_ms: 600_000,
        retention_ms: 3_600_000,
        wal_segment_bytes: 32 << 10,
        out_of_order_window_ms: 50_000,
        ..Options::new(dir)
    };
    Db::open(options, Arc::clone(clock) as Arc<dyn Clock>, &mut Registry::default()).expect("the directory opens")
}

/// What a reader remembers.
#[derive(Default)]
struct Reader {
    place: Place,
    told: BTreeSet<Told>,
    /// What was told by commits, in this run of the database.
    by_commits: BTreeSet<Told>,
}

struct World {
    dirs: Vec<tempfile::TempDir>,
    clock: Arc<ManualClock>,
    db: Arc<Db>,
    readers: [Reader; 2],
}

impl World {
    fn new() -> Self {
        let (dir, clock) = (scratch(), Arc::new(ManualClock::new(ms(START_MS))));
        let db = open(dir.path(), &clock);
        World { dirs: vec![dir], clock, db, readers: Default::default() }
    }

    fn content(&self, range: TimeRange, is_meant: impl Fn(u8) -> bool) -> BTreeSet<Told> {
        let set = block_on(self.db.select(&SelectRequest::new(vec![], range))).expect("selects");
        let (mut out, mut samples) = (BTreeSet::new(), Samples::default());
        for series in set.series.map(|series| series.expect("readable")) {
            let number = number(&series.labels);
            series.decode(range, &mut samples).expect("readable");
            let times = samples.times.iter().copied().chain(samples.histograms.iter().map(|at| at.time));
            out.extend(times.filter(|_| is_meant(number)).map(|time| (number, time)));
        }
        out
    }

    fn commit(&mut self, appends: &[(u8, i32, u16)]) {
        let mut appender = self.db.appender();
        for (series, offset, advance) in appends {
            self.clock.advance(i64::from(*advance));
            let time = self.clock.now().saturating_add(i64::from(*offset));
            let labels = labels(&[("__name__", "m"), ("series", &series.to_string())]);
            let _ = if series % 2 == 0 {
                appender.append(&labels, time, time.as_ms() as f64)
            } else {
                appender.append_histogram(
                    &labels,
                    time,
                    Histogram { count: 1, zero_count: 1, ..Histogram::default() }.into(),
                )
            };
        }
        appender.commit().expect("stored");
    }

    fn reopen(&mut self, step: &Step) {
        if matches!(step, Step::Kill | Step::PowerCut(_)) {
            let next = scratch();
            copy_dir(self.dirs[self.dirs.len() - 1].path(), next.path());
            if let Step::PowerCut(lost) = step {
                cut_log(&next.path().join("wal"), u64::from(*lost));
            }
            self.dirs.push(next);
        } else if matches!(step, Step::Close) {
            self.db.close().expect("closed");
        }
        let nothing = scratch();
        self.db = open(nothing.path(), &self.clock); // lets go of the directory
        self.db = open(self.dirs[self.dirs.len() - 1].path(), &self.clock);
        self.readers.iter_mut().for_each(|reader| reader.by_commits.clear());
    }

    /// Reads till there is no more; the answer is what was left out, or told twice.
    fn read(&mut self, number: usize) -> Option<String> {
        let follower = block_on(self.db.follow(&selectors(number))).expect("followed");
        let mut changes = Changes::default();
        loop {
            let place = self.readers[number].place;
            match follower.read(place, 3, &mut changes) {
                Ok(Progress { until, more }) => {
                    let reader = &mut self.readers[number];
                    reader.place = until;
                    for told in told(follower.as_ref(), &changes) {
                        reader.told.insert(told);
                        if !follows(number, told.0) || !reader.by_commits.insert(told) {
                            return Some(format!("{told:?} was told by a second commit, or is not followed"));
                        }
                    }
                    if !more {
                        break;
                    }
                }
                Err(Missed { from, until }) => {
                    let range = TimeRange { min: from, ..TimeRange::ALL };
                    let all = self.content(range, |series| follows(number, series));
                    let reader = &mut self.readers[number];
                    reader.told.extend(all);
                    reader.place = until;
                }
            }
        }
        let there = self.content(TimeRange::ALL, |series| follows(number, series));
        let left_out: Vec<_> = there.difference(&self.readers[number].told).take(5).collect();
        (!left_out.is_empty()).then(|| format!("reader {number} was not told of {left_out:?}"))
    }

    fn take(&mut self, step: &Step) -> Option<String> {
        match step {
            Step::Commit(appends) => self.commit(appends),
            Step::Maintain => drop(self.db.maintain().expect("maintained")),
            Step::Flush => drop(self.db.flush_head(self.clock.now()).expect("flushed")),
            Step::Close | Step::Drop | Step::Kill | Step::PowerCut(_) => self.reopen(step),
            Step::Read(number) => return self.read(*number),
        }
        None
    }
}

fn number(labels: &model::Labels) -> u8 {
    labels.get("series").expect("ours").parse().expect("a number")
}

fn told(follower: &dyn Follower, changes: &Changes) -> Vec<Told> {
    let number = |series| number(&follower.describe(series).expect("a series that was told of is there").labels);
    let floats = changes.floats.iter().map(|Change { series, time, .. }| (number(*series), *time));
    floats.chain(changes.histograms.iter().map(|Change { series, time, .. }| (number(*series), *time))).collect()
}

/// Takes so many bytes off the end of the newest segment that has any.
fn cut_log(wal: &Path, lost: u64) {
    let mut segments: Vec<_> =
        fs::read_dir(wal).expect("a folder").map(|entry| entry.expect("readable").path()).collect();
    segments.retain(|path| path.is_file());
    segments.sort();
    let Some(newest) = segments.last() else { return };
    let len = fs::metadata(newest).expect("readable").len();
    if lost < len {
        fs::OpenOptions::new().write(true).open(newest).expect("a file").set_len(len - lost).expect("shortened");
    } else {
        fs::remove_file(newest).expect("removed");
    }
}

#[test]
fn whoever_follows_is_told_everything() {
    let steps = proptest::collection::vec(any_step(), 1..90);
    check_property("following", CASES, &steps, |steps| {
        let mut world = World::new();
        for (at, step) in steps.iter().enumerate() {
            if let Some(wrong) = world.take(step) {
                return Err(TestCaseError::fail(format!("after {:?}: {wrong}", &steps[..=at])));
            }
        }
        (0..2).find_map(|reader| world.read(reader)).map_or(Ok(()), |wrong| Err(TestCaseError::fail(wrong)))
    });
}

/// Who reads while a commit is between the log and the head gets a place from which the next run goes on with the whole of it, though
/// its samples and its note are two records.
#[test]
fn a_commit_under_way_is_told_after_a_kill() {
    const COMMITS: i64 = 3000;
    let (dir, clock) = (scratch(), Arc::new(ManualClock::new(ms(START_MS))));
    let db = open(dir.path(), &clock);
    let follower = block_on(db.follow(&[vec![Matcher::equal("__name__", "m")]])).expect("followed");
    let mut changes = Changes::default();
    let mut place = follower.read(Place::default(), 1, &mut changes).expect_err("nothing is at this place").until;
    // Each place that was told, and the newest time that was told before it.
    let mut places = vec![(place, START_MS)];
    let writer = std::thread::spawn({
        let (db, clock) = (Arc::clone(&db), Arc::clone(&clock));
        move || {
            for _ in 0..COMMITS {
                let mut appender = db.appender();
                let now = clock.now().saturating_add(1);
                clock.advance(1);
                for series in 0..50 {
                    let labels = labels(&[("__name__", "m"), ("series", &series.to_string())]);
                    appender.append(&labels, now, 1.0).expect("taken");
                }
                appender.set_note("note", &[7; 100]).expect("taken");
                appender.commit().expect("stored");
            }
        }
    });
    while places.last().is_some_and(|(_, newest)| *newest < START_MS + COMMITS) {
        let Progress { until, .. } = follower.read(place, 1, &mut changes).expect("known");
        if until != place {
            let newest = changes.floats.iter().map(|change| change.time).max();
            places.push((until, newest.or(places.last().map(|(_, newest)| *newest)).expect("the first is there")));
            place = until;
        }
    }
    writer.join().expect("all is stored");

    let killed = scratch();
    copy_dir(dir.path(), killed.path());
    let db = open(killed.path(), &clock);
    let follower = block_on(db.follow(&[vec![Matcher::equal("__name__", "m")]])).expect("followed");
    for (place, newest) in places.into_iter().filter(|(_, newest)| *newest < START_MS + COMMITS) {
        let Missed { from, .. } = follower.read(place, 1, &mut changes).expect_err("of the run before");
        assert!(from <= ms(newest + 1), "{place:?}: told up to {newest}, but goes on from {from}");
    }
}

#[test]
fn commits_are_told_with_all_that_they_have() {
    let (dir, clock) = (scratch(), Arc::new(ManualClock::new(ms(START_MS))));
    let options = Options { max_exemplars: 10, ..Options::new(dir.path()) };
    let db = Db::open(options, clock, &mut Registry::default()).expect("opened");
    let of = |series: &str| labels(&[("__name__", "m"), ("series", series)]);
    let follower = block_on(db.follow(&[vec![Matcher::equal("series", "1")]])).expect("followed");
    let mut changes = Changes::default();
    let start = follower.read(Place::default(), 10, &mut changes).expect_err("nothing is at this place").until;
    assert!(changes.is_empty());

    let mut appender = db.appender();
    let one = appender.append(&of("1"), ms(START_MS), 1.0).expect("taken");
    appender.append(&of("2"), ms(START_MS), 2.0).expect("taken");
    let exemplar = Exemplar { labels: labels(&[("id", "a")]), value: 0.5, time: ms(START_MS) };
    appender.append_exemplar(one, &exemplar).expect("taken");
    let metadata = Metadata { kind: MetricType::Gauge, unit: "m".to_owned(), help: "How far.".to_owned() };
    appender.append_metadata(one, &metadata).expect("taken");
    appender.commit().expect("stored");
    let mut unfinished = db.appender();
    unfinished.append(&of("1"), ms(START_MS + 1000), 3.0).expect("taken");

    let Progress { until, more } = follower.read(start, 10, &mut changes).expect("known");
    assert!(!more && changes.len() == 1 && changes.floats[0].value == 1.0, "{changes:?}");
    assert_eq!(changes.exemplars, [(changes.floats[0].series, exemplar)]);
    assert_eq!(changes.described, [changes.floats[0].series]);
    let described = follower.describe(changes.floats[0].series).expect("there");
    assert_eq!((described.labels, described.metadata.as_deref()), (of("1"), Some(&metadata)));
    assert_eq!(follower.read(until, 10, &mut changes), Ok(Progress { until, more: false }));
    assert!(changes.is_empty(), "{changes:?}");
    unfinished.commit().expect("stored");
    follower.read(until, 10, &mut changes).expect("known");
    assert_eq!(changes.floats.iter().map(|change| change.value).collect::<Vec<_>>(), [3.0]);
    follower.read(start, 1, &mut changes).expect("known");
    assert_eq!(changes.floats.iter().map(|change| change.value).collect::<Vec<_>>(), [1.0], "within the limit");
}

#[test]
fn a_note_is_stored_with_its_transaction() {
    let (dir, clock) = (scratch(), Arc::new(ManualClock::new(ms(START_MS))));
    let mut db = open(dir.path(), &clock);
    let note = |db: &Db, name: &str, content: &[u8], stored: bool| {
        let mut appender = db.appender();
        appender.append(&labels(&[("a", name)]), clock.now(), 1.0).expect("taken");
        appender.set_note(name, content).expect("taken");
        if stored {
            appender.commit().expect("stored");
        } else {
            appender.rollback();
        }
        clock.advance(1000);
    };
    note(&db, "cursor", b"one", true);
    note(&db, "cursor", b"two", false);
    note(&db, "other", b"x", true);
    note(&db, "gone", b"x", true);
    note(&db, "gone", b"", true);
    let check = |db: &Db| {
        let found = ["cursor", "other", "gone", "unknown"].map(|name| db.note(name));
        assert_eq!(found, [Some(b"one".to_vec()), Some(b"x".to_vec()), None, None]);
        let named = |prefix: &str| db.notes(prefix).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(
            (named("curs"), named("other"), named("gon")),
            (vec!["cursor".into()], vec!["other".into()], vec![])
        );
    };
    check(&db);
    for close in [false, true, false] {
        if close {
            db.close().expect("closed");
        }
        drop(db);
        db = open(dir.path(), &clock);
        check(&db);
        // A checkpoint keeps it.
        for _ in 0..200 {
            clock.advance(1500);
            let mut appender = db.appender();
            for series in 0..30 {
                appender.append(&labels(&[("s", &series.to_string())]), clock.now(), 0.5).expect("taken");
            }
            appender.commit().expect("stored");
        }
        db.maintain().expect("maintained");
    }
    assert!(
        dir.path()
            .join("wal")
            .read_dir()
            .expect("a folder")
            .flatten()
            .any(|e| e.file_name().to_string_lossy().starts_with("checkpoint"))
    );
}
