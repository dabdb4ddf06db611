//! Asking the same again and again, each time for what is new.

use std::sync::Arc;
use std::time::Duration;

use config::chain;
use tokio::time::Instant;

use crate::consul::agent::{Agent, News, Subject};
use crate::patience::after_failures;

/// Where the questions about something stand.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) subject: Subject,
    /// The index of the last answer; 0 before the first.
    index: u64,
    failures: u32,
    /// The next question isn't asked before.
    rests_until: Option<Instant>,
}

impl Watch {
    /// Nothing was asked so far.
    pub(crate) fn new(subject: Subject) -> Self {
        Watch { subject, index: 0, failures: 0, rests_until: None }
    }

    /// Asks once. Nothing comes back where nothing is new, and where it failed, which is counted and told here. Dropping it ends the question.
    pub(crate) async fn ask(mut self, agent: Arc<Agent>, wait: Duration) -> (Watch, Option<News>) {
        if let Some(until) = self.rests_until {
            tokio::time::sleep_until(until).await;
        }
        let next = Instant::now() + agent.config.refresh_interval;
        let (rests_until, news) = match agent.ask(&self.subject, self.index, wait).await {
            Ok((index, news)) => {
                (self.index, self.failures) = (index, 0);
                (next, news)
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                agent.metrics.failures.inc();
                let retry = next.max(Instant::now() + after_failures(self.failures, &self.subject));
                tracing::error!(
                    error = %chain(&error), server = %agent.config.server.url, subject = ?self.subject,
                    retry_in = ?retry.saturating_duration_since(Instant::now()),
                    "Consul not asked, the last targets stay"
                );
                (retry, None)
            }
        };
        self.rests_until = Some(rests_until);
        (self, news)
    }
}
