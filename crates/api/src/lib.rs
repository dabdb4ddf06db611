//! HTTP as Prometheus speaks it: API v1, health, metrics, and the embedded UI, for every tier.
//!
//! A handler parses, makes one call into a room below, and encodes; failures are mapped to status codes in one place
//! (`envelope`). What is ours beside what is Prometheus's: `explain=true` on `/query` and `/query_range` adds `data.explain`, a tree of what
//! every node of the expression cost (`explain_json`). TLS and users (`web.yml`) are not here yet: a node listens where it is told to, in plain HTTP.

mod asker;
pub mod consistency;
mod envelope;
mod explain_json;
mod health;
pub mod hierarchy;
mod metrics;
mod node;
mod params;
mod query_stats;
mod result_json;
mod seconds;
mod server;
mod ui;
mod v1;

pub use envelope::{ApiError, ErrorType};
pub use metrics::metrics_response;
pub use node::{Alertmanagers, AlertmanagersOfNow, Facts, Node, Readiness, Reload, Tier};
pub use query_stats::QueryStatsJson;
pub use server::{router, serve};
