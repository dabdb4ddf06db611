//! Sends alerts to external Alertmanagers.
//!
//! Every Alertmanager has a queue and a task of its own, so one that is slow delays nobody else. What fails is kept
//! and tried again, where Prometheus drops it and waits for the rule to send it anew. Cancellation: on
//! [`Forwarder::shutdown`] every task makes one last attempt for what waits, within a bound.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use config::chain;
use model::LabelsBuilder;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use reqwest::header::CONTENT_TYPE;
use rules::{Alert, Notifier};
use scrape::relabel::{RelabelConfig, process};
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::attempt::{SendError, judged};
use crate::forward::definition::AlertmanagerConfig;
use crate::forward::metrics::{Metrics, To};
use crate::forward::queue::{Batch, CAPACITY, Queue};

/// How many alerts go into one request.
const BATCH_MAX: usize = 64;
/// The waits after failed attempts: doubling between these.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// How long the last attempts may take at the end.
const DRAIN: Duration = Duration::from_secs(3);

/// Forwards alerts to external Alertmanagers, each of which gets all of them.
#[derive(Debug)]
pub struct Forwarder {
    metrics: Metrics,
    workers: Mutex<Vec<Worker>>,
}

/// The queue and the task of one Alertmanager.
#[derive(Debug)]
struct Worker {
    to: To,
    queue: Arc<Queue>,
    relabeling: Vec<RelabelConfig>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// What one task works with.
#[derive(Debug)]
struct Link {
    to: To,
    url: reqwest::Url,
    config: AlertmanagerConfig,
    queue: Arc<Queue>,
    metrics: Metrics,
    stop: CancellationToken,
}

/// An alert as the API takes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PostedAlert<'a> {
    labels: &'a model::Labels,
    annotations: &'a model::Labels,
    starts_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
    #[serde(rename = "generatorURL")]
    generator_url: &'a str,
}

impl Forwarder {
    /// A forwarder without Alertmanagers.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Metrics::new(registry);
        metrics.queue_capacity.set(i64::try_from(CAPACITY).unwrap_or(i64::MAX));
        Forwarder { metrics, workers: Mutex::default() }
    }

    /// Puts these Alertmanagers in place of those before; what waits for one that stays is kept. Must be called within a
    /// tokio runtime.
    pub fn set(&self, alertmanagers: &[AlertmanagerConfig]) {
        let mut workers = self.workers.lock();
        let old = std::mem::take(&mut *workers);
        for config in alertmanagers {
            for destination in &config.destinations {
                let to = To { alertmanager: destination.shown() };
                let queue = old.iter().find(|worker| worker.to == to).map(|worker| Arc::clone(&worker.queue));
                let link = Link {
                    to,
                    url: destination.url.clone(),
                    config: config.clone(),
                    queue: queue.unwrap_or_default(),
                    metrics: self.metrics.clone(),
                    stop: CancellationToken::new(),
                };
                workers.push(Worker {
                    to: link.to.clone(),
                    queue: Arc::clone(&link.queue),
                    relabeling: config.relabeling.clone(),
                    stop: link.stop.clone(),
                    task: tokio::spawn(link.run()),
                });
            }
        }
        self.metrics.discovered.set(i64::try_from(workers.len()).unwrap_or(i64::MAX));
        drop(workers);
        old.iter().for_each(|worker| worker.stop.cancel());
    }

    /// Makes a last attempt for what waits and ends.
    pub async fn shutdown(&self) {
        let workers = std::mem::take(&mut *self.workers.lock());
        workers.iter().for_each(|worker| worker.stop.cancel());
        let all = futures::future::join_all(workers.into_iter().map(|worker| worker.task));
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            tracing::warn!("alerts were still being forwarded when the time for stopping was up");
        }
    }
}

#[async_trait]
impl Notifier for Forwarder {
    async fn notify(&self, alerts: Vec<Alert>) {
        for worker in self.workers.lock().iter() {
            // One that was recalled holds there for as long as was last said, and isn't news.
            let relabeled = alerts.iter().filter(|alert| !alert.recalled).filter_map(|alert| {
                let mut labels = LabelsBuilder::new(&alert.labels);
                let kept = process(&worker.relabeling, &mut labels);
                let labels = labels.build();
                (kept && !labels.is_empty()).then(|| Alert { labels, ..alert.clone() })
            });
            let dropped = worker.queue.push(relabeled);
            self.metrics.dropped.get_or_create(&worker.to).inc_by(dropped);
            let length = i64::try_from(worker.queue.len()).unwrap_or(i64::MAX);
            self.metrics.queue_length.get_or_create(&worker.to).set(length);
        }
    }
}

impl Link {
    async fn run(self) {
        let mut wait = BACKOFF.0;
        loop {
            let batch = self.queue.take(BATCH_MAX);
            if batch.is_empty() {
                if self.stop.is_cancelled() {
                    return;
                }
                tokio::select! {
                    () = self.stop.cancelled() => {}
                    () = self.queue.wake.notified() => {}
                }
                continue;
            }
            let failed = self.send(batch, wait == BACKOFF.0).await;
            self.metrics.queue_length.get_or_create(&self.to).set(i64::try_from(self.queue.len()).unwrap_or(i64::MAX));
            if !failed {
                wait = BACKOFF.0;
            } else if self.stop.is_cancelled() {
                return;
            } else {
                tokio::select! {
                    () = self.stop.cancelled() => {}
                    () = tokio::time::sleep(wait) => {}
                }
                wait = (wait * 2).min(BACKOFF.1);
            }
        }
    }

    /// Sends a batch; whether it has to be tried again.
    async fn send(&self, batch: Batch, first_failure: bool) -> bool {
        let count = batch.len() as u64;
        let begun = Instant::now();
        let outcome = self.post(&batch).await;
        self.metrics.latency.get_or_create(&self.to).observe(begun.elapsed().as_secs_f64());
        let Err(error) = outcome else {
            self.metrics.sent.get_or_create(&self.to).inc_by(count);
            return false;
        };
        self.metrics.errors.get_or_create(&self.to).inc_by(count);
        let again = matches!(error, SendError::Retry(_));
        let dropped = if again { self.queue.put_back(batch) } else { count };
        self.metrics.dropped.get_or_create(&self.to).inc_by(dropped);
        if !again {
            tracing::error!(alertmanager = self.to.alertmanager, %error, count, "alerts were refused and dropped");
        } else if first_failure {
            tracing::warn!(alertmanager = self.to.alertmanager, %error, count, "alerts couldn't be forwarded, trying again");
        }
        again
    }

    async fn post(&self, batch: &Batch) -> Result<(), SendError> {
        let posted: Vec<PostedAlert<'_>> = batch.iter().map(|(_, alert)| posted(alert)).collect();
        let body = serde_json::to_vec(&posted).map_err(|e| SendError::Refused(e.to_string()))?;
        let request = self.config.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        let answer = request.send().await.map_err(|e| SendError::Retry(chain(&e)))?;
        judged("the Alertmanager", answer.status())
    }
}

fn posted(alert: &Alert) -> PostedAlert<'_> {
    PostedAlert {
        labels: &alert.labels,
        annotations: &alert.annotations,
        starts_at: alert.starts_at.to_rfc3339(),
        ends_at: alert.ends_at.map(|t| t.to_rfc3339()),
        generator_url: &alert.generator_url,
    }
}
