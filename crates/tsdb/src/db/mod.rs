//! A data directory that is open.

mod blocks;
mod maintenance;
mod query;
mod snapshot;
mod state;

pub use maintenance::{Maintenance, MaintenanceError};
pub use state::Db;
