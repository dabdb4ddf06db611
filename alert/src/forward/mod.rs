//! Forwarding to external Alertmanagers, as Prometheus does.

mod definition;
mod forwarder;
mod metrics;
mod queue;

pub use definition::{Alerting, AlertmanagerConfig, Destination, RawAlerting};
pub use forwarder::Forwarder;
