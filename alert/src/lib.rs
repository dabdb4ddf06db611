//! Alert delivery: routing, grouping, inhibition, silences, receivers, forwarding, and Alertmanager's API v2.
//!
//! It runs inside a shard, so that an alert needs nothing outside its cluster, and reads Alertmanager's configuration file.
//! No library does this; what is ours beyond Alertmanager's behaviour is that alerts and the log of what was told are
//! journalled, so that a kill -9 neither repeats a notification nor resolves an alert that still fires, and that the
//! instances of a pair share alerts and ask each other before they tell, so that both together tell once.
//!
//! Receivers other than webhooks, and time intervals, are not served yet; a configuration that asks for them is refused by
//! name.

mod alert;
mod alertmanager;
mod api;
mod attempt;
mod cluster_metrics;
mod dispatcher;
mod engine;
mod fanout;
mod feed;
mod fingerprint;
mod forward;
mod heartbeat;
mod inhibit;
mod journal;
mod lines;
mod loading;
mod local;
mod matcher_text;
mod metrics;
mod notification_log;
mod pair;
mod receiver;
mod route;
mod silence;
mod state;
mod store;
mod sync;
mod word;

pub use alertmanager::Alertmanager;
pub use engine::Options;
pub use fanout::{Fanout, Wiring};
pub use fingerprint::Fingerprint;
pub use forward::{Alerting, AlertmanagerConfig, Alertmanagers, Forwarder, RawAlerting};
pub use heartbeat::{Health, HeartbeatConfig, HeartbeatOptions, Heartbeats};
pub use journal::JournalError;
pub use loading::Config;
pub use local::LocalConfig;
pub use matcher_text::{MatcherError, parse_matchers};
pub use pair::{PairConfig, PeerConfig};
