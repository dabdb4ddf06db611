//! A global as far as its blocks are concerned: a database, an uploader, a view of the bucket.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;

use bucket::{BucketError, BucketView, Catalog, Uploader, UploaderOptions, Windows};
use futures::TryStreamExt;
use model::{Labels, ManualClock, NativeHistogram, TimeRange, Timestamp};
use object_store::{ObjectStore, ObjectStoreExt};
use prometheus_client::registry::Registry;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use storage::chunk::Value;
use storage::{AppendError, Appendable, Merge, Queryable, SelectRequest};
use tsdb::{Db, OpenError, Options};

/// The width of a window.
pub(crate) const WIDTH_MS: i64 = 10_000;
/// Beyond its end a window is made although not everything has come.
pub(crate) const DEADLINE_MS: i64 = 60_000;

/// So often it is looked whether work that was given up has ended.
const STEPS_MAX: usize = 1_000_000;

/// Samples by series, as text that tells them to the bit.
pub(crate) type Content = BTreeMap<String, Vec<(i64, String)>>;

pub(crate) struct Node {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) replica_labels: Vec<String>,
    pub(crate) registry: Registry,
    running: Option<(Arc<Db>, Uploader)>,
}

pub(crate) fn ms(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

pub(crate) fn in_memory() -> Arc<dyn ObjectStore> {
    Arc::new(object_store::memory::InMemory::new())
}

/// A folder that goes away with the test. In memory where there is such a place: these tests sync often.
fn scratch() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    dir.expect("a folder")
}

impl Node {
    pub(crate) fn new(store: Arc<dyn ObjectStore>) -> Self {
        let mut node = Node {
            dir: scratch(),
            store,
            clock: Arc::new(ManualClock::new(ms(0))),
            replica_labels: Vec::new(),
            registry: Registry::default(),
            running: None,
        };
        node.start();
        node
    }

    /// Begins anew on the same directory, after a kill if it was running.
    pub(crate) fn start(&mut self) {
        drop(self.running.take());
        let options = Options {
            min_block_ms: WIDTH_MS,
            max_block_ms: WIDTH_MS,
            retention_ms: 0,
            out_of_order_window_ms: 1_000_000,
            ..Options::new(self.data_dir())
        };
        let db = self.open(&options);
        let labels = Labels::from_pairs([("tier", "global")]);
        let options =
            UploaderOptions { deadline_ms: DEADLINE_MS, ..UploaderOptions::new(self.data_dir(), labels, WIDTH_MS) };
        let catalog = Arc::new(Catalog::new(self.store.clone()));
        let uploader = Uploader::new(catalog, options, self.clock.clone(), &mut self.registry);
        self.running = Some((db, uploader));
    }

    /// Opens the database. Work that was given up holds the one before until it comes to the next series.
    fn open(&mut self, options: &Options) -> Arc<Db> {
        for _ in 0..STEPS_MAX {
            self.registry = Registry::default();
            match Db::open(options.clone(), self.clock.clone(), &mut self.registry) {
                Err(OpenError::Lock(_)) => std::thread::yield_now(),
                opened => return opened.expect("opens"),
            }
        }
        panic!("work that was given up does not end");
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn db(&self) -> &Arc<Db> {
        &self.running.as_ref().expect("is running").0
    }

    pub(crate) fn uploader(&self) -> &Uploader {
        &self.running.as_ref().expect("is running").1
    }

    /// Appends one sample and commits; one that is there already is no error.
    pub(crate) fn append(&self, labels: &Labels, time: i64, value: &Value) {
        let mut appender = self.db().appender();
        let result = match value {
            Value::Float(value) => appender.append(labels, ms(time), *value),
            Value::Histogram(histogram) => appender.append_histogram(labels, ms(time), histogram.clone()),
        };
        assert!(matches!(result, Ok(_) | Err(AppendError::DuplicateTimestamp)), "{labels} {time}: {result:?}");
        appender.commit().expect("stored");
    }

    pub(crate) fn append_float(&self, name: &str, time: i64, value: f64) {
        self.append(&Labels::from_pairs([("__name__", name)]), time, &Value::Float(value));
    }

    pub(crate) async fn sync(&self, complete_until: i64) -> Result<usize, BucketError> {
        let source: Arc<dyn Queryable> = self.db().clone();
        let blocks = self.db().blocks();
        let complete_until = ms(complete_until);
        let replica_labels = &self.replica_labels[..];
        self.uploader().sync(&Windows { source: &source, blocks: &blocks, replica_labels, complete_until }).await
    }

    /// The same, given up when it has waited so many times: after whatever object, mark or note that is.
    pub(crate) async fn begin_sync(&self, complete_until: i64, waits: usize) {
        let mut sync = std::pin::pin!(self.sync(complete_until));
        for _ in 0..waits {
            if futures::poll!(&mut sync).is_ready() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// What somebody finds in the bucket who has nothing else.
    pub(crate) async fn view(&self) -> BucketView {
        let nothing = Arc::new(Merge::new(Vec::new()));
        let cache = self.dir.path().join("cache");
        let view =
            BucketView::new(Arc::new(Catalog::new(self.store.clone())), nothing, cache, &mut Registry::default());
        view.sync().await.expect("a look into the bucket");
        view
    }

    /// The ranges of the blocks that are read from the bucket.
    pub(crate) async fn ranges(&self) -> Vec<(i64, i64)> {
        let range = |block: &Arc<bucket::BucketBlock>| (block.meta().min_time.as_ms(), block.meta().max_time.as_ms());
        self.view().await.blocks().iter().map(range).collect()
    }

    /// The value of a metric of this node.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or(f64::NAN)
    }
}

/// The objects of a bucket without marks, by name.
pub(crate) async fn objects(store: &dyn ObjectStore) -> BTreeMap<String, Vec<u8>> {
    let listed: Vec<_> = store.list(None).try_collect().await.expect("a list");
    let mut out = BTreeMap::new();
    for object in listed {
        let bytes = store.get(&object.location).await.expect("is there").bytes().await.expect("is there");
        out.insert(object.location.to_string(), bytes.to_vec());
    }
    out
}

/// The blocks that are marked for deletion.
pub(crate) async fn marked(store: &dyn ObjectStore) -> BTreeSet<String> {
    let all = objects(store).await;
    all.keys().filter_map(|name| name.strip_suffix("/deletion-mark.json")).map(str::to_owned).collect()
}

/// The objects of the blocks that are read, by name.
pub(crate) async fn visible(node: &Node) -> BTreeMap<String, Vec<u8>> {
    let blocks: BTreeSet<String> =
        node.view().await.blocks().iter().map(|block| block.meta().ulid.to_string()).collect();
    let is_visible = |name: &str| name.split('/').next().is_some_and(|block| blocks.contains(block));
    objects(&*node.store).await.into_iter().filter(|(name, _)| is_visible(name)).collect()
}

/// Everything of a source, within a range.
pub(crate) async fn content(source: &dyn Queryable, range: TimeRange) -> Content {
    let set = source.select(&SelectRequest::new(vec![], range)).await.expect("an answer");
    let mut out = Content::new();
    for series in set.series {
        let series = series.expect("readable");
        let samples = out.entry(series.labels.to_string()).or_default();
        for chunk in &series.chunks {
            let mut values = chunk.values();
            while let Some((time, value)) = values.next().expect("readable") {
                if range.contains(ms(time)) {
                    samples.push((time, told(&value)));
                }
            }
        }
        samples.sort();
        samples.dedup();
    }
    out.retain(|_, samples| !samples.is_empty());
    out
}

/// A value to the bit; all stale markers are told in the same way.
pub(crate) fn told(value: &Value) -> String {
    match value {
        Value::Float(value) if model::is_stale(*value) => "stale".to_owned(),
        Value::Histogram(histogram) if histogram.is_stale() => "stale".to_owned(),
        Value::Float(value) => format!("{:x}", value.to_bits()),
        Value::Histogram(NativeHistogram::Int(h)) => format!("{} {} {:x}", h.count, h.zero_count, h.sum.to_bits()),
        Value::Histogram(NativeHistogram::Float(h)) => format!("{} {} {:x}", h.count, h.zero_count, h.sum.to_bits()),
    }
}

/// Runs a property on random cases, of which `WATERSHED_SEED` repeats a failed one and `WATERSHED_CASES` makes more. The failure
/// names the seed.
pub(crate) fn check_property<S: Strategy>(
    name: &str,
    cases: u32,
    strategy: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let setting = |variable: &str| std::env::var(variable).ok().map(|text| text.parse().expect("a number"));
    let seed: u64 = setting("WATERSHED_SEED").unwrap_or_else(|| RandomState::new().hash_one(name));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let cases = setting("WATERSHED_CASES").map_or(cases, |cases| cases as u32);
    let config = ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 60, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    if let Err(error) = runner.run(strategy, test) {
        panic!("WATERSHED_SEED={seed}: {error}");
    }
}
