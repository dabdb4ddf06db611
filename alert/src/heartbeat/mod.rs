//! Heartbeats: a node that works calls a webhook again and again, so that its silence is an alarm (a dead man's switch).

mod definition;
mod metrics;
mod sender;

pub use definition::HeartbeatConfig;
pub(crate) use definition::RawHeartbeat;
pub use sender::{Health, HeartbeatOptions, Heartbeats};
