//! Forwarding to external Alertmanagers, as Prometheus does.

mod definition;
mod forwarder;
mod metrics;
mod queue;

pub use definition::{Alerting, AlertmanagerConfig, RawAlerting};
pub use forwarder::{Alertmanagers, Forwarder};
