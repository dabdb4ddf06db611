//! What leaves a rule that fires: the alert, and the door it leaves by.

use async_trait::async_trait;
use model::{Labels, Timestamp};

/// An alert on its way to whoever delivers it: one firing or resolved instance of an alerting rule.
///
/// It is sent again and again while it fires. The sender says with `ends_at` how long the last word is good for, so an
/// alert whose sender has died resolves by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// What identifies the alert, `alertname` among them; external labels are not in it yet.
    pub labels: Labels,
    /// What is told about it.
    pub annotations: Labels,
    /// Since when it has been firing.
    pub starts_at: Timestamp,
    /// In the past or now: the alert is resolved since then. In the future: it fires, and counts as resolved from then on
    /// unless it is sent again before. `None`: it fires, and the receiver's own time-out applies.
    pub ends_at: Option<Timestamp>,
    /// Where a person sees the expression behind it.
    pub generator_url: String,
    /// It fired before a restart, and nothing that was scraped since then has told of it. Who holds it goes on to, to who doesn't it is no
    /// news: it may have been told meanwhile, by another replica or a time-out, that it is over.
    pub recalled: bool,
}

impl Alert {
    /// Whether the alert is over at `now`.
    pub fn is_resolved(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|ends_at| ends_at <= now)
    }
}

/// Takes alerts from rules. Called at the end of an evaluation with everything that is due to be sent; the rule group waits
/// for the answer, so an implementation queues (within a bound) and returns.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Takes alerts for delivery. There is no answer to give: what is lost is counted by the notifier, and what still fires
    /// is sent again after the resend delay.
    async fn notify(&self, alerts: Vec<Alert>);
}
