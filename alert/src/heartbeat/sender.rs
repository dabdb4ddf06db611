//! Sends heartbeats, one task for each.
//!
//! A heartbeat says that the node works, so it asks whether it does right before it is sent, and isn't sent otherwise. What
//! fails is tried again until the next one is due. Cancellation: at once, also in the middle of an attempt.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use config::chain;
use model::{Clock, Labels, Timestamp};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use crate::attempt::{SendError, judged};
use crate::fingerprint::Fingerprint;
use crate::heartbeat::definition::HeartbeatConfig;
use crate::heartbeat::metrics::{Metrics, To};

/// The wait before another attempt.
const RETRY: Duration = Duration::from_secs(1);
/// The name of the alert that a heartbeat carries: that of the alert which always fires, where people have one.
const NAME: &str = "Watchdog";

/// Whether the node works, or why it doesn't. It is asked on a thread of the runtime and must not wait.
pub type Health = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What heartbeats are given from outside.
#[derive(Clone)]
pub struct HeartbeatOptions {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where a person finds this node.
    pub external_url: String,
    /// Whether the node works.
    pub health: Health,
}

impl fmt::Debug for HeartbeatOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeartbeatOptions").field("external_url", &self.external_url).finish_non_exhaustive()
    }
}

/// The heartbeats of a node.
#[derive(Debug)]
pub struct Heartbeats {
    options: HeartbeatOptions,
    started_at: Timestamp,
    metrics: Metrics,
    tasks: Mutex<Vec<(To, JoinHandle<()>)>>,
}

/// One heartbeat.
#[derive(Debug)]
struct Heart {
    config: HeartbeatConfig,
    to: To,
    options: HeartbeatOptions,
    started_at: Timestamp,
    metrics: Metrics,
}

impl Heartbeats {
    /// None yet.
    pub fn new(options: HeartbeatOptions, registry: &mut Registry) -> Self {
        let started_at = options.clock.now();
        Heartbeats { options, started_at, metrics: Metrics::new(registry), tasks: Mutex::default() }
    }

    /// Puts these heartbeats in place of those before; each beats at once. Must be called within a tokio runtime.
    pub fn set(&self, configs: Vec<HeartbeatConfig>) {
        self.stop();
        let mut tasks = self.tasks.lock();
        for config in configs {
            let to = To { to: config.shown() };
            self.metrics.start_at_zero(&to);
            let (options, metrics) = (self.options.clone(), self.metrics.clone());
            let heart = Heart { config, to: to.clone(), options, started_at: self.started_at, metrics };
            tasks.push((to, tokio::spawn(heart.beat())));
        }
    }

    /// Ends all of them.
    pub fn stop(&self) {
        for (to, task) in self.tasks.lock().drain(..) {
            task.abort();
            self.metrics.forget(&to);
        }
    }
}

impl Drop for Heartbeats {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Heart {
    async fn beat(self) {
        let mut ticks = tokio::time::interval(self.config.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut ill, mut failing) = (false, false);
        loop {
            let due = ticks.tick().await;
            let health = (self.options.health)();
            match &health {
                Err(reason) if !ill => {
                    tracing::error!(to = self.to.to, reason, "heartbeats are withheld: the node doesn't work");
                }
                Ok(()) if ill => tracing::info!(to = self.to.to, "heartbeats are sent again: the node works"),
                _ => {}
            }
            ill = health.is_err();
            if ill {
                self.metrics.withheld.get_or_create(&self.to).inc();
                continue;
            }
            let outcome = self.send_until(due + self.config.interval).await;
            if let Err(e) = &outcome
                && !failing
            {
                tracing::error!(to = self.to.to, error = %e, "a heartbeat doesn't arrive");
            }
            failing = outcome.is_err();
        }
    }

    /// Attempts until it has arrived, is refused, or the next one is due.
    async fn send_until(&self, end: Instant) -> Result<(), SendError> {
        loop {
            let outcome = self.attempt().await;
            if outcome.is_ok() {
                self.metrics.sent.get_or_create(&self.to).inc();
                self.metrics.last_sent.get_or_create(&self.to).set(self.options.clock.now().as_secs_f64());
                return outcome;
            }
            self.metrics.failed.get_or_create(&self.to).inc();
            if matches!(outcome, Err(SendError::Refused(_))) || Instant::now() + RETRY >= end {
                return outcome;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn attempt(&self) -> Result<(), SendError> {
        let url = self.config.url.read().await?;
        let mut request = self.config.client.request(self.config.method.clone(), url.expose().clone());
        if matches!(self.config.method, Method::POST | Method::PUT) {
            request = request.body(self.message().to_string()).header(CONTENT_TYPE, "application/json");
        }
        let answer = request.send().await.map_err(|e| SendError::Retry(chain(&e)))?;
        judged("the receiver", answer.status())
    }

    /// A message that a receiver of Alertmanager's webhooks understands: of an alert that always fires. Beside its keys it
    /// has `node`, `time` and `nodeVersion`.
    fn message(&self) -> Value {
        let url = &self.options.external_url;
        let labels = Labels::from_pairs([("alertname", NAME), ("node", url.as_str())]);
        let annotations = json!({"summary": format!("{url} works")});
        let alert = json!({
            "status": "firing", "labels": &labels, "annotations": &annotations, "generatorURL": url,
            "startsAt": self.started_at.to_rfc3339(), "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": Fingerprint::of(&labels),
        });
        json!({
            "version": "4", "status": "firing", "receiver": "heartbeat", "externalURL": url, "truncatedAlerts": 0,
            "groupKey": format!("{{}}:{{alertname=\"{NAME}\"}}"), "groupLabels": {"alertname": NAME},
            "commonLabels": &labels, "commonAnnotations": &annotations, "alerts": [alert],
            "node": url, "time": self.options.clock.now().to_rfc3339(), "nodeVersion": env!("CARGO_PKG_VERSION"),
        })
    }
}
