//! What a tier brings to the frame.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::consistency::Consistency;
use api::hierarchy::Hierarchy;
use async_trait::async_trait;
use axum::Router;
use config::Spanned;
use rules::Gate;
use scrape::{GlobalConfig, ScrapeConfig};
use sharding::Sharding;
use storage::Queryable;

use crate::alerting::AlertingConfig;
use crate::files_read::FilesRead;
use crate::storage_config::StorageConfig;

/// The sections that every tier's configuration has.
#[derive(Debug)]
pub struct CommonConfig {
    /// The file's text with secrets redacted, for the status page.
    pub text: String,
    /// The files that it was read from.
    pub(crate) files: FilesRead,
    /// `global:`
    pub global: GlobalConfig,
    /// `scrape_configs:`
    pub scrape: Vec<ScrapeConfig>,
    /// `rule_files:`, against the file that has them.
    pub rule_files: Vec<Spanned<PathBuf>>,
    /// What they say, read and checked.
    pub rules: rules::RuleSet,
    /// `alerting:`
    pub alerting: AlertingConfig,
    /// `storage:`
    pub storage: StorageConfig,
}

/// A configuration file, read and checked.
pub struct Loaded<C> {
    /// What the frame applies.
    pub common: CommonConfig,
    /// What the tier applies.
    pub own: C,
    /// What is taken and has no meaning here.
    pub notes: Vec<config::Error>,
}

/// What makes a shard a shard and a global a global.
#[async_trait]
pub trait Tier: Send + Sync + 'static {
    /// The sections that only this tier has.
    type Config: Send;

    /// Which tier it is.
    fn kind(&self) -> api::Tier;

    /// Reads and checks a configuration file with everything it names, changing nothing.
    fn load(&self, file: &Path) -> Result<Loaded<Self::Config>, config::Errors>;

    /// Puts the tier's own sections in force.
    async fn apply(&self, config: Self::Config, global: &GlobalConfig);

    /// Everything that can be asked.
    fn queryable(&self) -> Arc<dyn Queryable>;

    /// What the tier serves besides the API.
    fn routes(&self) -> Router;

    /// What the hierarchy page shows, if there is something below this tier.
    fn hierarchy(&self) -> Option<Arc<dyn Hierarchy>>;

    /// What tells whether it agrees with its peer, if it can have one.
    fn consistency(&self) -> Option<Arc<dyn Consistency>> {
        None
    }

    /// Why the tier should not be asked at present, for load balancers.
    fn readiness(&self) -> Result<(), String> {
        Ok(())
    }

    /// What rules wait for, where samples come later than they are made.
    fn gate(&self) -> Option<Arc<dyn Gate>> {
        None
    }

    /// Whether blocks may be compacted here. Not where they go into a bucket: there they lie as they were cut, and what is in it
    /// is compacted there.
    fn compacts(&self) -> bool {
        true
    }

    /// Who else scrapes this node's targets, if it can share them.
    fn sharding(&self) -> Option<Arc<Sharding>> {
        None
    }

    /// Called after each round of the database's maintenance, when blocks may have been cut.
    async fn maintain(&self);

    /// Stops the tier's own work. Samples may still be stored; the database is closed afterwards.
    async fn shutdown(&self);
}
