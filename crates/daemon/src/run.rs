//! Starting a node and stopping it in order.
//!
//! Start: alerting, rules, scraping, HTTP; ready when all of them run. Stop: first what brings samples in (scraping, the
//! tier's pulls, rules), then alerting with what it still has to deliver, then HTTP, and the database last. Every step
//! has a bound, so a hanging receiver doesn't hold the process.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use api::Node;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::alerting::Alerting;
use crate::base::Base;
use crate::error::StartError;
use crate::health;
use crate::maintenance::{self, Intervals};
use crate::reload::{ReloadMetrics, Reloader};
use crate::tier::{CommonConfig, Loaded, Tier};

/// How long each step of stopping may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(3);
/// A scrape that begins this late still gets its planned time, so that intervals are even and chunks small; as Prometheus.
const TIMESTAMP_TOLERANCE_MS: i64 = 2;

/// A node that runs.
pub struct Running<T: Tier> {
    address: SocketAddr,
    node: Arc<Node>,
    reloader: Arc<Reloader<T>>,
    stop: CancellationToken,
    stop_http: CancellationToken,
    maintenance: JoinHandle<()>,
    server: JoinHandle<std::io::Result<()>>,
}

/// Starts a node on its base, with its first configuration.
pub async fn start<T: Tier>(
    mut base: Base,
    tier: Arc<T>,
    mut loaded: Loaded<T::Config>,
) -> Result<Running<T>, StartError> {
    let reloader = reloader(&mut base, &tier, &mut loaded.common)?;
    let (stop, store, auto_reload) = (base.stop.clone(), base.db.clone(), base.auto_reload);
    let intervals = Intervals::new(store.options().min_block_ms, base.sync_interval_ms);
    let (node, listener) = node(base, &reloader)?;
    let address = listener.local_addr().map_err(|e| StartError::other("cannot tell the listening address", e))?;
    let router = api::router(node.clone(), tier.routes().merge(reloader.alerting.routes()));
    let stop_http = CancellationToken::new();
    let server = tokio::spawn(api::serve(listener, router, stop_http.clone().cancelled_owned()));
    reloader.apply(loaded).await.map_err(|reason| StartError::other("cannot apply the configuration", reason))?;
    if let Some(interval) = auto_reload {
        tokio::spawn(reload_on_change(reloader.clone(), interval, stop.clone()));
    }
    let maintenance = tokio::spawn(maintenance::run(store, tier, intervals, stop.clone()));
    node.set_ready(true);
    tracing::info!(%address, tier = ?node.tier, "ready");
    Ok(Running { address, node, reloader, stop, stop_http, maintenance, server })
}

/// Everything that a configuration is handed to: alerting, rules, scraping.
fn reloader<T: Tier>(
    base: &mut Base,
    tier: &Arc<T>,
    common: &mut CommonConfig,
) -> Result<Arc<Reloader<T>>, StartError> {
    let Base { db, clock, registry, external_url, .. } = base;
    let evaluations = Arc::new(OnceLock::new());
    let works = health::of_node(evaluations.clone(), db.clone(), clock.clone());
    let discovery = base.discovery.clone();
    let alerting =
        Alerting::start(&mut common.alerting, &base.data_dir, clock, external_url, works, discovery, registry)?;
    let rule_options = rules::Options {
        engine: base.rule_engine.clone(),
        queryable: tier.queryable(),
        storage: db.clone(),
        notifier: alerting.notifier(),
        gate: tier.gate(),
        clock: clock.clone(),
        external_url: external_url.clone(),
        external_labels: common.global.external_labels.clone(),
    };
    let scrape_options = scrape::Options {
        clock: clock.clone(),
        storage: db.clone(),
        discovery: base.discovery.clone(),
        timestamp_tolerance_ms: TIMESTAMP_TOLERANCE_MS,
        store_metadata: base.store_metadata,
        store_start_zeros: base.store_start_zeros,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        placements: tier.sharding().map(|sharding| sharding.placements()),
        hostname: base.hostname.take(),
    };
    let scrape = scrape::Manager::new(scrape_options, registry)
        .map_err(|e| StartError::other("cannot start the threads that scrape", e))?;
    let rules = rules::Manager::new(rule_options, registry);
    let _ = evaluations.set(Arc::downgrade(&rules));
    Ok(Arc::new(Reloader {
        db: db.clone(),
        file: base.config_file.clone(),
        read: tokio::sync::Mutex::new(common.files.clone()),
        data_dir: base.data_dir.clone(),
        retention: base.retention,
        tier: tier.clone(),
        rules,
        scrape: Arc::new(scrape),
        alerting,
        books: base.books.clone(),
        text: Arc::new(ArcSwap::default()),
        clock: clock.clone(),
        metrics: ReloadMetrics::new(registry),
    }))
}

/// What the API tells of, and the socket it is told on.
fn node<T: Tier>(base: Base, reloader: &Arc<Reloader<T>>) -> Result<(Arc<Node>, TcpListener), StartError> {
    let listener = async_listener(base.listener).map_err(|e| StartError::other("cannot listen", e))?;
    let tier = &reloader.tier;
    let node = Node {
        tier: tier.kind(),
        queryable: tier.queryable(),
        exemplars: base.db.clone(),
        engine: base.engine,
        db: base.db,
        scrape: reloader.scrape.clone(),
        rules: reloader.rules.clone(),
        alertmanagers: reloader.alerting.alertmanagers(),
        sharding: tier.sharding(),
        hierarchy: tier.hierarchy(),
        consistency: tier.consistency(),
        readiness: readiness(tier.clone()),
        clock: base.clock,
        registry: Arc::new(Mutex::new(base.registry)),
        config_text: reloader.text.clone(),
        reload: reload(reloader.clone()),
        facts: base.facts,
        ready: AtomicBool::new(false),
        quit: CancellationToken::new(),
    };
    Ok((Arc::new(node), listener))
}

fn reload<T: Tier>(reloader: Arc<Reloader<T>>) -> api::Reload {
    Box::new(move || {
        let reloader = reloader.clone();
        Box::pin(async move { reloader.reload().await })
    })
}

/// Looks at the files of the configuration at intervals, and loads them where one has changed.
async fn reload_on_change<T: Tier>(reloader: Arc<Reloader<T>>, interval: Duration, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
        if let Err(reason) = reloader.reload_if_changed().await {
            tracing::error!("configuration not reloaded, the old one stays in force: {reason}");
        }
    }
}

fn readiness<T: Tier>(tier: Arc<T>) -> api::Readiness {
    Box::new(move || tier.readiness())
}

fn async_listener(listener: std::net::TcpListener) -> std::io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

impl<T: Tier> Running<T> {
    /// Where the node listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads the configuration anew; an error leaves the old one in force.
    pub async fn reload(&self) -> Result<(), String> {
        self.reloader.reload().await
    }

    /// Waits until somebody asks over HTTP for the node to stop.
    pub async fn quit_requested(&self) {
        self.node.quit.cancelled().await;
    }

    /// Stops the node: no new samples, what is pending delivered, requests under way answered, the database closed.
    pub async fn stop(self) {
        self.node.set_ready(false);
        self.stop.cancel();
        let Reloader { scrape, rules, tier, alerting, .. } = self.reloader.as_ref();
        within("scraping", scrape.shutdown()).await;
        within("the tier's own work", tier.shutdown()).await;
        within("rules", rules.shutdown()).await;
        within("alerting", alerting.shutdown()).await;
        self.stop_http.cancel();
        within("HTTP", async { drop(self.server.await) }).await;
        within("maintenance", async { drop(self.maintenance.await) }).await;
        let db = self.node.db.clone();
        match tokio::task::spawn_blocking(move || db.close()).await {
            Ok(Ok(())) => tracing::info!(address = %self.address, "stopped"),
            Ok(Err(error)) => tracing::error!(%error, "closing the database"),
            Err(error) => tracing::error!(%error, "closing the database"),
        }
    }
}

async fn within(what: &str, step: impl Future<Output = ()>) {
    if timeout(STEP_TIMEOUT, step).await.is_err() {
        tracing::warn!(what, "did not stop within {} s, going on without it", STEP_TIMEOUT.as_secs());
    }
}
