//! A global in the frame of `daemon`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use api::consistency::Consistency;
use api::hierarchy::Hierarchy;
use async_trait::async_trait;
use axum::Router;
use bucket::{BucketView, Catalog, Cleaner, Location, Uploader, UploaderOptions, Windows};
use daemon::{Base, Loaded, Options, Running, StartError, Tier};
use federation::{Federate, Network, Puller, SystemNetwork};
use model::{Clock, Labels, Timestamp};
use parking_lot::Mutex;
use promql::ParseOptions;
use rules::Gate;
use scrape::GlobalConfig;
use storage::dedup::Dedup;
use storage::{Merge, Queryable};
use tokio::task::JoinHandle;
use tsdb::Db;

use crate::config_file::{self, GlobalOwnConfig};
use crate::hierarchy::HierarchyView;
use crate::pair::{self, PeerWatch, PullGate, Standings};

/// Where the indexes of bucket blocks are kept, below the data directory.
const INDEX_CACHE: &str = "bucket-cache";

/// What makes a node a global.
pub struct Global {
    /// What it is called if its file doesn't say.
    name: String,
    /// What it is called.
    own_name: String,
    /// What of PromQL rules may use.
    language: ParseOptions,
    db: Arc<Db>,
    puller: Arc<Puller>,
    bucket: Option<Bucket>,
    federate: Arc<Federate>,
    queryable: Arc<Dedup>,
    hierarchy: Arc<HierarchyView>,
    clock: Arc<dyn Clock>,
    peer: Arc<PeerWatch>,
    watch: Mutex<Option<JoinHandle<()>>>,
    /// By how much it may be behind and still be asked, in milliseconds.
    ready_within_ms: AtomicI64,
    /// Whether it has been ready since it started.
    was_ready: AtomicBool,
}

struct Bucket {
    location: Location,
    labels: Labels,
    uploader: Arc<Uploader>,
    view: Arc<BucketView>,
    cleaner: Cleaner,
}

/// Starts a global.
///
/// # Errors
/// The configuration is wrong, the database or the bucket can't be opened.
pub async fn start(mut options: Options) -> Result<Running<Global>, StartError> {
    let name = default_name(&options);
    let language = options.engine.language;
    let loaded = config_file::load(&options.config_file, &name, language)?;
    options.engine.subquery_step_ms = loaded.common.global.evaluation_interval_ms;
    options.storage = loaded.common.storage;
    let mut base = Base::open(options).await?;
    let bucket = match &loaded.own.bucket {
        Some(config) => Some(open_bucket(&mut base, &config.location, &loaded.common.global.external_labels)?),
        None => None,
    };
    let all: Arc<dyn Queryable> = match &bucket {
        Some(bucket) => Arc::new(Merge::new(vec![base.db.clone(), bucket.view.clone()])),
        None => base.db.clone(),
    };
    let queryable = Arc::new(Dedup::new(all, loaded.own.federation.replica_labels.clone()));
    let network: Arc<dyn Network> = Arc::new(SystemNetwork);
    let puller =
        Puller::new(base.clock.clone(), base.db.clone(), network.clone(), base.discovery.clone(), &mut base.registry);
    let hierarchy = Arc::new(HierarchyView {
        clock: base.clock.clone(),
        puller: puller.clone(),
        bucket: bucket.as_ref().map(|b| (b.location.clone(), b.uploader.clone(), b.view.clone())),
    });
    let federate = daemon::federate(&base, &loaded.common.global.external_labels);
    let name_of_own = loaded.own.federation.name.clone();
    let standings = Standings::new(name_of_own, base.clock.clone(), base.db.clone(), puller.clone());
    let peer = PeerWatch::new(Arc::new(standings), network, &mut base.registry);
    let watch = tokio::spawn(peer.clone().run(base.stop.clone()));
    let global = Arc::new(Global {
        name,
        own_name: loaded.own.federation.name.clone(),
        language,
        db: base.db.clone(),
        puller,
        bucket,
        federate,
        queryable,
        hierarchy,
        clock: base.clock.clone(),
        peer,
        watch: Mutex::new(Some(watch)),
        ready_within_ms: AtomicI64::new(loaded.own.federation.ready_within_ms),
        was_ready: AtomicBool::new(false),
    });
    daemon::start(base, global, loaded).await
}

/// The machine's name, or the address under which others reach the node.
fn default_name(options: &Options) -> String {
    let address = || options.listener.local_addr().map(|address| address.to_string()).unwrap_or_default();
    options.hostname.clone().unwrap_or_else(address)
}

fn open_bucket(base: &mut Base, location: &Location, labels: &Labels) -> Result<Bucket, StartError> {
    let store = bucket::open(location).map_err(|e| StartError::other("the bucket", e))?;
    let catalog = Arc::new(Catalog::new(store));
    let options = UploaderOptions::new(base.data_dir.clone(), labels.clone(), base.db.options().min_block_ms);
    let uploader = Uploader::new(catalog.clone(), options, base.clock.clone(), &mut base.registry);
    let cleaner = Cleaner::new(catalog.clone(), labels, base.clock.clone(), &mut base.registry);
    let view = BucketView::new(catalog, base.db.clone(), base.data_dir.join(INDEX_CACHE), &mut base.registry);
    let uploader = Arc::new(uploader);
    let knows = uploader.clone();
    let db = Arc::downgrade(&base.db);
    base.db.hold_blocks(move |block| db.upgrade().is_none_or(|db| !knows.is_uploaded(block, &db.blocks())));
    Ok(Bucket { location: location.clone(), labels: labels.clone(), uploader, view: Arc::new(view), cleaner })
}

#[async_trait]
impl Tier for Global {
    type Config = GlobalOwnConfig;

    fn kind(&self) -> api::Tier {
        api::Tier::Global
    }

    /// The bucket and the labels of its blocks are fixed while the process runs; a file that changes them is refused.
    fn load(&self, file: &Path) -> Result<Loaded<GlobalOwnConfig>, config::Errors> {
        let loaded = config_file::load(file, &self.name, self.language)?;
        let refuse = |message: &str| {
            let error = config::Error { file: file.to_owned(), line: 0, column: 0, message: message.to_owned() };
            Err(config::Errors::from(error))
        };
        if self.own_name != loaded.own.federation.name {
            return refuse("the name of a global is in its series and can't change while the node runs: restart it");
        }
        if self.bucket.as_ref().map(|bucket| &bucket.location)
            != loaded.own.bucket.as_ref().map(|config| &config.location)
        {
            return refuse("the bucket can't change while the node runs: restart it");
        }
        if self.bucket.as_ref().is_some_and(|bucket| bucket.labels != loaded.common.global.external_labels) {
            return refuse(
                "external_labels are written into uploaded blocks and can't change while the node runs: restart it",
            );
        }
        Ok(loaded)
    }

    async fn apply(&self, config: GlobalOwnConfig, global: &GlobalConfig) {
        self.federate.set_external_labels(global.external_labels.clone());
        self.ready_within_ms.store(config.federation.ready_within_ms, Ordering::Relaxed);
        self.queryable.set_replica_labels(config.federation.replica_labels.clone());
        if let (Some(bucket), Some(config)) = (&self.bucket, &config.bucket) {
            bucket.cleaner.set_delay(config.delete_delay_ms);
        }
        self.peer.set_peer(config.federation.peer.clone());
        self.puller.apply(config.federation, global.scrape_interval_ms, global.scrape_timeout_ms).await;
    }

    fn queryable(&self) -> Arc<dyn Queryable> {
        self.queryable.clone()
    }

    fn routes(&self) -> Router {
        federation::router(self.federate.clone())
    }

    fn hierarchy(&self) -> Option<Arc<dyn Hierarchy>> {
        Some(self.hierarchy.clone())
    }

    fn consistency(&self) -> Option<Arc<dyn Consistency>> {
        Some(self.peer.clone())
    }

    fn readiness(&self) -> Result<(), String> {
        let bound_ms = self.ready_within_ms.load(Ordering::Relaxed);
        let (was_ready, peer) = (self.was_ready.load(Ordering::Relaxed), self.peer.heard());
        pair::behind(&self.puller.status(), peer.as_ref(), bound_ms, was_ready, self.clock.now())?;
        self.was_ready.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn gate(&self) -> Option<Arc<dyn Gate>> {
        Some(Arc::new(PullGate(self.puller.clone())))
    }

    fn compacts(&self) -> bool {
        self.bucket.is_none()
    }

    async fn maintain(&self) {
        let Some(bucket) = &self.bucket else { return };
        let blocks = self.db.blocks();
        let source: Arc<dyn Queryable> = self.db.clone();
        let complete_until = pair::complete_until(&self.puller, self.clock.now()).unwrap_or(Timestamp::MIN);
        let replica_labels = self.queryable.replica_labels();
        let windows = Windows { source: &source, blocks: &blocks, replica_labels: &replica_labels, complete_until };
        if let Err(error) = bucket.uploader.sync(&windows).await {
            tracing::error!(error = error.chain(), "uploading blocks failed, will try again");
        }
        if let Err(error) = bucket.cleaner.clean().await {
            tracing::error!(error = error.chain(), "deleting from the bucket failed, will try again");
        }
        if let Err(error) = bucket.view.sync().await {
            tracing::error!(error = error.chain(), "looking into the bucket failed, will try again");
        }
    }

    async fn shutdown(&self) {
        self.puller.shutdown().await;
        let watch = self.watch.lock().take();
        if let Some(Err(error)) = match watch {
            Some(watch) => Some(watch.await),
            None => None,
        } {
            tracing::error!(%error, "watching the peer broke off");
        }
    }
}
