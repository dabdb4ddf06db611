//! The global node: pulls the aggregates of all shards, keeps them in a bucket, answers for all clusters.
//!
//! What it adds to the frame of `daemon` is the pulling half of federation, the bucket behind the local database, and
//! what the hierarchy page shows. With a peer it is one of a pair: both pull
//! everything, and `pair` tells whether they hold the same. It decides no critical alert: shards do that. Retention and downsampling in
//! the bucket are not here yet and are refused by name.

mod alerts;
mod config_file;
mod global;
mod hierarchy;
mod pair;

pub use config_file::{GlobalOwnConfig, load};
pub use global::{Global, start};
