use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use async_trait::async_trait;
use model::{Buckets, Histogram, ManualClock, STALE_NAN, Span};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use storage::chunk::Chunk;
use storage::{AppendError, Appendable, LabelRequest, Revision, SeriesSet};
use tsdb::{Db, Options};

use super::*;

const END_MS: i64 = WINDOW_MS * WINDOWS as i64;

/// Series that are what they are, and no word of what has changed.
struct Fixed(Vec<Series>);

#[async_trait]
impl Queryable for Fixed {
    async fn select(&self, _: &SelectRequest) -> Result<SeriesSet, QueryError> {
        Ok(SeriesSet::from_sorted(self.0.clone()))
    }

    async fn label_names(&self, _: &LabelRequest) -> Result<Vec<String>, QueryError> {
        Ok(Vec::new())
    }

    async fn label_values(&self, _: &str, _: &LabelRequest) -> Result<Vec<String>, QueryError> {
        Ok(Vec::new())
    }

    fn min_time(&self) -> Option<Timestamp> {
        None
    }
}

impl Revised for Fixed {
    fn revised_since(&self, _: Mark) -> Revision {
        Revision { from: Timestamp::MIN, mark: Mark::default() }
    }
}

async fn windows_of<S: Queryable + Revised>(storage: &S) -> Vec<Window> {
    Kept::default().get(storage, Timestamp::from_ms(END_MS)).await.expect("readable")
}

fn name(name: &str) -> Labels {
    Labels::from_pairs([(METRIC_NAME, name)])
}

/// The samples in chunks of so many.
fn chunks(samples: &[(i64, Value)], per_chunk: usize) -> Vec<Chunk> {
    let encode = |part: &[(i64, Value)]| {
        let mut recoder = Recoder::default();
        part.iter().for_each(|(time, value)| recoder.push(*time, value.clone()));
        recoder.finish()
    };
    samples.chunks(per_chunk).flat_map(encode).collect()
}

#[tokio::test]
async fn hashes_depend_on_samples_and_on_nothing_else() {
    let of = async |samples: &[(i64, f64)], per_chunk| {
        let value = |samples: &[(i64, f64)]| -> Vec<(i64, Value)> {
            samples.iter().map(|(time, value)| (*time, Value::Float(*value))).collect()
        };
        let first = Series { labels: name("a"), chunks: chunks(&value(&[(1, 1.0), (WINDOW_MS, 2.0)]), 9) };
        let second = Series { labels: name("b"), chunks: chunks(&value(samples), per_chunk) };
        windows_of(&Fixed(vec![first, second])).await
    };
    let samples = [(1, 1.0), (2, 2.0), (WINDOW_MS - 1, 3.0), (WINDOW_MS, 4.0), (3 * WINDOW_MS, 5.0)];
    let first = of(&samples, 9).await;
    assert_eq!(first, of(&samples, 3).await);
    let counts: Vec<(u64, u64)> = first[..4].iter().map(|window| (window.series, window.samples)).collect();
    assert_eq!(counts, [(2, 4), (2, 2), (0, 0), (1, 1)]);
    let changed = of(&[(1, 1.0), (2, 2.5), (WINDOW_MS - 1, 3.0), (WINDOW_MS, 4.0), (3 * WINDOW_MS, 5.0)], 9).await;
    let agree: Vec<bool> = first.iter().zip(&changed).map(|(a, b)| a == b).collect();
    assert_eq!(agree.iter().position(|agrees| !agrees), Some(0));
    assert!(agree[1..].iter().all(|agrees| *agrees));
    // The same samples under another name of a series, or one moved to the next window, are something else.
    assert_ne!(first[0].hash, of(&samples[1..], 9).await[0].hash);
}

/// A chunk holds buckets that only its other samples have something in, and who writes a stale marker may not know the kind of its series.
#[tokio::test]
async fn hashes_of_histograms_depend_on_samples_and_on_nothing_else() {
    let histogram = |n: i64| {
        let positive = vec![1; (n % 7) as usize + 1];
        let spans = vec![Span { offset: 0, length: positive.len() as u32 }];
        let buckets = Buckets { positive_spans: spans, ..Buckets::default() };
        let count = (1..=positive.len() as u64).sum();
        Histogram { buckets, count, positive, sum: n as f64, ..Histogram::default() }
    };
    let samples = |marker: Value| -> Vec<(i64, Value)> {
        let value = |n: i64| if n % 23 == 22 { marker.clone() } else { histogram(n).into() };
        (0..300).map(|n| (n * 2000, value(n))).collect()
    };
    let of = async |marker: Value, per_chunk| {
        windows_of(&Fixed(vec![Series { labels: name("h"), chunks: chunks(&samples(marker), per_chunk) }])).await
    };
    let first = of(Value::Float(STALE_NAN), 120).await;
    assert_eq!((first[0].series, first[0].samples), (1, 30));
    for per_chunk in [1, 7, 41] {
        assert!(of(Value::Float(STALE_NAN), per_chunk).await == first, "{per_chunk}");
        assert!(of(Histogram::stale().into(), per_chunk).await == first, "{per_chunk}, markers of its own kind");
    }
}

/// A database that notes what is read of it.
struct Watched {
    db: Arc<Db>,
    read: Mutex<Vec<TimeRange>>,
    /// What a failure says besides.
    what: String,
}

impl Watched {
    fn new(db: Arc<Db>, what: impl Into<String>) -> Self {
        Watched { db, read: Mutex::default(), what: what.into() }
    }

    fn append(&self, name_of: &str, times: &[i64], value: f64) {
        let mut appender = self.db.appender();
        for time in times {
            let result = appender.append(&name(name_of), Timestamp::from_ms(*time), value);
            assert!(matches!(result, Ok(_) | Err(AppendError::DuplicateTimestamp)), "{result:?}");
        }
        appender.commit().expect("stored");
    }

    /// Looks once more, and tells what was read for it, in windows.
    async fn look(&self, kept: &mut Kept, until: i64) -> Vec<(i64, i64)> {
        let until = Timestamp::from_ms(until * WINDOW_MS);
        let windows = kept.get(self, until).await.expect("readable");
        let read = std::mem::take(&mut *self.read.lock());
        let fresh = Kept::default().get(self, until).await.expect("readable");
        assert_eq!(windows, fresh, "as if nothing was kept: {}", self.what);
        self.read.lock().clear();
        read.iter().map(|range| (range.min.as_ms() / WINDOW_MS, (range.max.as_ms() + 1) / WINDOW_MS)).collect()
    }
}

#[async_trait]
impl Queryable for Watched {
    async fn select(&self, request: &SelectRequest) -> Result<SeriesSet, QueryError> {
        self.read.lock().push(request.range);
        self.db.select(request).await
    }

    async fn label_names(&self, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        self.db.label_names(request).await
    }

    async fn label_values(&self, name: &str, request: &LabelRequest) -> Result<Vec<String>, QueryError> {
        self.db.label_values(name, request).await
    }

    fn min_time(&self) -> Option<Timestamp> {
        self.db.min_time()
    }
}

impl Revised for Watched {
    fn revised_since(&self, mark: Mark) -> Revision {
        self.db.revised_since(mark)
    }
}

fn open(dir: &std::path::Path) -> Arc<Db> {
    let options = Options {
        min_block_ms: 5 * WINDOW_MS,
        max_block_ms: 5 * WINDOW_MS,
        retention_ms: 0,
        out_of_order_window_ms: 100 * WINDOW_MS,
        ..Options::new(dir)
    };
    Db::open(options, Arc::new(ManualClock::new(Timestamp::from_ms(1000 * WINDOW_MS))), &mut Registry::default())
        .expect("opens")
}

#[tokio::test]
async fn a_window_is_read_again_when_something_of_it_may_have_changed() {
    let dir = tempfile::tempdir().expect("a folder");
    let db = Watched::new(open(dir.path()), "");
    let all: Vec<i64> = (0..13 * 4).map(|n| n * WINDOW_MS / 4).collect();
    db.append("a", &all, 1.0);
    let mut kept = Kept::default();
    assert_eq!(db.look(&mut kept, 10).await, [(0, 10)]);
    assert_eq!(db.look(&mut kept, 10).await, []);
    assert_eq!(db.look(&mut kept, 11).await, [(10, 11)]);
    db.append("a", &[13 * WINDOW_MS], 1.0);
    assert_eq!(db.look(&mut kept, 11).await, [], "what comes behind the windows changes none of them");
    db.append("b", &[9 * WINDOW_MS + 5], 1.0);
    assert_eq!(db.look(&mut kept, 11).await, [(9, 11)]);
    db.append("a", &[4 * WINDOW_MS - 1], 2.0);
    assert_eq!(db.look(&mut kept, 12).await, [(3, 12)]);
    assert_eq!(db.look(&mut kept, 11).await, [(1, 11)], "earlier ones than those that are kept");
    let selected = Matcher::new(MatchOp::Equal, METRIC_NAME, "b").expect("valid");
    db.db.delete_series(&[selected], TimeRange::ALL).expect("deleted");
    assert_eq!(db.look(&mut kept, 11).await, [(1, 11)]);
    db.append("a", &[15 * WINDOW_MS], 1.0);
    db.db.maintain().expect("cut");
    assert_eq!(db.look(&mut kept, 11).await, [(1, 11)], "blocks have changed");
    assert_eq!(db.look(&mut kept, 11).await, []);
}

/// Whatever happens, and whenever it is looked, what was kept is what is read.
#[tokio::test]
async fn what_is_kept_is_what_is_there() {
    let seed: u64 = std::env::var("WATERSHED_SEED")
        .map_or_else(|_| RandomState::new().hash_one("kept"), |seed| seed.parse().expect("a number"));
    let mut state = seed;
    let mut below = |end: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % end as u64) as i64
    };
    let dir = tempfile::tempdir().expect("a folder");
    let what = format!("WATERSHED_SEED={seed}");
    let mut db = Watched::new(open(dir.path()), &what);
    let (mut kept, mut now, mut spared) = (Kept::default(), 20 * WINDOW_MS, 0);
    for step in 0..600 {
        now += below(WINDOW_MS / 2);
        let name = ["a", "b", "c"][below(3) as usize];
        match below(40) {
            0..5 => db.append(name, &[now - below(12 * WINDOW_MS)], step as f64),
            5 => drop(db.db.maintain().expect("maintained")),
            6 => {
                let from = now - below(12 * WINDOW_MS);
                let range = TimeRange::new(Timestamp::from_ms(from), Timestamp::from_ms(from + below(2 * WINDOW_MS)));
                let selected = Matcher::new(MatchOp::Equal, METRIC_NAME, name).expect("valid");
                db.db.delete_series(&[selected], range).expect("deleted");
            }
            7 => {
                db.db.close().expect("closed");
                let Watched { db: old, .. } = db;
                drop(old);
                db = Watched::new(open(dir.path()), &what);
            }
            _ => db.append(name, &[now], step as f64),
        }
        let until = now / WINDOW_MS - below(3);
        let read = db.look(&mut kept, until).await;
        spared += usize::from(read.iter().all(|(from, until)| until - from < WINDOWS as i64));
    }
    assert!(spared > 300, "{spared} of 600 looks read less than everything");
}
