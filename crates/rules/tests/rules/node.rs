//! A database on disk, an engine and a manager, with time in the test's hand.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use model::{Clock, Labels, Matcher, NativeHistogram, Timestamp};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use promql::{Engine, EngineOptions, Value};
use rules::{Alert, AlertStatus, GroupDefaults, Manager, Notifier, Options, RuleSet, RuleStatus, Settings};
use storage::{
    AppendError, Appendable, Appender, CommitError, LabelRequest, QueryError, Queryable, Samples, SelectRequest,
    SeriesRef, SeriesSet,
};
use tempfile::TempDir;
use tsdb::Db;

/// A full minute, about when this was written.
pub(crate) const START: i64 = 1_763_000_040_000;

/// Milliseconds of a minute.
pub(crate) const MINUTE: i64 = 60_000;

/// The time `minutes` after the start.
pub(crate) fn at(minutes: i64) -> Timestamp {
    Timestamp::from_ms(START + minutes * MINUTE)
}

/// Goes with the runtime's clock, which tests stop and move.
#[derive(Debug)]
pub(crate) struct RuntimeClock {
    began: tokio::time::Instant,
    start: Timestamp,
}

impl RuntimeClock {
    pub(crate) fn starting(start: Timestamp) -> Self {
        RuntimeClock { began: tokio::time::Instant::now(), start }
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        self.start + i64::try_from(self.began.elapsed().as_millis()).expect("a short test")
    }
}

/// Keeps what it is given; takes its time, if told to.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) sent: Mutex<Vec<Alert>>,
    pub(crate) delay: Mutex<Duration>,
}

#[async_trait]
impl Notifier for Recorder {
    async fn notify(&self, alerts: Vec<Alert>) {
        self.sent.lock().extend(alerts);
        let delay = *self.delay.lock();
        tokio::time::sleep(delay).await;
    }
}

/// The database, with ways to fail and to be watched.
pub(crate) struct Storage {
    pub(crate) db: Arc<Db>,
    pub(crate) commits: Arc<AtomicUsize>,
    pub(crate) refuse_commits: Arc<AtomicBool>,
    pub(crate) hang: AtomicBool,
    /// Has no notes, as a database that Prometheus wrote.
    pub(crate) without_notes: AtomicBool,
}

struct WatchedAppender {
    inner: Box<dyn Appender>,
    commits: Arc<AtomicUsize>,
    refuse: Arc<AtomicBool>,
}

impl Appendable for Storage {
    fn appender(&self) -> Box<dyn Appender> {
        let (commits, refuse) = (self.commits.clone(), self.refuse_commits.clone());
        Box::new(WatchedAppender { inner: self.db.appender(), commits, refuse })
    }

    fn notes(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        if self.without_notes.load(Ordering::SeqCst) { Vec::new() } else { self.db.notes(prefix) }
    }
}

impl Appender for WatchedAppender {
    fn append(&mut self, labels: &Labels, time: Timestamp, value: f64) -> Result<SeriesRef, AppendError> {
        self.inner.append(labels, time, value)
    }

    fn append_ref(&mut self, series: SeriesRef, time: Timestamp, value: f64) -> Result<(), AppendError> {
        self.inner.append_ref(series, time, value)
    }

    fn append_histogram(
        &mut self,
        labels: &Labels,
        time: Timestamp,
        histogram: NativeHistogram,
    ) -> Result<SeriesRef, AppendError> {
        self.inner.append_histogram(labels, time, histogram)
    }

    fn set_note(&mut self, name: &str, content: &[u8]) -> Result<(), AppendError> {
        self.inner.set_note(name, content)
    }

    fn commit(self: Box<Self>) -> Result<(), CommitError> {
        if self.refuse.load(Ordering::SeqCst) {
            self.inner.rollback();
            return Err(CommitError { reason: "the disk is full".to_owned(), source: None });
        }
        self.commits.fetch_add(1, Ordering::SeqCst);
        self.inner.commit()
    }

    fn rollback(self: Box<Self>) {
        self.inner.rollback();
    }
}

#[async_trait]
impl Queryable for Storage {
    async fn select(&self, request: &SelectRequest) -> Result<SeriesSet, QueryError> {
        if self.hang.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
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

pub(crate) struct Node {
    pub(crate) storage: Arc<Storage>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) manager: Arc<Manager>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) registry: Registry,
    pub(crate) directory: TempDir,
}

/// Evaluation by hand, nothing to restore.
pub(crate) const BY_HAND: Settings = Settings {
    resend_delay_ms: MINUTE,
    for_grace_period_ms: 10 * MINUTE,
    outage_tolerance_ms: 60 * MINUTE,
    restore: false,
    hold_missed: true,
    timers: false,
};

impl Node {
    /// A node in a directory of its own.
    pub(crate) fn new(settings: Settings) -> Self {
        Self::open(tempfile::tempdir().expect("a directory"), settings, at(0))
    }

    /// A node in a directory that may hold data.
    pub(crate) fn open(directory: TempDir, settings: Settings, now: Timestamp) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(RuntimeClock::starting(now));
        let mut registry = Registry::default();
        // Tests store what the rules are to see before the clock is there.
        let options = tsdb::Options { max_future_ms: 0, ..tsdb::Options::new(directory.path()) };
        let db = Db::open(options, clock.clone(), &mut Registry::default());
        let storage = Arc::new(Storage {
            db: db.expect("a database"),
            commits: Arc::default(),
            refuse_commits: Arc::default(),
            hang: AtomicBool::new(false),
            without_notes: AtomicBool::new(false),
        });
        let engine = Arc::new(Engine::new(EngineOptions::default()));
        let recorder = Arc::new(Recorder::default());
        let options = Options {
            engine: engine.clone(),
            queryable: storage.clone(),
            storage: storage.clone(),
            notifier: recorder.clone(),
            gate: None,
            clock,
            external_url: "http://shard:9090".to_owned(),
            external_labels: Labels::empty(),
        };
        let manager = Manager::with_settings(options, settings, &mut registry);
        Node { storage, engine, manager, recorder, registry, directory }
    }

    /// Stops everything as a crash would, but for the data directory's lock.
    pub(crate) async fn stop(self) -> TempDir {
        self.manager.shutdown().await;
        drop(self.manager);
        self.storage.db.close().expect("closed");
        self.directory
    }

    /// Puts one rule file in force.
    pub(crate) async fn apply(&self, file: &str, text: &str) {
        let defaults = GroupDefaults { interval_ms: MINUTE, ..GroupDefaults::default() };
        let rules = RuleSet::check(Path::new(file), text, defaults).expect("good rules");
        let external_labels = Labels::from_pairs([("cluster", "eu-1")]);
        self.manager.apply(rules, &external_labels).await;
    }

    /// Stores samples at a time.
    pub(crate) fn append(&self, time: Timestamp, samples: &[(&[(&str, &str)], f64)]) {
        let mut appender = self.storage.db.appender();
        for (labels, value) in samples {
            appender.append(&Labels::from_pairs(labels.iter().copied()), time, *value).expect("appended");
        }
        appender.commit().expect("committed");
    }

    /// Evaluates the group `g`.
    pub(crate) async fn evaluate(&self, time: Timestamp) {
        assert!(self.manager.evaluate_at("g", time).await, "there is a group g");
    }

    /// The result of an expression, as `labels value` lines, sorted.
    pub(crate) async fn query(&self, expr: &str, time: Timestamp) -> Vec<String> {
        let expr = promql::parse(expr).expect("an expression");
        let result = self.engine.instant(self.storage.db.clone(), &expr, time).await.expect("an answer");
        let Value::Vector(samples) = result.value else { panic!("a vector") };
        let mut lines: Vec<String> = samples.iter().map(|s| format!("{} {}", s.labels, s.value)).collect();
        lines.sort();
        lines
    }

    /// All samples of one metric, stale markers as `stale`, as `labels minute:value …` lines.
    pub(crate) async fn stored(&self, metric: &str) -> Vec<String> {
        let request = SelectRequest::new(vec![Matcher::equal(model::METRIC_NAME, metric)], model::TimeRange::ALL);
        let set = self.storage.db.select(&request).await.expect("an answer");
        let mut samples = Samples::default();
        let line = |series: Result<storage::Series, QueryError>| {
            let series = series.expect("a series");
            series.decode(model::TimeRange::ALL, &mut samples).expect("samples");
            let minute = |sample: model::Sample| {
                let minutes = (sample.time.as_ms() - START) as f64 / MINUTE as f64;
                if model::is_stale(sample.value) {
                    format!("{minutes}:stale")
                } else {
                    format!("{minutes}:{}", sample.value)
                }
            };
            let shown: Vec<String> = samples.iter().map(minute).collect();
            format!("{} {}", series.labels, shown.join(" "))
        };
        set.series.map(line).collect()
    }

    /// The rule of this name in the group `g`.
    pub(crate) fn rule(&self, name: &str) -> RuleStatus {
        let groups = self.manager.groups();
        let rules = groups.into_iter().filter(|group| group.name == "g").flat_map(|group| group.rules);
        rules.into_iter().find(|rule| rule.name == name).expect("the rule is there")
    }

    /// The pending and firing alerts of a rule.
    pub(crate) fn alerts(&self, name: &str) -> Vec<AlertStatus> {
        self.rule(name).alerting.expect("an alerting rule").alerts
    }

    /// The value of one of our own metrics, of the line that begins so.
    pub(crate) fn metric(&self, line_start: &str) -> Option<f64> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).expect("encoded");
        text.lines().find_map(|line| line.strip_prefix(line_start)?.trim().parse().ok())
    }
}

/// Compares lines.
#[track_caller]
pub(crate) fn assert_lines<T: AsRef<str> + Debug>(got: &[T], want: &[&str]) {
    let got: Vec<&str> = got.iter().map(AsRef::as_ref).collect();
    assert_eq!(got, want);
}
