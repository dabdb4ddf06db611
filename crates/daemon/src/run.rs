//! Starting a node and stopping it in order.
//!
//! Start: alerting, rules, scraping, HTTP; ready when all of them run. Stop: first what brings samples in (scraping, the
//! tier's pulls, rules), then alerting with what it still has to deliver, then HTTP, and the database last. Every step
//! has a bound, so a hanging receiver doesn't hold the process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use api::Node;
use arc_swap::ArcSwap;
use model::Clock;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tsdb::Db;

use crate::alerting::Alerting;
use crate::base::Base;
use crate::error::StartError;
use crate::maintenance;
use crate::reload::{ReloadMetrics, Reloader};
use crate::tier::{Loaded, Tier};

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
pub async fn start<T: Tier>(base: Base, tier: Arc<T>, mut loaded: Loaded<T::Config>) -> Result<Running<T>, StartError> {
    let Base {
        db,
        engine,
        rule_engine,
        clock,
        mut registry,
        data_dir,
        external_url,
        stop,
        config_file,
        listener,
        facts,
        hostname,
        sync_interval_ms,
        store_metadata,
    } = base;
    let quit = CancellationToken::new();
    let common = &mut loaded.common;
    let alerting = Alerting::start(&mut common.alerting, &data_dir, &clock, &external_url, &mut registry)?;
    let rule_options = rules::Options {
        engine: rule_engine,
        queryable: tier.queryable(),
        storage: db.clone(),
        notifier: alerting.notifier(),
        clock: clock.clone(),
        external_url,
        external_labels: common.global.external_labels.clone(),
    };
    let rules = rules::Manager::new(rule_options, &mut registry);
    let scrape = Arc::new(scrape::Manager::new(scrape_options(&db, &clock, store_metadata, hostname), &mut registry));
    let reloader = Arc::new(Reloader {
        db: db.clone(),
        file: config_file,
        tier: tier.clone(),
        scrape: scrape.clone(),
        rules: rules.clone(),
        alerting: alerting.clone(),
        text: Arc::new(ArcSwap::default()),
        clock: clock.clone(),
        metrics: ReloadMetrics::new(&mut registry),
        busy: tokio::sync::Mutex::new(()),
    });
    let address = listener.local_addr().map_err(|e| StartError::other("cannot tell the listening address", e))?;
    let listener = async_listener(listener).map_err(|e| StartError::other(format!("cannot listen on {address}"), e))?;
    let node = Arc::new(Node {
        tier: tier.kind(),
        queryable: tier.queryable(),
        exemplars: db.clone(),
        engine,
        db: db.clone(),
        scrape,
        rules,
        hierarchy: tier.hierarchy(),
        clock,
        registry: Arc::new(Mutex::new(registry)),
        config_text: reloader.text.clone(),
        reload: reload(reloader.clone()),
        facts,
        ready: AtomicBool::new(false),
        quit,
    });
    let router = api::router(node.clone(), tier.routes().merge(alerting.routes()));
    let stop_http = CancellationToken::new();
    let server = tokio::spawn(api::serve(listener, router, stop_http.clone().cancelled_owned()));
    reloader.apply(loaded).await.map_err(|reason| StartError::other("cannot apply the configuration", reason))?;
    let maintenance = tokio::spawn(maintenance::run(db.clone(), tier, db.options().min_block_ms, stop.clone()));
    if sync_interval_ms > 0 {
        let every = Duration::from_millis(sync_interval_ms.unsigned_abs());
        tokio::spawn(maintenance::sync_log(db.clone(), every, stop.clone()));
    }
    node.set_ready(true);
    tracing::info!(%address, tier = ?node.tier, "ready");
    Ok(Running { address, node, reloader, stop, stop_http, maintenance, server })
}

fn scrape_options(
    db: &Arc<Db>,
    clock: &Arc<dyn Clock>,
    store_metadata: bool,
    hostname: Option<String>,
) -> scrape::Options {
    let timestamp_tolerance_ms = TIMESTAMP_TOLERANCE_MS;
    scrape::Options { clock: clock.clone(), storage: db.clone(), timestamp_tolerance_ms, store_metadata, hostname }
}

fn reload<T: Tier>(reloader: Arc<Reloader<T>>) -> api::Reload {
    Box::new(move || {
        let reloader = reloader.clone();
        Box::pin(async move { reloader.reload().await })
    })
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
