//! What a person or the API sees of the rules: plain data, taken in one moment.

use std::time::Duration;

use model::{Labels, Timestamp};

/// A rule group as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupStatus {
    /// The group's name, unique within its file.
    pub name: String,
    /// The file it comes from, as the globs named it.
    pub file: String,
    /// How often it is evaluated, in milliseconds.
    pub interval_ms: i64,
    /// At most so many series or alerts per rule, 0 for no limit.
    pub limit: usize,
    /// Its rules in order.
    pub rules: Vec<RuleStatus>,
    /// How long the last evaluation took.
    pub evaluation_time: Duration,
    /// When the last evaluation began; `None` before the first.
    pub last_evaluation: Option<Timestamp>,
}

/// A rule as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleStatus {
    /// The recorded metric's or the alert's name.
    pub name: String,
    /// The expression.
    pub query: String,
    /// The labels it adds, the group's included, templates unexpanded.
    pub labels: Labels,
    /// How the last evaluation went.
    pub health: Health,
    /// Why the last evaluation failed, if it did.
    pub last_error: Option<String>,
    /// How long the last evaluation took.
    pub evaluation_time: Duration,
    /// When the last evaluation began; `None` before the first.
    pub last_evaluation: Option<Timestamp>,
    /// What an alerting rule has besides; `None` for a recording rule.
    pub alerting: Option<AlertingStatus>,
}

/// What an alerting rule has besides.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertingStatus {
    /// The worst state among its alerts.
    pub state: AlertState,
    /// How long an alert stays pending before it fires, in milliseconds.
    pub for_ms: i64,
    /// How long an alert keeps firing after its condition has ended, in milliseconds.
    pub keep_firing_for_ms: i64,
    /// The annotations, templates unexpanded.
    pub annotations: Labels,
    /// The pending and firing alerts, sorted by labels.
    pub alerts: Vec<AlertStatus>,
}

/// A pending or firing alert.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertStatus {
    /// What identifies it.
    pub labels: Labels,
    /// What is told about it, templates expanded.
    pub annotations: Labels,
    /// Pending or firing.
    pub state: AlertState,
    /// Since when its condition has held.
    pub active_at: Timestamp,
    /// Since when it has been firing only because of `keep_firing_for`.
    pub keep_firing_since: Option<Timestamp>,
    /// The expression's value at the last evaluation.
    pub value: f64,
}

/// The state of an alert; the greater, the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertState {
    /// Its condition doesn't hold, or holds no longer.
    Inactive,
    /// Its condition holds, not yet for long enough.
    Pending,
    /// It fires.
    Firing,
}

impl AlertState {
    /// `inactive`, `pending`, `firing`, as in the API and in the label `alertstate`.
    pub const fn as_str(self) -> &'static str {
        match self {
            AlertState::Inactive => "inactive",
            AlertState::Pending => "pending",
            AlertState::Firing => "firing",
        }
    }
}

/// How the last evaluation of a rule went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Health {
    /// There was none yet.
    Unknown,
    /// Well.
    Good,
    /// It failed.
    Bad,
}

impl Health {
    /// `unknown`, `ok`, `err`, as in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Health::Unknown => "unknown",
            Health::Good => "ok",
            Health::Bad => "err",
        }
    }
}
