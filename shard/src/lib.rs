//! The shard: the edge daemon that scrapes, stores and alerts inside one cluster.
//!
//! What it adds to the frame of `daemon` is its configuration, a `prometheus.yml`, and `/federate`, by which globals pull its
//! aggregates, and sharing targets with other shards where one pair is too small for a cluster. Remote write and remote read are not here
//! yet and are refused by name.

mod alerts;
mod config_file;
mod pulls;
mod shard;

pub use config_file::load;
pub use shard::{Shard, start};
