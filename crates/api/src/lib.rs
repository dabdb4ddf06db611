//! HTTP as Prometheus speaks it: API v1, health, metrics, and the embedded UI, for every tier.
//!
//! A handler parses, makes one call into a room below, and encodes; failures are mapped to status codes in one place
//! (`envelope`). TLS and users (`web.yml`) are not here yet: a node listens where it is told to, in plain HTTP.

mod asker;
pub mod consistency;
mod envelope;
mod health;
pub mod hierarchy;
mod metrics;
mod node;
mod params;
mod result_json;
mod server;
mod ui;
mod v1;

pub use envelope::{ApiError, ErrorType};
pub use metrics::metrics_response;
pub use node::{Facts, Node, Readiness, Reload, Tier};
pub use server::{router, serve};
