//! A shard in the frame of `daemon`.

use std::path::Path;
use std::sync::Arc;

use api::hierarchy::Hierarchy;
use async_trait::async_trait;
use axum::Router;
use daemon::{Base, Loaded, Options, Running, StartError, Tier};
use federation::Federate;
use parking_lot::Mutex;
use promql::ParseOptions;
use scrape::GlobalConfig;
use sharding::{Sharding, ShardingConfig};
use storage::Queryable;
use tokio::task::JoinHandle;
use tsdb::Db;

use crate::{config_file, pulls};

/// What makes a node a shard.
pub struct Shard {
    db: Arc<Db>,
    federate: Arc<Federate>,
    sharding: Arc<Sharding>,
    /// What of PromQL rules may use.
    language: ParseOptions,
    /// No rules, no queries.
    agent: bool,
    /// Stores when the shard was last pulled; ends with the node.
    watch: Mutex<Option<JoinHandle<()>>>,
}

/// Starts a shard.
///
/// # Errors
/// The configuration is wrong, or the database can't be opened.
pub async fn start(mut options: Options) -> Result<Running<Shard>, StartError> {
    let file = options.config_file.clone();
    let (language, agent) = (options.engine.language, options.agent);
    let Loaded { common, own, notes } = config_file::load(&file, language, agent)?;
    options.engine.subquery_step_ms = common.global.evaluation_interval_ms;
    options.storage = common.storage;
    let mut base = Base::open(options).await?;
    let federate = daemon::federate(&base, &common.global.external_labels);
    let watch = pulls::watch(federate.clone(), base.db.clone(), base.clock.clone(), base.stop.clone());
    let watch = Mutex::new(Some(tokio::spawn(watch)));
    let sharding = Sharding::new(own.as_ref(), base.discovery.clone(), &mut base.registry);
    let shard = Arc::new(Shard { db: base.db.clone(), federate, sharding, language, agent, watch });
    daemon::start(base, shard, Loaded { common, own, notes }).await
}

#[async_trait]
impl Tier for Shard {
    type Config = Option<ShardingConfig>;

    fn kind(&self) -> api::Tier {
        if self.agent { api::Tier::Agent } else { api::Tier::Shard }
    }

    fn load(&self, file: &Path) -> Result<Loaded<Self::Config>, config::Errors> {
        config_file::load(file, self.language, self.agent)
    }

    async fn apply(&self, sharding: Option<ShardingConfig>, global: &GlobalConfig) {
        self.sharding.set(sharding).await;
        self.federate.set_external_labels(global.external_labels.clone());
    }

    fn queryable(&self) -> Arc<dyn Queryable> {
        self.db.clone()
    }

    fn routes(&self) -> Router {
        federation::router(self.federate.clone())
    }

    fn hierarchy(&self) -> Option<Arc<dyn Hierarchy>> {
        None
    }

    fn sharding(&self) -> Option<Arc<Sharding>> {
        Some(self.sharding.clone())
    }

    async fn maintain(&self) {}

    async fn shutdown(&self) {
        self.sharding.shutdown().await;
        let watch = self.watch.lock().take();
        if let Some(Err(error)) = match watch {
            Some(watch) => Some(watch.await),
            None => None,
        } {
            tracing::error!(%error, "watching who pulls broke off");
        }
    }
}
