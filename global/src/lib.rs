//! The global node: pulls the aggregates of all shards, keeps them in a bucket, answers for all clusters.
//!
//! What it adds to the frame of `daemon` is the pulling half of federation, the bucket behind the local database, and
//! what the hierarchy page shows. It decides no critical alert: shards do that. A `peer` to compare with, and retention
//! and downsampling in the bucket, are not here yet and are refused by name.

mod alerts;
mod config_file;
mod global;
mod hierarchy;

pub use config_file::{GlobalOwnConfig, load};
pub use global::{Global, start};
