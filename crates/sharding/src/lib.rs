//! Sharing targets between shards: who scrapes what, and who takes over from one that is silent.
//!
//! Every shard knows all targets and all members. A target belongs to the first `replication_factor` members behind its place on a
//! [`Ring`] that serve; each shard works that out for itself, and nobody is told what to do. Members ask each other once a
//! second whether they are there ([`Word`]). Views may differ for a while, by a link that is cut or a list that is being rolled out. Then
//! a target is scraped by more shards than it needs, never by fewer: who doubts a member does its work as well, and who has just
//! started counts for others only once it has scraped all its targets (`docs/format/sharding.md`).
//!
//! The ring is a library's. There is no leader and nothing to agree on, so no library for that. What a target is, and scraping it,
//! is `scrape`'s; which notification is told by whom is `alert`'s.

mod assignment;
mod config;
mod members;
mod metrics;
mod ring;
mod sharding;
mod word;

pub use assignment::Assignment;
pub use config::{RawSharding, ShardingConfig};
pub use members::{MemberStatus, Standing};
pub use ring::Ring;
pub use sharding::{Sharding, Snapshot};
pub use word::{State, Word};
