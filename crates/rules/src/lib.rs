//! Rule groups: recording rules, alerting rules and their state.

mod notify;
mod status;

pub use notify::{Alert, Notifier};
pub use status::{AlertState, AlertStatus, AlertingStatus, GroupStatus, Health, RuleStatus};
