//! The pulling half: who is pulled, when, how, and what becomes of it.

mod config;
mod error;
mod fetch;
mod finding;
mod follow;
mod ingest;
mod metrics;
#[cfg(test)]
mod mutations;
mod network;
mod peer;
mod protocol;
mod puller;
mod replica;
mod report;
mod schedule;
mod series;
mod shard;
mod spec;
mod status;
mod url;

pub use config::{Config, RawConfig};
pub use finding::Finding;
pub use network::{HttpClient, Network, RequestError, SystemNetwork};
pub use peer::{PeerConfig, RawPeer};
pub use protocol::Protocol;
pub use puller::Puller;
pub use shard::ShardConfig;
pub use spec::GLOBAL_LABEL;
pub use status::{ReplicaState, ReplicaStatus, ShardStatus};
