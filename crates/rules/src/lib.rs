//! Rules: recording series, and alerts with their state.
//!
//! Rule files are Prometheus's ([`RuleSet::load`]), and so are the states of an alert, their times, their series and their
//! metrics. Four things differ, on purpose:
//! - A group is evaluated for times that are multiples of its interval, so both replicas of a pair give their results the
//!   same timestamps (`schedule`).
//! - A group's evaluation is one transaction; its later rules see the results of its earlier ones before anyone else
//!   does (`pending`).
//! - An alert that vanishes because its target's scrape failed is held for the lookback, not resolved (`missed`).
//! - The state of alerts is noted with the samples of the same transaction (`journal`), so an alert that fires, is kept or held firing, or has
//!   to be told that it is over is the same alert after a restart, however it came about; and it is decided about again once its
//!   targets have been scraped (`settled`). Without notes `ALERTS_FOR_STATE` is read back as in Prometheus, again where that fails, and
//!   over a reload in between.
//!
//! Unit tests of rules run the same groups over a storage in memory ([`unit_test`]).
//!
//! There is no library for any of this. Delivering alerts is behind [`Notifier`]; expressions are the business of `promql`,
//! samples that of `storage`. Relabelling and external labels are put on alerts by whoever delivers them.

mod alerts;
mod definition;
mod evaluate;
mod files;
mod gate;
mod group;
mod instance;
mod journal;
mod manager;
mod metrics;
mod missed;
mod notify;
mod pending;
mod position;
mod raw;
mod restore;
mod rule_state;
mod schedule;
mod settled;
mod shared;
mod status;
mod targets;
pub mod unit_test;
mod validate;
mod write;

pub use definition::{Alerting, Rule, RuleGroup, RuleKind, Text};
pub use files::RuleSet;
pub use gate::Gate;
pub use manager::{Manager, Options};
pub use notify::{Alert, Notifier};
pub use shared::Settings;
pub use status::{AlertState, AlertStatus, AlertingStatus, GroupStatus, Health, RuleStatus};
pub use validate::GroupDefaults;
