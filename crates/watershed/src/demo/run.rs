//! Starting the demo, telling where everything is, and stopping it.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::Router;
use daemon::{LogOptions, Options, Running, StorageConfig};
use futures::future::join_all;
use global::Global;
use model::{Clock, SystemClock};
use promql::EngineOptions;
use shard::Shard;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::files::{self, NodeFiles};
use super::plan::{Addresses, Plan, url};
use super::receiver;
use super::service::{self, Service};
use crate::arguments::DemoFlags;
use crate::command::registry;

/// Everything must have stopped after this long.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Short enough for a person to see blocks go to the bucket and come back from there.
const LOCAL_RETENTION_BLOCKS: i64 = 60;

/// Runs the demo until `stop` resolves.
pub(crate) async fn run(flags: &DemoFlags, stop: impl Future<Output = ()>) -> Result<()> {
    let temporary = match &flags.dir {
        Some(_) => None,
        None => Some(
            tempfile::Builder::new()
                .prefix("watershed-demo-")
                .tempdir()
                .context("cannot make a temporary directory")?,
        ),
    };
    let dir = match (&flags.dir, &temporary) {
        (Some(dir), _) => std::path::absolute(dir).with_context(|| format!("{} (--dir)", dir.display()))?,
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => bail!("no directory to write to"),
    };
    let Some(plan) = Plan::new(&dir, flags.port_base, flags.block_ms) else {
        bail!("--port-base {} leaves no room for the ports of the demo", flags.port_base);
    };
    let demo = Demo::start(&plan).await?;
    let addresses = plan.addresses();
    if let Some(file) = &flags.ready_file {
        write_ready_file(file, &addresses)?;
    }
    print_table(&addresses, &dir)?;
    stop.await;
    tracing::info!("stopping");
    if timeout(STOP_TIMEOUT, demo.stop()).await.is_err() {
        tracing::warn!("not everything stopped within {} s", STOP_TIMEOUT.as_secs());
    }
    Ok(())
}

struct Demo {
    shards: Vec<Running<Shard>>,
    globals: Vec<Running<Global>>,
    /// Ends services, receiver and the services' clients.
    stop: CancellationToken,
}

impl Demo {
    async fn start(plan: &Plan) -> Result<Self> {
        let stop = CancellationToken::new();
        serve(plan.receiver, receiver::router(), &stop)?;
        for cluster in &plan.clusters {
            let service = Service::new(cluster.service);
            service.listen().await.with_context(|| format!("cannot listen on {}", cluster.service))?;
            serve(cluster.control, service::control(service.clone()), &stop)?;
            tokio::spawn(service.send_requests(stop.clone()));
        }
        let (mut shards, mut globals) = (Vec::new(), Vec::new());
        for cluster in &plan.clusters {
            for shard in &cluster.shards {
                let node = files::write_shard(plan, cluster, shard)?;
                shards.push(shard::start(options(plan, node, shard.address)?).await?);
            }
        }
        for (number, address) in (1..).zip(&plan.globals) {
            let node = files::write_global(plan, number)?;
            globals.push(global::start(options(plan, node, *address)?).await?);
        }
        Ok(Demo { shards, globals, stop })
    }

    async fn stop(self) {
        self.stop.cancel();
        let shards = self.shards.into_iter().map(Running::stop);
        let globals = self.globals.into_iter().map(Running::stop);
        tokio::join!(join_all(globals), join_all(shards));
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address}: another --port-base may help"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn serve(address: SocketAddr, router: Router, stop: &CancellationToken) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(bind(address)?)?;
    tokio::spawn(api::serve(listener, router, stop.clone().cancelled_owned()));
    Ok(())
}

fn options(plan: &Plan, node: NodeFiles, address: SocketAddr) -> Result<Options> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Ok(Options {
        config_file: node.config,
        data_dir: node.data,
        listener: bind(address)?,
        external_url: url(address),
        retention_bytes: 0,
        agent: false,
        retention_ms: plan.block_ms.saturating_mul(LOCAL_RETENTION_BLOCKS),
        min_block_ms: plan.block_ms,
        max_block_ms: plan.block_ms,
        log: LogOptions::default(),
        auto_reload: None,
        storage: StorageConfig::default(),
        store_metadata: false,
        store_start_zeros: false,
        engine: EngineOptions::default(),
        lifecycle: true,
        admin: true,
        flags: [("demo".to_owned(), "true".to_owned())].into(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: option_env!("WATERSHED_REVISION").unwrap_or_default().to_owned(),
        hostname: None,
        registry: registry(clock.now()),
        clock,
    })
}

/// The file appears under its name only when it is complete.
fn write_ready_file(file: &Path, addresses: &Addresses) -> Result<()> {
    let temporary = file.with_extension("tmp");
    let json = serde_json::to_vec(addresses)?;
    fs::write(&temporary, json)
        .and_then(|()| fs::rename(&temporary, file))
        .with_context(|| format!("cannot write {} (--ready-file)", file.display()))
}

fn print_table(addresses: &Addresses, dir: &Path) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n  Watershed demo: two clusters, a shard pair each, a global pair\n")?;
    let mut row = |what: &str, url: &str, note: &str| writeln!(out, "  {what:<22} {url:<30} {note}");
    for (number, global) in (1..).zip(&addresses.globals) {
        row(&format!("global {number}"), global, "UI of the whole hierarchy")?;
    }
    for shard in &addresses.shards {
        row(&format!("shard {} {}", shard.cluster, shard.replica), &shard.url, "UI of the cluster")?;
    }
    for target in &addresses.targets {
        row(&format!("service {}", target.cluster), &target.url, "/metrics, /api/orders")?;
        row("  its control", &target.control, "POST /fail, /stop, /start")?;
    }
    row("notifications", &format!("{}/notifications", addresses.receiver), "what the alerts sent")?;
    row("bucket", &addresses.bucket.display().to_string(), "blocks of the globals")?;
    row("files", &dir.display().to_string(), "configuration and data of every node")?;
    if let Some(target) = addresses.targets.first() {
        writeln!(out, "\n  Break something:  curl -X POST {}/fail", target.control)?;
    }
    writeln!(out, "  Ctrl-C stops everything.\n")?;
    Ok(out.flush()?)
}
