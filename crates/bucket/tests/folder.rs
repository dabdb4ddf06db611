//! Upload to a real folder and read back: what comes from the bucket is what the database held.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use bucket::{BucketView, Location, Uploader};
use model::{Labels, ManualClock, Matcher, TimeRange, Timestamp};
use object_store::ObjectStore;
use prometheus_client::registry::Registry;
use storage::{Appendable, LabelRequest, Queryable, Samples, SelectRequest};
use tsdb::{Db, Options};

type Answer = BTreeMap<String, Samples>;

const BLOCK_MS: i64 = 10_000;

struct Fixture {
    dir: tempfile::TempDir,
    db: Arc<Db>,
    store: Arc<dyn ObjectStore>,
    clock: Arc<ManualClock>,
}

impl Fixture {
    /// A database with samples of 50 s, most of them in blocks, and an empty bucket.
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let clock = Arc::new(ManualClock::new(Timestamp::from_ms(60_000)));
        let options = Options {
            min_block_ms: BLOCK_MS,
            max_block_ms: BLOCK_MS,
            retention_ms: 0,
            ..Options::new(dir.path().join("data"))
        };
        let db = Db::open(options, clock.clone(), &mut Registry::default()).expect("opens");
        for second in 0..50 {
            let mut appender = db.appender();
            for n in 0..20 {
                let labels = Labels::from_pairs([("__name__", "requests"), ("n", &n.to_string()), ("job", "api")]);
                appender.append(&labels, Timestamp::from_ms(second * 1000), (second * n) as f64).expect("in order");
            }
            appender.commit().expect("stored");
        }
        db.maintain().expect("blocks are cut");
        assert!(db.blocks().len() >= 3);
        let location = Location::Filesystem { directory: dir.path().join("bucket"), prefix: String::new() };
        let store = bucket::open(&location).expect("opens");
        Fixture { dir, db, store, clock }
    }

    fn uploader(&self) -> Uploader {
        let labels = Labels::from_pairs([("tier", "global")]);
        Uploader::new(
            self.store.clone(),
            self.dir.path().join("data"),
            labels,
            self.clock.clone(),
            &mut Registry::default(),
        )
    }

    fn view(&self, local: Arc<dyn Queryable>) -> BucketView {
        BucketView::new(self.store.clone(), local, self.dir.path().join("cache"), &mut Registry::default())
    }

    fn bucket(&self) -> std::path::PathBuf {
        self.dir.path().join("bucket")
    }
}

/// Local storage that has nothing.
fn nothing() -> Arc<dyn Queryable> {
    Arc::new(storage::Merge::new(Vec::new()))
}

async fn ask(source: &dyn Queryable, matcher: Matcher, range: TimeRange) -> Answer {
    let set = source.select(&SelectRequest::new(vec![matcher], range)).await.expect("an answer");
    let mut out = Answer::new();
    for series in set.series {
        let series = series.expect("readable");
        let mut samples = Samples::default();
        series.decode(range, &mut samples).expect("readable");
        out.insert(series.labels.to_string(), samples);
    }
    out
}

fn range(min: i64, max: i64) -> TimeRange {
    TimeRange::new(Timestamp::from_ms(min), Timestamp::from_ms(max))
}

fn requests() -> Matcher {
    Matcher::equal("__name__", "requests")
}

#[tokio::test]
async fn what_was_uploaded_is_read_back() {
    let fixture = Fixture::new();
    let blocks = fixture.db.blocks();
    assert_eq!(fixture.uploader().sync(&blocks).await.ok(), Some(blocks.len()));
    let view = fixture.view(nothing());
    assert!(ask(&view, requests(), TimeRange::ALL).await.is_empty(), "nothing before the first look");
    view.sync().await.expect("a look into the bucket");
    assert_eq!(view.blocks().len(), blocks.len());
    assert!(view.blocks().iter().all(|block| block.byte_len() > 0));
    let end = blocks.iter().map(|block| block.max_time.as_ms()).max().expect("blocks") - 1;
    for wanted in [range(0, end), range(5_000, 5_999), range(9_000, 12_000)] {
        assert_eq!(ask(&view, requests(), wanted).await, ask(&*fixture.db, requests(), wanted).await, "{wanted:?}");
    }
    assert!(ask(&view, requests(), range(end + 1, end + 9)).await.is_empty(), "the head is not in the bucket");
    let one = Matcher::equal("n", "7");
    assert_eq!(ask(&view, one.clone(), range(0, end)).await.len(), 1);
    let request = |matchers| LabelRequest { matchers, range: TimeRange::ALL, limit: 0 };
    assert_eq!(view.label_names(&request(vec![])).await.expect("names"), ["__name__", "job", "n"]);
    assert_eq!(view.label_values("n", &request(vec![one])).await.expect("values"), ["7"]);
    assert_eq!(view.min_time(), Some(Timestamp::from_ms(0)));
}

#[tokio::test]
async fn only_what_local_storage_no_longer_has_comes_from_the_bucket() {
    let fixture = Fixture::new();
    fixture.uploader().sync(&fixture.db.blocks()).await.expect("uploaded");
    let view = fixture.view(fixture.db.clone());
    view.sync().await.expect("a look into the bucket");
    assert!(ask(&view, requests(), TimeRange::ALL).await.is_empty(), "the database has all of it");
}

#[tokio::test]
async fn a_second_upload_finds_everything_there() {
    let fixture = Fixture::new();
    let blocks = fixture.db.blocks();
    fixture.uploader().sync(&blocks).await.expect("uploaded");
    let uploader = fixture.uploader();
    assert_eq!(uploader.sync(&blocks).await.ok(), Some(0), "the list on disk is read");
    assert!(uploader.is_uploaded(blocks[0].ulid));
    fs::remove_file(fixture.dir.path().join("data/thanos.shipper.json")).expect("was written");
    let before = tree(&fixture.bucket());
    fixture.uploader().sync(&blocks).await.expect("as the peer does it");
    assert_eq!(tree(&fixture.bucket()), before, "nothing is written twice");
}

#[tokio::test]
async fn an_interrupted_upload_is_no_block_and_is_finished_later() {
    let fixture = Fixture::new();
    let blocks = fixture.db.blocks();
    fixture.uploader().sync(&blocks).await.expect("uploaded");
    let before = tree(&fixture.bucket());
    let first = fixture.bucket().join(blocks[0].ulid.to_string());
    fs::remove_file(first.join("meta.json")).expect("is there");
    fs::remove_file(first.join("index")).expect("is there");
    let view = fixture.view(nothing());
    view.sync().await.expect("a look into the bucket");
    assert_eq!(view.blocks().len(), blocks.len() - 1);
    fs::remove_file(fixture.dir.path().join("data/thanos.shipper.json")).expect("was written");
    fixture.uploader().sync(&blocks).await.expect("goes on");
    assert_eq!(tree(&fixture.bucket()), before);
}

#[tokio::test]
async fn another_block_under_the_same_name_is_a_conflict() {
    let fixture = Fixture::new();
    let blocks = fixture.db.blocks();
    let index = fixture.bucket().join(blocks[0].ulid.to_string()).join("index");
    fs::create_dir_all(index.parent().expect("has one")).expect("made");
    fs::write(&index, "somebody else's").expect("written");
    let uploader = fixture.uploader();
    let error = uploader.sync(&blocks).await.expect_err("must not be overwritten").to_string();
    assert!(error.contains("two different blocks share a name"), "{error}");
    assert_eq!(fs::read(&index).expect("still there"), b"somebody else's");
    assert!(uploader.status().last_error.is_some());
    let view = fixture.view(nothing());
    view.sync().await.expect("a look into the bucket");
    assert_eq!(view.blocks().len(), blocks.len() - 1, "the others went up");
}

#[tokio::test]
async fn a_damaged_block_is_left_out_or_named() {
    let fixture = Fixture::new();
    let blocks = fixture.db.blocks();
    fixture.uploader().sync(&blocks).await.expect("uploaded");
    fs::write(fixture.bucket().join(blocks[0].ulid.to_string()).join("meta.json"), "{").expect("written");
    let chunks = fixture.bucket().join(blocks[1].ulid.to_string()).join("chunks/000001");
    let mut bytes = fs::read(&chunks).expect("is there");
    bytes[20] ^= 0xff;
    fs::write(&chunks, bytes).expect("written");
    let view = fixture.view(nothing());
    view.sync().await.expect("a look into the bucket");
    assert_eq!(view.blocks().len(), blocks.len() - 1);
    let request = SelectRequest::new(vec![requests()], TimeRange::ALL);
    let error = view.select(&request).await.err().expect("the chunk's checksum is wrong").to_string();
    assert!(error.contains(&blocks[1].ulid.to_string()), "{error}");
}

/// The files below a folder with their content.
fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            out.extend(tree(&path));
        } else {
            out.insert(path.display().to_string(), fs::read(&path).expect("a file"));
        }
    }
    out
}
