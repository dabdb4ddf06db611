//! The frame that every tier is built in: it opens the database, runs rules, alerting, scraping and HTTP, loads the
//! configuration anew, and stops everything in order.
//!
//! A tier brings what is its own through [`Tier`]: its configuration, what can be queried, what it serves besides the API. The
//! frame exists because a shard and a global differ in little else. It reads no samples and decides nothing about them.

mod alerting;
mod base;
mod built_in;
mod common_config;
mod error;
mod federate;
mod files_read;
mod health;
mod maintenance;
mod named_files;
mod options;
mod queries;
mod reload;
mod run;
mod runtime_config;
mod storage_config;
mod tier;

pub use alert::RawAlerting;
pub use alerting::AlertingConfig;
pub use base::Base;
pub use built_in::{BUILT_IN, BuiltIn, BuiltIns, Inhibited, RawBuiltIns};
pub use common_config::RawCommon;
pub use error::StartError;
pub use federate::federate;
pub use options::{LogOptions, Options};
pub use run::{Running, start};
pub use runtime_config::RawRuntime;
pub use storage_config::{RawStorage, StorageConfig};
pub use tier::{CommonConfig, Loaded, Tier};
pub use tsdb::WalCompression;
