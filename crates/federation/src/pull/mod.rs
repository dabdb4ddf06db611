//! The pulling half: who is pulled, when, how, and what becomes of it.

mod config;
mod error;
mod fetch;
mod follow;
mod ingest;
mod metrics;
#[cfg(test)]
mod mutations;
mod protocol;
mod puller;
mod replica;
mod schedule;
mod series;
mod spec;
mod status;

pub use config::{Config, RawConfig, ShardConfig};
pub use protocol::Protocol;
pub use puller::Puller;
pub use status::{ReplicaState, ReplicaStatus, ShardStatus};
