//! Pulls by cursor between real databases.

use std::path::Path;
use std::sync::Arc;

use discovery::Environment;
use federation::{Federate, Protocol, Puller, ReplicaState, SystemNetwork, router};
use model::{
    Clock, Exemplar, Histogram, Labels, METRIC_NAME, ManualClock, Matcher, Metadata, MetricType, NativeHistogram,
    STALE_NAN, SystemClock, TimeRange, Timestamp,
};
use prometheus_client::registry::Registry;
use storage::{Appendable, ExemplarQueryable, Queryable, Samples, SelectRequest};
use tsdb::{Db, Options};

use crate::nodes::{config, eventually};

fn open(dir: &Path) -> Arc<Db> {
    let options = Options { max_exemplars: 100, out_of_order_window_ms: 3_600_000, ..Options::new(dir) };
    Db::open(options, Arc::new(SystemClock), &mut Registry::default()).expect("the directory opens")
}

fn labels(name: &str) -> Labels {
    Labels::from_pairs([(METRIC_NAME, name), ("job", "x")])
}

fn append(db: &Db, name: &str, time: Timestamp, value: f64) {
    let mut appender = db.appender();
    appender.append(&labels(name), time, value).expect("taken");
    appender.commit().expect("stored");
}

/// A port that stays ours while nobody serves on it: whoever asks then waits.
struct Door(std::net::TcpListener);

impl Door {
    fn open() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a listener that doesn't block");
        Door(listener)
    }

    fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().expect("an address"))
    }

    /// Serves a database.
    fn serve(&self, db: &Arc<Db>, clock: Arc<dyn Clock>) -> tokio::task::JoinHandle<()> {
        let parse = |name: &str| Ok(vec![Matcher::equal(METRIC_NAME, name)]);
        let external = Labels::from_pairs([("replica", "a"), ("job", "outside")]);
        let federate = Federate::of_database(db.clone(), clock, external, parse);
        let listener = self.0.try_clone().expect("another handle");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        tokio::spawn(async move { axum::serve(listener, router(federate)).await.expect("serving") })
    }
}

fn puller(db: &Arc<Db>) -> Arc<Puller> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut registry = Registry::default();
    let environment = Environment::new(&mut registry);
    Puller::new(Arc::new(SystemClock), db.clone(), Arc::new(SystemNetwork), environment, &mut registry)
}

fn shard(url: &str) -> federation::Config {
    config(&format!("selectors: [a, b]\nreplica_labels: [replica]\nshards:\n- {{name: s, replicas: ['{url}']}}"))
}

/// Times and values of a series, stale markers as `None`.
async fn stored(db: &Db, name: &str) -> Vec<(i64, Option<f64>)> {
    let matchers = vec![Matcher::equal(METRIC_NAME, name), Matcher::equal("replica", "a"), Matcher::equal("job", "x")];
    let set = db.select(&SelectRequest::new(matchers, TimeRange::ALL)).await.expect("selects");
    let mut samples = Samples::default();
    let mut out = Vec::new();
    for series in set.series {
        series.expect("readable").decode(TimeRange::ALL, &mut samples).expect("readable");
        let value = |value: f64| (!model::is_stale(value)).then_some(value);
        out.extend(samples.iter().map(|sample| (sample.time.as_ms(), value(sample.value))));
    }
    out
}

#[tokio::test]
async fn everything_arrives_once_and_in_its_order() {
    let dirs = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let (shard_db, global_db) = (open(dirs[0].path()), open(dirs[1].path()));
    let start = SystemClock.now() - 60_000;
    let at = |seconds: i64| start + seconds * 1000;
    append(&shard_db, "a", at(0), 1.0);
    append(&shard_db, "c", at(0), 9.0);
    let door = Door::open();
    let (url, server) = (door.url(), door.serve(&shard_db, Arc::new(SystemClock)));
    let puller = puller(&global_db);
    puller.apply(shard(&url), 50, 5000).await;
    eventually("the first sample", async || (stored(&global_db, "a").await.len() == 1).then_some(())).await;
    let is_up = async || Some(puller.status()[0].replicas[0].clone()).filter(|status| status.state == ReplicaState::Up);
    let status = eventually("a word of it", is_up).await;
    assert_eq!((status.protocol, status.replica.as_str()), (Protocol::Cursor, "a"));

    // What comes and goes between two pulls, and what comes late.
    let mut appender = shard_db.appender();
    for (seconds, value) in [(10, 2.0), (20, 2.5), (30, STALE_NAN), (40, 3.0)] {
        appender.append(&labels("a"), at(seconds), value).expect("taken");
    }
    appender.commit().expect("stored");
    append(&shard_db, "a", at(5), 1.5);
    let want = [(0, Some(1.0)), (5, Some(1.5)), (10, Some(2.0)), (20, Some(2.5)), (30, None), (40, Some(3.0))];
    let want: Vec<_> = want.iter().map(|(seconds, value)| (at(*seconds).as_ms(), *value)).collect();
    eventually("all samples", async || (stored(&global_db, "a").await == want).then_some(())).await;
    assert!(stored(&global_db, "c").await.is_empty(), "nobody asked for it");

    // The link is cut, and the shard is started anew meanwhile.
    server.abort();
    eventually("the fall", async || (puller.status()[0].replicas[0].state == ReplicaState::Down).then_some(())).await;
    append(&shard_db, "b", at(41), 7.0);
    drop(shard_db);
    let _ = server.await;
    let shard_db = eventually("the directory", async || {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let options = Options { max_exemplars: 100, out_of_order_window_ms: 3_600_000, ..Options::new(dirs[0].path()) };
        Db::open(options, Arc::new(SystemClock), &mut Registry::default()).ok()
    })
    .await;
    append(&shard_db, "b", at(42), 8.0);
    let _server = door.serve(&shard_db, Arc::new(SystemClock));
    let both = vec![(at(41).as_ms(), Some(7.0)), (at(42).as_ms(), Some(8.0))];
    eventually("what came while the link was cut", async || (stored(&global_db, "b").await == both).then_some(()))
        .await;
    assert_eq!(stored(&global_db, "a").await, want);

    // The global is started anew, and goes on with its cursor.
    puller.shutdown().await;
    let cursor = global_db.note(&format!("cursor s {url}/")).expect("noted");
    assert!(!cursor.is_empty());
    append(&shard_db, "b", at(43), 9.0);
    let again = crate::cursor::puller(&global_db);
    again.apply(shard(&url), 50, 5000).await;
    eventually("what came meanwhile", async || (stored(&global_db, "b").await.len() == 3).then_some(())).await;

    // A replica that is gone takes its cursor along, and its series end.
    again.apply(config("{}"), 50, 5000).await;
    assert_eq!(global_db.note(&format!("cursor s {url}/")), None);
    assert_eq!(stored(&global_db, "b").await.last().map(|(_, value)| *value), Some(None));
}

#[tokio::test]
async fn histograms_exemplars_and_metadata_arrive() {
    let dirs = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let (shard_db, global_db) = (open(dirs[0].path()), open(dirs[1].path()));
    let start = SystemClock.now() - 30_000;
    let histogram = |count: u64| Histogram { count, zero_count: count, sum: 0.5, ..Histogram::default() };
    let write = |seconds: i64, count: u64, is_float: bool| {
        let mut appender = shard_db.appender();
        let histogram = if is_float {
            NativeHistogram::Float(Box::new(histogram(count).to_float()))
        } else {
            histogram(count).into()
        };
        let series = appender.append_histogram(&labels("a"), start + seconds * 1000, histogram).expect("taken");
        let labels = Labels::from_pairs([("trace_id", count.to_string())]);
        let exemplar = Exemplar { labels, value: 1.0, time: start + seconds * 1000 };
        appender.append_exemplar(series, &exemplar).expect("taken");
        let metadata = Metadata { kind: MetricType::Histogram, unit: "s".to_owned(), help: format!("help {count}") };
        appender.append_metadata(series, &metadata).expect("taken");
        appender.commit().expect("stored");
    };
    // The first by time, the others by commits.
    write(0, 1, false);
    let door = Door::open();
    let (url, _server) = (door.url(), door.serve(&shard_db, Arc::new(SystemClock)));
    let puller = puller(&global_db);
    puller.apply(shard(&url), 50, 5000).await;
    let found = async || {
        let all = vec![Matcher::equal(METRIC_NAME, "a")];
        let set = global_db.select(&SelectRequest::new(all.clone(), TimeRange::ALL)).await.expect("selects");
        let mut samples = Samples::default();
        let mut kinds = Vec::new();
        for series in set.series {
            let series = series.expect("readable");
            series.decode(TimeRange::ALL, &mut samples).expect("readable");
            kinds.extend(series.chunks.iter().map(|chunk| chunk.encoding.name()));
        }
        let counts: Vec<f64> = samples.histograms.iter().map(|at| at.histogram.count).collect();
        let exemplars = global_db.exemplars(&[all], TimeRange::ALL).await.expect("selects");
        let traces: Vec<String> =
            exemplars.iter().flat_map(|s| &s.exemplars).map(|e| e.labels.value("trace_id").to_owned()).collect();
        (counts, kinds, traces)
    };
    eventually("the first", async || (found().await.0 == [1.0]).then_some(())).await;
    assert_eq!(found().await.2, ["1"]);
    write(5, 2, false);
    write(10, 3, false);
    write(15, 4, true);
    eventually("the others", async || (found().await.0 == [1.0, 2.0, 3.0, 4.0]).then_some(())).await;
    let (_, kinds, traces) = found().await;
    assert_eq!((kinds.as_slice(), traces.len()), (&["histogram", "floathistogram"][..], 4));
    let labels = Labels::from_pairs([(METRIC_NAME, "a"), ("job", "x"), ("replica", "a")]);
    let metadata = global_db.series_metadata(&labels).expect("known");
    assert_eq!((metadata.kind, metadata.help.as_str()), (MetricType::Histogram, "help 4"));
}

/// A backlog that takes many answers, of commits that are remembered no more.
#[tokio::test]
async fn a_long_backlog_comes_in_steps() {
    let dirs = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let (shard_db, global_db) = (open(dirs[0].path()), open(dirs[1].path()));
    let now = SystemClock.now();
    append(&shard_db, "a", now - 3_500_000, 1.0);
    let door = Door::open();
    let (url, server) = (door.url(), door.serve(&shard_db, Arc::new(SystemClock)));
    let puller = puller(&global_db);
    puller.apply(shard(&url), 50, 5000).await;
    eventually("a first pull", async || (puller.status()[0].replicas[0].state == ReplicaState::Up).then_some(())).await;
    server.abort();
    let _ = server.await;
    drop(puller);
    let mut want = Vec::new();
    for step in 0..3_400 {
        let mut appender = shard_db.appender();
        let time = now - 3_400_000 + step * 1000;
        appender.append(&labels("b"), time, step as f64 * 0.5).expect("taken");
        appender.commit().expect("stored");
        want.push((time.as_ms(), Some(step as f64 * 0.5)));
    }
    // The commits before a start are read by time.
    drop(shard_db);
    let shard_db = open(dirs[0].path());
    let _server = door.serve(&shard_db, Arc::new(SystemClock));
    let puller = crate::cursor::puller(&global_db);
    puller.apply(shard(&url), 50, 5000).await;
    eventually("the backlog", async || (stored(&global_db, "b").await == want).then_some(())).await;
}

/// What the shard has deleted before it was asked for is told; the rest arrives.
#[tokio::test]
async fn a_gap_is_told() {
    let dirs = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let start = Timestamp::from_ms(1_700_000_000_000).align_down(60_000);
    let clock = Arc::new(ManualClock::new(start));
    let open_shard = || {
        let options = Options {
            min_block_ms: 60_000,
            max_block_ms: 60_000,
            retention_ms: 120_000,
            ..Options::new(dirs[0].path())
        };
        Db::open(options, clock.clone(), &mut Registry::default())
    };
    let shard_db = open_shard().expect("the directory opens");
    let options = Options { out_of_order_window_ms: 3_600_000, ..Options::new(dirs[1].path()) };
    let global_db = Db::open(options, clock.clone(), &mut Registry::default()).expect("the directory opens");
    append(&shard_db, "a", start, 1.0);
    let door = Door::open();
    let (url, server) = (door.url(), door.serve(&shard_db, clock.clone()));
    let mut registry = Registry::default();
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let environment = Environment::new(&mut registry);
    let puller = Puller::new(clock.clone(), global_db.clone(), Arc::new(SystemNetwork), environment, &mut registry);
    puller.apply(shard(&url), 50, 5000).await;
    eventually("the first sample", async || (stored(&global_db, "a").await.len() == 1).then_some(())).await;
    puller.shutdown().await;
    server.abort();
    let _ = server.await;
    for _ in 0..60 {
        clock.advance(10_000);
        append(&shard_db, "b", clock.now(), 2.0);
        shard_db.maintain().expect("maintained");
    }
    drop(shard_db);
    let shard_db = eventually("the directory", async || {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        open_shard().ok()
    })
    .await;
    let _server = door.serve(&shard_db, clock.clone());
    puller.apply(shard(&url), 50, 5000).await;
    let newest = clock.now().as_ms();
    eventually("what is left", async || {
        stored(&global_db, "b").await.last().filter(|(time, _)| *time == newest).copied()
    })
    .await;
    // Told when it is stored.
    let (from, until) = eventually("a gap", async || puller.status()[0].replicas[0].gap).await;
    let arrived = stored(&global_db, "b").await;
    let first = arrived[0].0;
    assert!(
        from <= start + 10_000 && until.as_ms() < first && first > start.as_ms() + 60_000,
        "{from} {until} {first}"
    );
    assert_eq!(arrived.len() as i64, (newest - first) / 10_000 + 1, "everything behind the gap is there");
    let mut metrics = String::new();
    prometheus_client::encoding::text::encode(&mut metrics, &registry).expect("text");
    assert!(metrics.contains("watershed_federation_gaps_total{"), "{metrics}");
}

/// A new shard is pulled from further back than five minutes where that is said.
#[tokio::test]
async fn the_first_pull_goes_back_as_far_as_it_is_told() {
    let dirs = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    let [shard_db, short_db, long_db] = [0, 1, 2].map(|at| open(dirs[at].path()));
    let now = SystemClock.now();
    for minutes in [90, 40, 20, 10, 1] {
        append(&shard_db, "a", now - minutes * 60_000, minutes as f64);
    }
    let door = Door::open();
    let (url, _server) = (door.url(), door.serve(&shard_db, Arc::new(SystemClock)));
    let pull = async |db: &Arc<Db>, words: &str, want: &[i64]| {
        let puller = puller(db);
        let text = format!("selectors: [a]\n{words}\nshards:\n- {{name: s, replicas: ['{url}']}}");
        puller.apply(config(&text), 50, 5000).await;
        let newest = async || stored(db, "a").await.last().copied();
        eventually("the newest", async || newest().await.filter(|(_, value)| *value == Some(1.0))).await;
        let found: Vec<i64> = stored(db, "a").await.iter().map(|(time, _)| (now.as_ms() - time) / 60_000).collect();
        assert_eq!(found, want, "{words}");
        puller.shutdown().await;
    };
    pull(&short_db, "", &[1]).await;
    pull(&long_db, "initial_lookback: 30m", &[20, 10, 1]).await;
    pull(&long_db, "initial_lookback: 2h", &[20, 10, 1]).await; // it has a cursor
}
