//! A data directory that is open.

mod attached;
mod blocks;
mod compaction;
mod delete;
mod feed;
mod jumps;
mod late;
mod loading;
mod maintenance;
mod plan;
mod query;
mod rescan;
mod retention;
mod shown;
mod snapshot;
mod state;
mod unopened;

pub use compaction::Compaction;
pub use maintenance::{Maintenance, MaintenanceError};
pub use state::Db;
