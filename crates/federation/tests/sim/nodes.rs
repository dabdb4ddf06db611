//! What runs on the hosts: replicas that scrape and are pulled, globals that pull them and each other.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use discovery::Environment;
use federation::{Config, Federate, Puller, router};
use model::{Clock, Labels};
use prometheus_client::registry::Registry;
use storage::{AppendError, Appendable, Appender, CommitError, SeriesRef};
use tokio::time::sleep;
use tsdb::{Db, Options};

use crate::clock::HostClock;
use crate::network::{PORT, SimNetwork, Wire};
use crate::source::{SCRAPE_MS, Source};

/// How often a global pulls, in milliseconds.
pub(crate) const INTERVAL_MS: i64 = 5_000;
/// How long a pull may take at first, in milliseconds.
pub(crate) const TIMEOUT_MS: i64 = 4_000;

type Ended = Result<(), Box<dyn Error>>;

/// What a host has that outlives its processes.
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) options: Options,
    pub(crate) clock: Arc<HostClock>,
    /// The database of the process that runs, if one does.
    pub(crate) db: Mutex<Weak<Db>>,
    /// Nothing is scraped, cut or compacted any more.
    pub(crate) is_quiet: Arc<AtomicBool>,
    /// Whether maintenance has a thread of its own; what it meets is another one each time then.
    pub(crate) has_threads: bool,
}

impl Site {
    pub(crate) fn dir(&self) -> PathBuf {
        self.options.dir.clone()
    }

    /// What is in the directory, as the next process finds it.
    pub(crate) fn open(&self) -> Result<Arc<Db>, Box<dyn Error>> {
        self.open_at(&self.options.dir)
    }

    /// The same with another directory.
    pub(crate) fn open_at(&self, dir: &Path) -> Result<Arc<Db>, Box<dyn Error>> {
        let options = Options { dir: dir.to_owned(), ..self.options.clone() };
        Ok(Db::open(options, self.clock.clone(), &mut Registry::default())?)
    }

    pub(crate) fn database(&self) -> Option<Arc<Db>> {
        self.db.lock().expect("nobody panics here").upgrade()
    }

    fn start(&self) -> Result<Arc<Db>, Box<dyn Error>> {
        let db = self.open().map_err(|error| format!("{}: {error}", self.name))?;
        *self.db.lock().expect("nobody panics here") = Arc::downgrade(&db);
        Ok(db)
    }

    /// As often as it takes to have cuts, compactions and shortened logs in minutes.
    async fn maintain(&self, db: Arc<Db>) -> Ended {
        loop {
            sleep(Duration::from_secs(17)).await;
            if self.is_quiet.load(Ordering::Relaxed) {
                continue;
            }
            let db = db.clone();
            let work = move || -> Result<(), tsdb::MaintenanceError> {
                db.maintain()?;
                db.compact().map(drop)
            };
            match self.has_threads {
                true => tokio::task::spawn_blocking(work).await??,
                false => work()?,
            }
        }
    }
}

/// A replica's host.
pub(crate) struct ReplicaSite {
    pub(crate) site: Site,
    pub(crate) cluster: &'static str,
    pub(crate) replica: &'static str,
    pub(crate) source: Mutex<Source>,
}

impl ReplicaSite {
    pub(crate) fn external(&self) -> [(&'static str, &'static str); 2] {
        [("cluster", self.cluster), ("replica", self.replica)]
    }

    pub(crate) fn lost_samples(&self) -> u64 {
        let source = self.source.lock().expect("nobody panics here");
        source.lost.values().map(|samples| samples.len() as u64).sum()
    }

    /// The process.
    pub(crate) async fn run(self: Arc<Self>) -> Ended {
        let db = self.site.start()?;
        let federate = federate(&db, self.site.clock.clone(), Labels::from_pairs(self.external()));
        tokio::select! {
            ended = serve(router(federate)) => ended,
            ended = self.site.maintain(db.clone()) => ended,
            ended = self.scrape(&db) => ended,
        }
    }

    async fn scrape(&self, db: &Db) -> Ended {
        loop {
            sleep(Duration::from_millis(SCRAPE_MS.unsigned_abs())).await;
            if !self.site.is_quiet.load(Ordering::Relaxed) {
                let now = self.site.clock.now().as_ms();
                self.source.lock().expect("nobody panics here").interval(db, now)?;
            }
        }
    }
}

/// What a global is told to do, and may be told anew.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    pub(crate) config: Config,
    pub(crate) timeout_ms: i64,
}

/// A global's host.
pub(crate) struct GlobalSite {
    pub(crate) site: Site,
    pub(crate) network: SimNetwork,
    pub(crate) orders: tokio::sync::watch::Sender<Orders>,
    pub(crate) puller: Mutex<Weak<Puller>>,
    pub(crate) end: Arc<End>,
}

impl GlobalSite {
    pub(crate) fn puller(&self) -> Option<Arc<Puller>> {
        self.puller.lock().expect("nobody panics here").upgrade()
    }

    /// The process.
    pub(crate) async fn run(self: Arc<Self>) -> Ended {
        let db = self.site.start()?;
        let mut registry = Registry::default();
        let environment = Environment::new(&mut registry);
        let storage = Arc::new(Mortal { db: db.clone(), end: self.end.clone() });
        let network = Arc::new(self.network.clone());
        let puller = Puller::new(self.site.clock.clone(), storage, network, environment, &mut registry);
        *self.puller.lock().expect("nobody panics here") = Arc::downgrade(&puller);
        tokio::select! {
            ended = serve(router(federate(&db, self.site.clock.clone(), Labels::empty()))) => ended,
            ended = self.site.maintain(db.clone()) => ended,
            ended = self.obey(&puller) => ended,
        }
    }

    async fn obey(&self, puller: &Puller) -> Ended {
        let mut orders = self.orders.subscribe();
        loop {
            let Orders { config, timeout_ms } = orders.borrow_and_update().clone();
            puller.apply(config, INTERVAL_MS, timeout_ms).await;
            orders.changed().await?;
        }
    }
}

fn federate(db: &Arc<Db>, clock: Arc<HostClock>, external: Labels) -> Arc<Federate> {
    let parse = |text: &str| promql::parse_selectors(text).map_err(|error| error.to_string());
    Federate::of_database(db.clone(), clock, external, parse)
}

struct Door(turmoil::net::TcpListener);

impl Listener for Door {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        loop {
            if let Ok((stream, from)) = self.0.accept().await {
                return (Wire::accepted(stream), from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

async fn serve(router: Router) -> Ended {
    let listener = turmoil::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
    Ok(axum::serve(Door(listener), router).await?)
}

/// When a global is to die in the midst of its work: at a commit.
#[derive(Debug, Default)]
pub(crate) struct End {
    /// So many commits from now, if it is to.
    commits: AtomicI64,
    is_before: AtomicBool,
    is_dead: AtomicBool,
}

impl End {
    /// At the commit after so many; before it is stored, or when it is and nobody knows.
    pub(crate) fn at_commit(&self, commits: i64, is_before: bool) {
        self.is_before.store(is_before, Ordering::Relaxed);
        self.commits.store(commits.max(1), Ordering::Relaxed);
    }

    /// Whether it has come.
    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Relaxed)
    }

    /// A new process, which lives on.
    pub(crate) fn forget(&self) {
        self.commits.store(0, Ordering::Relaxed);
        self.is_dead.store(false, Ordering::Relaxed);
    }

    fn comes_now(&self) -> bool {
        let counting = |left: i64| (left > 0).then_some(left - 1);
        self.commits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, counting) == Ok(1)
    }
}

/// A database whose process may die at a commit. Nothing is stored after that.
struct Mortal {
    db: Arc<Db>,
    end: Arc<End>,
}

impl Appendable for Mortal {
    fn appender(&self) -> Box<dyn Appender> {
        Box::new(Transaction { inner: self.db.appender(), end: self.end.clone() })
    }

    fn note(&self, name: &str) -> Option<Vec<u8>> {
        self.db.note(name)
    }
}

struct Transaction {
    inner: Box<dyn Appender>,
    end: Arc<End>,
}

impl Appender for Transaction {
    fn append(&mut self, labels: &Labels, time: model::Timestamp, value: f64) -> Result<SeriesRef, AppendError> {
        self.inner.append(labels, time, value)
    }

    fn append_ref(&mut self, series: SeriesRef, time: model::Timestamp, value: f64) -> Result<(), AppendError> {
        self.inner.append_ref(series, time, value)
    }

    fn append_histogram(
        &mut self,
        labels: &Labels,
        time: model::Timestamp,
        histogram: model::NativeHistogram,
    ) -> Result<SeriesRef, AppendError> {
        self.inner.append_histogram(labels, time, histogram)
    }

    fn set_note(&mut self, name: &str, content: &[u8]) -> Result<(), AppendError> {
        self.inner.set_note(name, content)
    }

    fn commit(self: Box<Self>) -> Result<(), CommitError> {
        let dead = || CommitError { reason: "the process is dead".to_owned(), source: None };
        if self.end.is_dead() {
            return Err(dead());
        }
        if !self.end.comes_now() {
            return self.inner.commit();
        }
        if !self.end.is_before.load(Ordering::Relaxed) {
            self.inner.commit()?;
        }
        self.end.is_dead.store(true, Ordering::Relaxed);
        Err(dead())
    }

    fn rollback(self: Box<Self>) {
        self.inner.rollback();
    }
}
