//! The whole database against maps: several transactions at once, floats and native histograms, late samples, exemplars,
//! metadata, deletions, cuts, compactions, retention, a clock that jumps, stops of every kind.
//!
//! A sample's value follows from its series and its time, so it doesn't matter who brings it. What was acknowledged must be
//! there after every step, and nothing else. Where two transactions meet in a series, where a cut comes between append and
//! commit, or where something was deleted at that time, either answer is right at the commit; from then on it stays.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{
    Buckets, CUSTOM_BUCKETS_SCHEMA, Clock, Exemplar, Histogram, Labels, ManualClock, Matcher, Metadata, MetricType,
    NativeHistogram, Span, TimeRange, Timestamp,
};
use prometheus_client::registry::Registry;
use proptest::prelude::*;
use storage::{Appendable, Appender, ExemplarQueryable, Queryable, Samples, SelectRequest};
use tsdb::{BlockMeta, Db, Maintenance, Options};

use crate::fixture::{block_on, check_property, copy_dir, labels, ms, scratch};

const SERIES: u8 = 6;
const TRANSACTIONS: usize = 3;
const HOUR_MS: i64 = 3_600_000;
const START_MS: i64 = 1_699_999_200_000;
const CASES: u32 = 500;

/// A sample to append: its series, how far its time is from the clock's, and how far the clock goes on.
type Append = (u8, i32, u16);

#[derive(Debug, Clone)]
enum Step {
    /// To the transaction of this number, which begins if there is none.
    Append(usize, Vec<Append>),
    Commit(usize),
    Rollback(usize),
    Maintain,
    Flush,
    Compact,
    /// Of the series in the mask what lies between two hundredths of the time so far.
    Delete(u8, u8, u8),
    Clean,
    /// By so many hours.
    Jump(i64),
    PutRight,
    Close,
    Drop,
    Kill,
}

fn any_step() -> impl Strategy<Value = Step> {
    let offset = prop_oneof![8 => Just(0), 3 => -65_000..0_i32, 1 => 0..25_000_i32];
    let appends = proptest::collection::vec((0..SERIES, offset, 0..1_500_u16), 1..40);
    prop_oneof![
        14 => (0..TRANSACTIONS, appends).prop_map(|(at, appends)| Step::Append(at, appends)),
        12 => (0..TRANSACTIONS).prop_map(Step::Commit),
        1 => (0..TRANSACTIONS).prop_map(Step::Rollback),
        5 => Just(Step::Maintain),
        1 => Just(Step::Flush),
        2 => Just(Step::Compact),
        1 => (1..1_u8 << SERIES, 0..100_u8, 0..120_u8).prop_map(|(mask, from, to)| Step::Delete(mask, from, to)),
        1 => Just(Step::Clean),
        1 => prop_oneof![Just(1), Just(24), Just(24 * 3650), Just(-1)].prop_map(Step::Jump),
        2 => Just(Step::PutRight),
        1 => Just(Step::Close),
        1 => Just(Step::Drop),
        2 => Just(Step::Kill),
    ]
}

fn name(series: u8) -> Labels {
    labels(&[("__name__", "m"), ("series", &series.to_string())])
}

/// What a series has at a time: each kind of sample, one series with all of them.
enum Sample {
    Float(f64),
    Histogram(NativeHistogram),
}

fn sample(series: u8, time: i64) -> Sample {
    let kind = if series == 5 { 1 + (time / 7_000 % 4) as u8 } else { series };
    let count = (time / 1000 % 1_000_000) as u64;
    let custom = kind == 4;
    let buckets = Buckets {
        schema: if custom { CUSTOM_BUCKETS_SCHEMA } else { (time / 20_000 % 3) as i32 },
        positive_spans: vec![Span { offset: 0, length: 2 }],
        custom_values: if custom { vec![1.0, 5.0] } else { Vec::new() },
        ..Buckets::default()
    };
    let (sum, positive) = (count as f64, vec![count as i64, 0]);
    let whole = Histogram { buckets, count: 2 * count, sum, positive, ..Histogram::default() };
    match kind {
        0 | 1 => Sample::Float((time * 31 + i64::from(series)) as f64),
        3 => Sample::Histogram(NativeHistogram::Float(Box::new(whole.to_float()))),
        _ => Sample::Histogram(NativeHistogram::Int(Box::new(whole))),
    }
}

/// A sample in words.
fn told(sample: &Sample) -> String {
    match sample {
        Sample::Float(value) => format!("{value}"),
        Sample::Histogram(histogram) => told_histogram(&histogram.to_float()),
    }
}

fn told_histogram(histogram: &model::FloatHistogram) -> String {
    let model::FloatHistogram { buckets, count, sum, positive, .. } = histogram;
    format!("{count} {sum} {positive:?} of schema {} {:?}", buckets.schema, buckets.custom_values)
}

/// By series and time.
type Content = BTreeMap<u8, BTreeMap<i64, String>>;

fn read(db: &Db) -> Content {
    let set = block_on(db.select(&SelectRequest::new(vec![], TimeRange::ALL))).expect("selects");
    let (mut out, mut samples) = (Content::new(), Samples::default());
    for series in set.series {
        let series = series.expect("series can be read");
        let number: u8 = series.labels.get("series").expect("ours").parse().expect("a number");
        series.decode(TimeRange::ALL, &mut samples).expect("chunks can be read");
        let floats = samples.times.iter().zip(&samples.values).map(|(time, value)| (*time, format!("{value}")));
        let histograms = samples.histograms.iter().map(|at| (at.time, told_histogram(&at.histogram)));
        let content: BTreeMap<i64, String> = floats.chain(histograms).collect();
        if !content.is_empty() {
            out.insert(number, content);
        }
    }
    out
}

/// A transaction that is under way.
struct Open {
    appender: Box<dyn Appender>,
    /// What was taken: series and time, whether it is sure to be stored so far, and how often the series had been committed to.
    taken: Vec<(u8, i64, u64)>,
    exemplars: Vec<(u8, i64)>,
    metadata: BTreeMap<u8, String>,
    cuts: u64,
}

struct World {
    dirs: Vec<tempfile::TempDir>,
    clock: Arc<ManualClock>,
    /// How far the clock is from the truth.
    wrong_ms: i64,
    db: Arc<Db>,
    open: Vec<Option<Open>>,
    want: Content,
    /// Times at which something was deleted, by series.
    deleted: BTreeMap<u8, Vec<TimeRange>>,
    exemplars: BTreeSet<(u8, i64)>,
    metadata: BTreeMap<u8, String>,
    commits: BTreeMap<u8, u64>,
    cuts: u64,
    helps: u64,
    helps_told: BTreeSet<(u8, String)>,
    /// Samples that came after something was deleted at their time: which of the two a start sees as the later is open.
    open_questions: BTreeSet<(u8, i64)>,
}

fn open(dir: &std::path::Path, clock: &Arc<ManualClock>) -> Arc<Db> {
    let options = Options {
        min_block_ms: 60_000,
        max_block_ms: 600_000,
        retention_ms: 900_000,
        wal_segment_bytes: 32 << 10,
        out_of_order_window_ms: 50_000,
        max_future_ms: 20_000,
        max_exemplars: 40,
        ..Options::new(dir)
    };
    Db::open(options, Arc::clone(clock) as Arc<dyn Clock>, &mut Registry::default()).expect("the directory opens")
}

impl World {
    fn new() -> Self {
        let (dir, clock) = (scratch(), Arc::new(ManualClock::new(ms(START_MS))));
        let db = open(dir.path(), &clock);
        World {
            dirs: vec![dir],
            clock,
            wrong_ms: 0,
            db,
            open: (0..TRANSACTIONS).map(|_| None).collect(),
            want: Content::new(),
            deleted: BTreeMap::new(),
            exemplars: BTreeSet::new(),
            metadata: BTreeMap::new(),
            commits: BTreeMap::new(),
            cuts: 0,
            helps: 0,
            helps_told: BTreeSet::new(),
            open_questions: BTreeSet::new(),
        }
    }

    fn append(&mut self, at: usize, appends: &[Append]) {
        let World { db, cuts, .. } = self;
        let begin = || Open {
            appender: db.appender(),
            taken: Vec::new(),
            exemplars: Vec::new(),
            metadata: BTreeMap::new(),
            cuts: *cuts,
        };
        let open = self.open[at].get_or_insert_with(begin);
        for (series, offset, advance) in appends {
            self.clock.advance(i64::from(*advance));
            let time = self.clock.now().saturating_add(i64::from(*offset));
            let taken = match sample(*series, time.as_ms()) {
                Sample::Float(value) => open.appender.append(&name(*series), time, value),
                Sample::Histogram(histogram) => open.appender.append_histogram(&name(*series), time, histogram),
            };
            let Ok(reference) = taken else { continue };
            open.taken.push((*series, time.as_ms(), self.commits.get(series).copied().unwrap_or(0)));
            if time.as_ms() % 5 == 0 {
                let exemplar = Exemplar { labels: labels(&[("id", &time.as_ms().to_string())]), value: 1.0, time };
                if open.appender.append_exemplar(reference, &exemplar).is_ok() {
                    open.exemplars.push((*series, time.as_ms()));
                }
            }
            if time.as_ms() % 11 == 0 {
                self.helps += 1;
                let help = format!("help {}", self.helps);
                let metadata = Metadata { kind: MetricType::Gauge, unit: String::new(), help: help.clone() };
                open.appender.append_metadata(reference, &metadata).expect("taken");
                open.metadata.insert(*series, help);
            }
        }
    }

    fn commit(&mut self, at: usize) {
        let Some(Open { appender, taken, exemplars, metadata, cuts }) = self.open[at].take() else { return };
        appender.commit().expect("stored");
        let there = read(&self.db);
        for (series, time, commits) in &taken {
            let is_alone = self.commits.get(series).copied().unwrap_or(0) == *commits && cuts == self.cuts;
            let was_deleted = self.deleted.get(series).into_iter().flatten().any(|range| range.contains(ms(*time)));
            let is_there = there.get(series).is_some_and(|samples| samples.contains_key(time));
            if was_deleted {
                self.open_questions.insert((*series, *time));
            } else if is_there || is_alone {
                self.want.entry(*series).or_default().insert(*time, told(&sample(*series, *time)));
            }
        }
        for series in taken.iter().map(|(series, ..)| *series).collect::<BTreeSet<_>>() {
            *self.commits.entry(series).or_default() += 1;
        }
        self.exemplars.extend(exemplars);
        self.helps_told.extend(metadata.clone());
        self.metadata.extend(metadata);
    }

    /// What maintenance has deleted of blocks is allowed to be gone, and nothing else.
    fn maintain(&mut self) {
        let before = self.db.blocks();
        let Maintenance { cut, deleted, .. } = self.db.maintain().expect("maintained");
        self.cuts += 1; // also where nothing was left to be cut
        let gone: Vec<&BlockMeta> = before.iter().chain(&cut).filter(|block| deleted.contains(&block.ulid)).collect();
        if gone.is_empty() {
            return;
        }
        let newest = before.iter().chain(&cut).map(|block| block.max_time.as_ms()).max().expect("blocks");
        assert!(
            gone.iter().all(|block| block.max_time.as_ms() <= newest - 900_000),
            "{gone:?} is beyond the retention"
        );
        let there = read(&self.db);
        for (series, samples) in &mut self.want {
            let may_be_gone = |time: i64| gone.iter().any(|block| block.range().contains(ms(time)));
            let is_there = |time: &i64| there.get(series).is_some_and(|samples| samples.contains_key(time));
            samples.retain(|time, _| is_there(time) || !may_be_gone(*time));
        }
    }

    fn delete(&mut self, mask: u8, from: u8, to: u8) {
        let length = self.clock.now().as_ms() - START_MS;
        let hundredth = |part: u8| ms(START_MS + length * i64::from(part) / 100);
        let range = TimeRange { min: hundredth(from), max: hundredth(to) };
        if range.min > range.max {
            return;
        }
        for series in (0..SERIES).filter(|series| mask >> series & 1 == 1) {
            let matchers = [Matcher::equal("series", series.to_string())];
            self.db.delete_series(&matchers, range).expect("deleted");
            self.want.entry(series).or_default().retain(|time, _| !range.contains(ms(*time)));
            self.deleted.entry(series).or_default().push(range);
        }
        self.cuts += 1; // late samples were cut
    }

    fn reopen(&mut self, step: &Step) {
        self.open.iter_mut().for_each(|open| drop(open.take()));
        if matches!(step, Step::Kill) {
            let next = scratch();
            copy_dir(self.dirs[self.dirs.len() - 1].path(), next.path());
            self.dirs.push(next);
        } else if matches!(step, Step::Close) {
            self.db.close().expect("closed");
        }
        let nothing = scratch();
        self.db = open(nothing.path(), &self.clock); // lets go of the directory
        self.db = open(self.dirs[self.dirs.len() - 1].path(), &self.clock);
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Append(at, appends) => self.append(*at, appends),
            Step::Commit(at) => self.commit(*at),
            Step::Rollback(at) => {
                if let Some(open) = self.open[*at].take() {
                    open.appender.rollback();
                }
            }
            Step::Maintain => self.maintain(),
            Step::Flush => {
                self.db.flush_head(self.clock.now()).expect("flushed");
                self.cuts += 1;
            }
            Step::Compact => while self.db.compact().expect("compacted").is_some() {},
            Step::Delete(mask, from, to) => self.delete(*mask, *from, *to),
            Step::Clean => self.db.clean_tombstones().expect("cleaned"),
            Step::Jump(hours) => {
                self.clock.advance(hours * HOUR_MS);
                self.wrong_ms += hours * HOUR_MS;
            }
            Step::PutRight => {
                self.clock.advance(-self.wrong_ms);
                self.wrong_ms = 0;
            }
            Step::Close | Step::Drop | Step::Kill => self.reopen(step),
        }
    }

    /// What is wrong, if anything is.
    fn difference(&mut self) -> Option<String> {
        let got = read(&self.db);
        for series in 0..SERIES {
            let nothing = BTreeMap::new();
            let (mut got, want) =
                (got.get(&series).cloned().unwrap_or_default(), self.want.get(&series).unwrap_or(&nothing));
            got.retain(|time, _| want.contains_key(time) || !self.open_questions.contains(&(series, *time)));
            if got != *want {
                let lost: Vec<_> = want.keys().filter(|time| !got.contains_key(time)).take(5).collect();
                let more: Vec<_> = got.keys().filter(|time| !want.contains_key(time)).take(5).collect();
                let other: Vec<_> = got.iter().filter(|at| want.get(at.0).is_some_and(|w| w != at.1)).take(2).collect();
                return Some(format!("series {series}: lost {lost:?}, more {more:?}, other than they were {other:?}"));
            }
            let known = self.db.series_metadata(&name(series)).map(|metadata| metadata.help.clone());
            let end = self.db.blocks().iter().map(|block| block.max_time.as_ms()).max().unwrap_or(i64::MIN);
            let in_head = want.last_key_value().is_some_and(|(newest, _)| *newest >= end);
            if known.is_none() && !in_head {
                self.metadata.remove(&series); // gone with its series
            }
            let told = self.metadata.get(&series);
            // A series that comes again gets what the log still knows of it.
            let is_right = match (&known, told) {
                (Some(known), None) => self.helps_told.contains(&(series, known.clone())),
                (known, told) => known.as_ref() == told || !in_head && known.is_none(),
            };
            if !is_right {
                return Some(format!("series {series}: metadata {known:?}, should be {told:?}"));
            }
        }
        self.exemplars_difference()
    }

    fn exemplars_difference(&self) -> Option<String> {
        let selectors = [vec![Matcher::equal("__name__", "m")]];
        let found = block_on(self.db.exemplars(&selectors, TimeRange::ALL)).expect("selects");
        let mut count = 0;
        for series in &found {
            let number: u8 = series.labels.get("series").expect("ours").parse().expect("a number");
            let times: Vec<Timestamp> = series.exemplars.iter().map(|exemplar| exemplar.time).collect();
            let known = |time: &Timestamp| self.exemplars.contains(&(number, time.as_ms()));
            if !times.is_sorted() || !times.iter().all(known) {
                return Some(format!("series {number}: exemplars at {times:?}, appended {:?}", self.exemplars));
            }
            count += times.len();
        }
        (count > 40).then(|| format!("{count} exemplars, the ring holds 40"))
    }
}

#[test]
fn reads_what_maps_would() {
    let steps = proptest::collection::vec(any_step(), 1..70);
    check_property("model", CASES, &steps, |steps| {
        let mut world = World::new();
        for (at, step) in steps.iter().enumerate() {
            world.take(step);
            if let Some(difference) = world.difference() {
                let done: Vec<_> =
                    steps[..=at].iter().map(|step| format!("{step:?}").chars().take(24).collect::<String>()).collect();
                return Err(TestCaseError::fail(format!("after {done:?}: {difference}")));
            }
        }
        Ok(())
    });
}
