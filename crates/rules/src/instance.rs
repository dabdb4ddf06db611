//! One alert of a rule: its times, from which its state follows, and what is told about it.

use model::{Labels, Timestamp};
use serde::{Deserialize, Serialize};

use crate::status::AlertState;

/// How long a resolved alert is kept for sending it again, in milliseconds.
const RESOLVED_RETENTION_MS: i64 = 15 * 60_000;

/// When what has happened to an alert. Everything else about it is found anew by the next evaluation, so these times are what a restart must
/// not lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Times {
    /// Since when its condition has held.
    pub(crate) active_at: Timestamp,
    /// When it began to fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fired_at: Option<Timestamp>,
    /// Since when it fires only because of `keep_firing_for`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) keep_firing_since: Option<Timestamp>,
    /// Since when it is held without its condition being known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) missed_since: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resolved_at: Option<Timestamp>,
}

impl Times {
    /// Those of an alert whose condition holds from now on.
    pub(crate) fn new(active_at: Timestamp) -> Self {
        Times { active_at, fired_at: None, keep_firing_since: None, missed_since: None, resolved_at: None }
    }

    /// The state that follows from them.
    pub(crate) fn state(&self) -> AlertState {
        match (self.fired_at, self.resolved_at) {
            (_, Some(_)) => AlertState::Inactive,
            (Some(_), None) => AlertState::Firing,
            (None, None) => AlertState::Pending,
        }
    }

    /// Whether it ended too long ago to be told again.
    pub(crate) fn is_forgotten(&self, time: Timestamp) -> bool {
        self.resolved_at.is_some_and(|resolved_at| time - resolved_at > RESOLVED_RETENTION_MS)
    }
}

/// One alert.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Instance {
    pub(crate) annotations: Labels,
    pub(crate) value: f64,
    pub(crate) times: Times,
    pub(crate) last_sent_at: Option<Timestamp>,
    /// It was noted before a restart, and nothing that was scraped since then has told of it.
    pub(crate) recalled: bool,
}

/// What becomes of an alert whose condition no longer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Kept,
    Forgotten,
}

impl Instance {
    /// An alert whose condition holds from `time` on.
    pub(crate) fn new(annotations: Labels, value: f64, time: Timestamp) -> Self {
        Instance { annotations, value, times: Times::new(time), last_sent_at: None, recalled: false }
    }

    /// Whether it pends or fires.
    pub(crate) fn is_active(&self) -> bool {
        self.times.state() != AlertState::Inactive
    }

    /// Its condition is not known at `time`.
    pub(crate) fn miss(&mut self, time: Timestamp) {
        self.times.missed_since.get_or_insert(time);
    }

    /// Its condition no longer holds.
    pub(crate) fn end(&mut self, time: Timestamp, keep_firing_for_ms: i64) -> Fate {
        (self.times.missed_since, self.recalled) = (None, false);
        match self.times.state() {
            AlertState::Pending => return Fate::Forgotten,
            AlertState::Firing => {
                if keep_firing_for_ms > 0 {
                    let since = *self.times.keep_firing_since.get_or_insert(time);
                    if time - since < keep_firing_for_ms {
                        return Fate::Kept;
                    }
                }
                self.times.resolved_at = Some(time);
            }
            AlertState::Inactive if self.times.is_forgotten(time) => return Fate::Forgotten,
            AlertState::Inactive => {}
        }
        Fate::Kept
    }

    /// Whether it has to be sent at `time`, for the first time or again.
    pub(crate) fn needs_sending(&self, time: Timestamp, resend_delay_ms: i64) -> bool {
        if self.times.state() == AlertState::Pending {
            return false;
        }
        let Some(sent) = self.last_sent_at else { return true };
        self.times.resolved_at.is_some_and(|resolved| resolved > sent) || sent + resend_delay_ms < time
    }
}
