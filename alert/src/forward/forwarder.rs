//! Sends alerts to external Alertmanagers.
//!
//! Every Alertmanager has a queue and a task of its own, so one that is slow delays nobody else. What fails is kept
//! and tried again, where Prometheus drops it and waits for the rule to send it anew; what comes before discovery has
//! found an Alertmanager waits for the first. Cancellation: on [`Forwarder::shutdown`] every task makes one last attempt
//! for what waits, within a bound.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use config::chain;
use discovery::relabel::process;
use discovery::{Changes, Discovery, Environment};
use model::LabelsBuilder;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use reqwest::header::CONTENT_TYPE;
use rules::{Alert, Notifier};
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use crate::attempt::{SendError, judged};
use crate::forward::definition::{AlertmanagerConfig, shown};
use crate::forward::metrics::{Metrics, To};
use crate::forward::queue::{Batch, CAPACITY, Queue};

/// Whose sources they are, in the metrics of discovery.
const OWNER: &str = "alertmanagers";
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
    environment: Arc<Environment>,
    me: Weak<Forwarder>,
    /// The entries of the configuration, in its order.
    followed: tokio::sync::Mutex<Vec<Followed>>,
    /// The same entries, for those who bring alerts.
    doors: Mutex<Vec<Door>>,
}

/// An entry whose Alertmanagers are looked for.
#[derive(Debug)]
struct Followed {
    config: Arc<AlertmanagerConfig>,
    discovery: Discovery,
    _stop: DropGuard,
}

/// Where alerts go in for an entry's Alertmanagers.
#[derive(Debug)]
struct Door {
    config: Arc<AlertmanagerConfig>,
    workers: Vec<Worker>,
    /// What came while no Alertmanager was known.
    waiting: Queue,
    dropped: Vec<String>,
}

/// The queue and the task of one Alertmanager.
#[derive(Debug)]
struct Worker {
    url: Url,
    to: To,
    config: Arc<AlertmanagerConfig>,
    queue: Arc<Queue>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// The Alertmanagers of now, by the URLs that alerts are posted to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Alertmanagers {
    /// Those that get alerts.
    pub active: Vec<String>,
    /// Those that relabelling has dropped.
    pub dropped: Vec<String>,
}

/// What one task works with.
#[derive(Debug)]
struct Link {
    to: To,
    url: Url,
    config: Arc<AlertmanagerConfig>,
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
    pub fn new(environment: Arc<Environment>, registry: &mut Registry) -> Arc<Self> {
        let metrics = Metrics::new(registry);
        metrics.queue_capacity.set(i64::try_from(CAPACITY).unwrap_or(i64::MAX));
        Arc::new_cyclic(|me| Forwarder {
            metrics,
            environment,
            me: me.clone(),
            followed: tokio::sync::Mutex::default(),
            doors: Mutex::default(),
        })
    }

    /// Puts these Alertmanagers in place of those before; what waits for one that stays is kept. They come and go as they are found, until
    /// the next call. Must be called within a tokio runtime.
    pub async fn set(&self, alertmanagers: Vec<AlertmanagerConfig>) {
        let mut followed = self.followed.lock().await;
        followed.truncate(alertmanagers.len());
        for (at, config) in alertmanagers.into_iter().enumerate() {
            let sources = config.sources.clone();
            let config = Arc::new(config);
            if let Some(entry) = followed.get_mut(at) {
                entry.discovery.change(sources).await;
                entry.config = config;
            } else {
                let discovery = Discovery::start(OWNER, sources, self.environment.clone()).await;
                let stop = CancellationToken::new();
                tokio::spawn(follow(self.me.clone(), discovery.changes(), stop.clone()));
                followed.push(Followed { config, discovery, _stop: stop.drop_guard() });
            }
        }
        self.settle(&followed);
    }

    /// Sends to those that are known now.
    fn settle(&self, followed: &[Followed]) {
        let mut doors = self.doors.lock();
        let mut before = std::mem::take(&mut *doors);
        let mut workers: Vec<Worker> = before.iter_mut().flat_map(|door| door.workers.drain(..)).collect();
        let mut before = before.into_iter();
        for Followed { config, discovery, .. } in followed {
            let found = config.destinations(discovery.groups().iter().flat_map(|groups| groups.iter()));
            for reason in found.refused {
                tracing::error!(reason, "an Alertmanager that was found can't be reached");
            }
            let waiting = before.next().map(|door| door.waiting).unwrap_or_default();
            let dropped = found.dropped.iter().map(shown).collect();
            let mut door = Door { config: config.clone(), workers: Vec::new(), waiting, dropped };
            for url in found.kept {
                let known = workers.iter().position(|worker| worker.url == url).map(|at| workers.swap_remove(at));
                door.workers.push(match known {
                    Some(worker) if Arc::ptr_eq(&worker.config, config) => worker,
                    Some(worker) => {
                        worker.stop.cancel();
                        self.start(url, config, worker.queue)
                    }
                    None => self.start(url, config, Arc::default()),
                });
            }
            if !door.workers.is_empty() {
                let waited = door.waiting.take(CAPACITY);
                door.workers
                    .iter()
                    .for_each(|worker| self.queue(worker, waited.iter().map(|(_, alert)| alert.clone())));
            }
            doors.push(door);
        }
        let count: usize = doors.iter().map(|door| door.workers.len()).sum();
        self.metrics.discovered.set(i64::try_from(count).unwrap_or(i64::MAX));
        for gone in workers {
            gone.stop.cancel();
            self.metrics.forget(&gone.to);
        }
    }

    fn start(&self, url: Url, config: &Arc<AlertmanagerConfig>, queue: Arc<Queue>) -> Worker {
        let link = Link {
            to: To { alertmanager: shown(&url) },
            url: url.clone(),
            config: config.clone(),
            queue: queue.clone(),
            metrics: self.metrics.clone(),
            stop: CancellationToken::new(),
        };
        let (to, stop) = (link.to.clone(), link.stop.clone());
        Worker { url, to, config: config.clone(), queue, stop, task: tokio::spawn(link.run()) }
    }

    fn queue(&self, worker: &Worker, alerts: impl Iterator<Item = Alert>) {
        let dropped = worker.queue.push(alerts);
        self.metrics.dropped.get_or_create(&worker.to).inc_by(dropped);
        let length = i64::try_from(worker.queue.len()).unwrap_or(i64::MAX);
        self.metrics.queue_length.get_or_create(&worker.to).set(length);
    }

    /// Whom alerts go to.
    pub fn alertmanagers(&self) -> Alertmanagers {
        let doors = self.doors.lock();
        let active = doors.iter().flat_map(|door| &door.workers).map(|worker| worker.to.alertmanager.clone());
        let dropped = doors.iter().flat_map(|door| &door.dropped).cloned();
        Alertmanagers { active: active.collect(), dropped: dropped.collect() }
    }

    /// Makes a last attempt for what waits and ends.
    pub async fn shutdown(&self) {
        self.followed.lock().await.clear();
        let doors = std::mem::take(&mut *self.doors.lock());
        let waiting: usize = doors.iter().map(|door| door.waiting.len()).sum();
        if waiting > 0 {
            tracing::warn!(alerts = waiting, "alerts were still waiting for an Alertmanager to be found");
        }
        let workers: Vec<Worker> = doors.into_iter().flat_map(|door| door.workers).collect();
        workers.iter().for_each(|worker| worker.stop.cancel());
        let all = futures::future::join_all(workers.into_iter().map(|worker| worker.task));
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            tracing::warn!("alerts were still being forwarded when the time for stopping was up");
        }
    }
}

/// Takes up what is found, as it changes.
async fn follow(forwarder: Weak<Forwarder>, changes: Changes, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = changes.next() => {}
        }
        let Some(forwarder) = forwarder.upgrade() else { return };
        let followed = forwarder.followed.lock().await;
        // Whoever holds the lock while it is waited for may have stopped this.
        if !stop.is_cancelled() {
            forwarder.settle(&followed);
        }
    }
}

#[async_trait]
impl Notifier for Forwarder {
    async fn notify(&self, alerts: Vec<Alert>) {
        for door in self.doors.lock().iter() {
            // One that was recalled holds there for as long as was last said, and isn't news.
            let relabeled = alerts.iter().filter(|alert| !alert.recalled).filter_map(|alert| {
                let mut labels = LabelsBuilder::new(&alert.labels);
                let kept = process(&door.config.relabeling, &mut labels);
                let labels = labels.build();
                (kept && !labels.is_empty()).then(|| Alert { labels, ..alert.clone() })
            });
            if door.workers.is_empty() {
                self.metrics.dropped.get_or_create(&To::default()).inc_by(door.waiting.push(relabeled));
                continue;
            }
            let relabeled: Vec<Alert> = relabeled.collect();
            door.workers.iter().for_each(|worker| self.queue(worker, relabeled.iter().cloned()));
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
