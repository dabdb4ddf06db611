//! What a replica stores: made-up scrapes of targets that come, go and start anew, rules, samples that come late.

use std::collections::{BTreeMap, BTreeSet};

use model::{Buckets, Histogram, Labels, METRIC_NAME, NativeHistogram, STALE_NAN, Span, Timestamp, bucket_deltas};
use storage::chunk::Value;
use storage::{Appendable, Appender, CommitError};
use tsdb::Db;

use crate::random::Random;
use crate::stored::{Ledger, Stored};

/// How often targets are scraped and rules evaluated, in milliseconds.
pub(crate) const SCRAPE_MS: i64 = 5_000;
/// Late samples are up to so much late, in milliseconds.
const LATE_MS: i64 = 150_000;

/// The targets of a replica. They live on while the replica is down.
pub(crate) struct Source {
    random: Random,
    /// When the last scrape was. Times rise whatever clocks do.
    last: i64,
    last_rule: i64,
    requests: u64,
    observed: u64,
    /// The series of the last scrape that were not ended.
    present: BTreeSet<Labels>,
    /// What was stored, by what the database said.
    pub(crate) ledger: Ledger,
    /// What the database has lost in power cuts. A global may have it.
    pub(crate) lost: Ledger,
}

/// A transaction and what it has to be remembered by.
struct Batch<'a> {
    appender: Box<dyn Appender>,
    ledger: &'a mut Ledger,
    lost: &'a Ledger,
    taken: Vec<(Labels, i64, Stored)>,
}

impl<'a> Batch<'a> {
    fn new(db: &Db, ledger: &'a mut Ledger, lost: &'a Ledger) -> Self {
        Batch { appender: db.appender(), ledger, lost, taken: Vec::new() }
    }

    /// Appends a sample unless there is one of the time, or was. It may be refused: too late is too late.
    fn add(&mut self, labels: &Labels, time: i64, value: Value) {
        let is_taken = self.taken.iter().any(|(other, at, _)| (other, *at) == (labels, time));
        let is_in = |ledger: &Ledger| ledger.get(labels).is_some_and(|samples| samples.contains_key(&time));
        if is_taken || is_in(self.ledger) || is_in(self.lost) {
            return;
        }
        let stored = Stored::of(&value);
        let at = Timestamp::from_ms(time);
        let taken = match value {
            Value::Float(value) => self.appender.append(labels, at, value),
            Value::Histogram(histogram) => self.appender.append_histogram(labels, at, histogram),
        };
        if taken.is_ok() {
            self.taken.push((labels.clone(), time, stored));
        }
    }

    fn commit(self) -> Result<(), CommitError> {
        self.appender.commit()?;
        for (labels, time, stored) in self.taken {
            self.ledger.entry(labels).or_default().insert(time, stored);
        }
        Ok(())
    }
}

fn labels(name: &str, pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs([(METRIC_NAME, name), ("job", "made")].into_iter().chain(pairs.iter().copied()))
}

/// Observations so that every bucket only rises with their number, and new buckets appear.
fn histogram(observed: u64) -> Histogram {
    let width = 1 + observed.min(4000).ilog2() as usize;
    let counts: Vec<i64> = (1..=width as u64).map(|bucket| observed.div_ceil(bucket).cast_signed()).collect();
    let sum: i64 = counts.iter().sum();
    let spans = vec![Span { offset: 1, length: width as u32 }];
    Histogram {
        buckets: Buckets { zero_threshold: 0.001, positive_spans: spans, ..Buckets::default() },
        zero_count: observed / 2,
        count: observed / 2 + sum.unsigned_abs(),
        sum: observed as f64 * 0.25,
        positive: bucket_deltas(counts),
        ..Histogram::default()
    }
}

impl Source {
    pub(crate) fn new(random: Random) -> Self {
        Source {
            random,
            last: i64::MIN,
            last_rule: i64::MIN,
            requests: 0,
            observed: 1,
            present: BTreeSet::new(),
            ledger: Ledger::new(),
            lost: Ledger::new(),
        }
    }

    /// Stores what a node stores in an interval.
    pub(crate) fn interval(&mut self, db: &Db, now: i64) -> Result<(), CommitError> {
        self.scrape(db, now)?;
        self.rule(db)?;
        if self.random.one_in(4) {
            self.late(db)?;
        }
        Ok(())
    }

    fn scrape(&mut self, db: &Db, now: i64) -> Result<(), CommitError> {
        let time = now.max(self.last.saturating_add(1));
        self.last = time;
        self.requests += self.random.below(50);
        self.observed += self.random.below(30);
        if self.random.one_in(30) {
            (self.requests, self.observed) = (0, 1);
        }
        let answers = !self.random.one_in(25);
        let mut page: Vec<(Labels, Value)> = Vec::new();
        if answers {
            for series in ["0", "1", "2"] {
                let noise = self.random.below(1000) as f64 / 100.0;
                page.push((labels("job:gauge", &[("series", series)]), Value::Float(noise)));
                page.push((labels("job:requests_total", &[("series", series)]), Value::Float(self.requests as f64)));
            }
            let whole = histogram(self.observed);
            let parts = NativeHistogram::Float(Box::new(whole.to_float()));
            page.push((labels("job:latency", &[]), whole.into()));
            page.push((labels("job:size", &[]), Value::Histogram(parts)));
            page.push((labels("not_pulled", &[]), Value::Float(1.0)));
            if (time / 40_000) % 2 == 0 {
                page.push((labels("job:sometimes", &[("at", &(time / 80_000).to_string())]), Value::Float(0.1)));
            }
        }
        let mut batch = Batch::new(db, &mut self.ledger, &self.lost);
        let now_present: BTreeSet<Labels> = page.iter().map(|(labels, _)| labels.clone()).collect();
        for (labels, value) in page {
            batch.add(&labels, time, value);
        }
        for ended in self.present.difference(&now_present) {
            batch.add(ended, time, Value::Float(STALE_NAN));
        }
        batch.add(&labels("up", &[("instance", "target")]), time, Value::Float(f64::from(answers)));
        batch.commit()?;
        self.present = now_present;
        Ok(())
    }

    /// At a multiple of the interval, as rules are.
    fn rule(&mut self, db: &Db) -> Result<(), CommitError> {
        let time = Timestamp::from_ms(self.last).align_down(SCRAPE_MS).as_ms();
        if time <= self.last_rule {
            return Ok(());
        }
        self.last_rule = time;
        let mut batch = Batch::new(db, &mut self.ledger, &self.lost);
        batch.add(&labels("job:made:rate", &[]), time, Value::Float(self.requests as f64 / 7.0));
        batch.commit()
    }

    fn late(&mut self, db: &Db) -> Result<(), CommitError> {
        let known: Vec<Labels> = self.ledger.keys().cloned().collect();
        let mut batch = Batch::new(db, &mut self.ledger, &self.lost);
        for _ in 0..=self.random.below(3) {
            let time = self.last - self.random.between(1, LATE_MS);
            let labels = &known[self.random.below(known.len() as u64) as usize];
            let value = match labels.metric_name() {
                "job:latency" => histogram(1 + self.random.below(2000)).into(),
                "job:size" => Value::Histogram(NativeHistogram::Float(Box::new(histogram(9).to_float()))),
                _ if self.random.one_in(8) => Value::Float(STALE_NAN),
                _ => Value::Float(self.random.below(100) as f64),
            };
            batch.add(labels, time, value);
        }
        batch.commit()
    }

    /// What a global that pulls everything should have of it.
    pub(crate) fn as_pulled(&self, external: &[(&str, &str)]) -> Ledger {
        let is_pulled = |labels: &&Labels| labels.metric_name() != "not_pulled";
        let named = |own: &Labels| Labels::from_pairs(own.iter().chain(external.iter().copied()));
        self.ledger.keys().filter(is_pulled).map(|own| (named(own), self.ledger[own].clone())).collect()
    }

    /// A power cut took what the database had before and hasn't any more.
    pub(crate) fn lose(&mut self, before: &Ledger, after: &Ledger) {
        for (labels, samples) in &mut self.ledger {
            let has = |ledger: &Ledger, time: &i64| ledger.get(labels).is_some_and(|all| all.contains_key(time));
            let mut gone: BTreeMap<i64, Stored> =
                samples.extract_if(.., |time, _| has(before, time) && !has(after, time)).collect();
            if !gone.is_empty() {
                self.lost.entry(labels.clone()).or_default().append(&mut gone);
            }
        }
    }
}
