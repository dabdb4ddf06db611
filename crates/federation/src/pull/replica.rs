//! The task of one replica: wait, pull, store, tell.
//!
//! Cancellation: a request that is under way is dropped; a transaction that has begun is finished. A crash between two
//! pulls loses what this process knows of the series: the next pull may bring samples again, which the storage refuses.

use std::sync::Arc;

use model::{Clock, STALE_NAN, Timestamp};
use parking_lot::Mutex;
use storage::{Appendable, Appender, CommitError};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::pull::fetch::{Body, PullError, fetch};
use crate::pull::ingest::{Brought, Ingest};
use crate::pull::metrics::{Metrics, ReplicaLabels};
use crate::pull::schedule::{phase_ms, wait};
use crate::pull::spec::ReplicaSpec;
use crate::pull::status::{ReplicaState, ReplicaStatus};

/// What is stored about each pull, as a Prometheus stores it about a scrape.
const REPORTS: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];

/// Pulls one replica.
pub(super) struct Replica {
    spec: Arc<ReplicaSpec>,
    clock: Arc<dyn Clock>,
    appendable: Arc<dyn Appendable>,
    metrics: Metrics,
    status: Arc<Mutex<ReplicaStatus>>,
    /// Made for the first pull, and again until it can be made.
    client: Option<reqwest::Client>,
    ingest: Ingest,
}

impl Replica {
    pub(super) fn new(
        spec: Arc<ReplicaSpec>,
        clock: Arc<dyn Clock>,
        appendable: Arc<dyn Appendable>,
        metrics: Metrics,
        status: Arc<Mutex<ReplicaStatus>>,
        ingest: Ingest,
    ) -> Self {
        Replica { spec, clock, appendable, metrics, status, client: None, ingest }
    }

    /// What is known of the replica's series, for a task that goes on with them.
    pub(super) fn into_ingest(self) -> Ingest {
        self.ingest
    }

    pub(super) fn metric_labels(&self) -> ReplicaLabels {
        ReplicaLabels { shard: self.spec.shard.clone(), replica: self.spec.instance() }
    }

    /// Pulls until it is stopped, then gives itself back.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Self {
        let phase_ms = phase_ms(&self.spec.shard, self.spec.url.as_str(), self.spec.interval_ms);
        loop {
            let pause = wait(self.clock.now(), phase_ms, self.spec.interval_ms);
            tokio::select! {
                () = stop.cancelled() => return self,
                () = sleep(pause) => {}
            }
            let (began, started) = (self.clock.now(), Instant::now());
            let fetched = tokio::select! {
                () = stop.cancelled() => return self,
                fetched = self.fetch() => fetched,
            };
            let protocol = fetched.as_ref().map(|body| body.protocol).ok();
            let stored = self.store(fetched, began, started).await;
            if let Some(protocol) = protocol {
                self.status.lock().protocol = protocol;
            }
            self.tell(stored, began, started);
        }
    }

    async fn fetch(&mut self) -> Result<Body, PullError> {
        let client = match &self.client {
            Some(client) => client,
            None => self.client.insert(self.spec.http.reqwest_client(self.spec.timeout)?),
        };
        fetch(client, &self.spec).await
    }

    /// Stores an answer, or that there was none, on a thread that may block.
    async fn store(
        &mut self,
        fetched: Result<Body, PullError>,
        began: Timestamp,
        started: Instant,
    ) -> Result<Brought, PullError> {
        let (spec, appendable) = (self.spec.clone(), self.appendable.clone());
        let mut ingest = std::mem::take(&mut self.ingest);
        let work = tokio::task::spawn_blocking(move || {
            let stored = store(&mut ingest, fetched, &spec, appendable.as_ref(), began, started);
            (ingest, stored)
        });
        let (ingest, stored) = work.await.map_err(|_| PullError::Aborted)?;
        self.ingest = ingest;
        stored
    }

    fn tell(&self, stored: Result<Brought, PullError>, began: Timestamp, started: Instant) {
        let elapsed = started.elapsed();
        let labels = self.metric_labels();
        let mut status = self.status.lock();
        status.last_pull = Some(began);
        status.last_pull_duration = elapsed;
        match stored {
            Ok(brought) => {
                self.metrics.success(
                    &labels,
                    began.as_secs_f64(),
                    elapsed.as_secs_f64(),
                    brought.appended,
                    brought.skipped,
                );
                status.state = ReplicaState::Up;
                status.last_error = None;
                status.last_pull_samples = brought.appended;
                status.newest_sample = status.newest_sample.max(brought.newest.map(Timestamp::from_ms));
                if let Some(value) = self.ingest.label_value(&self.spec.replica_labels) {
                    value.clone_into(&mut status.replica);
                }
            }
            Err(error) => {
                self.metrics.failure(&labels, elapsed.as_secs_f64());
                let error = error.chain();
                if status.state != ReplicaState::Down {
                    tracing::warn!(shard = %labels.shard, replica = %labels.replica, error, "replica can't be pulled");
                }
                status.state = ReplicaState::Down;
                status.last_pull_samples = 0;
                status.last_error = Some(error);
            }
        }
    }

    /// Ends the series of a replica that is no longer pulled.
    pub(super) fn end_series(&mut self, at: Timestamp) -> Result<(), CommitError> {
        let mut appender = self.appendable.appender();
        self.ingest.end_all(at, appender.as_mut());
        report(&self.spec, [STALE_NAN; REPORTS.len()], at, appender.as_mut());
        appender.commit()
    }
}

fn store(
    ingest: &mut Ingest,
    fetched: Result<Body, PullError>,
    spec: &ReplicaSpec,
    appendable: &dyn Appendable,
    began: Timestamp,
    started: Instant,
) -> Result<Brought, PullError> {
    let stored = fetched.and_then(Body::plain).and_then(|text| {
        let mut appender = appendable.appender();
        let brought = ingest.append(&text, began, appender.as_mut())?;
        let numbers = [brought.samples, brought.samples, brought.series_added].map(|count| count as f64);
        let values = [1.0, started.elapsed().as_secs_f64(), numbers[0], numbers[1], numbers[2]];
        report(spec, values, began, appender.as_mut());
        appender.commit()?;
        Ok(brought)
    });
    match &stored {
        Ok(_) => ingest.settle(),
        Err(_) => {
            ingest.abandon();
            let mut appender = appendable.appender();
            report(spec, [0.0, started.elapsed().as_secs_f64(), 0.0, 0.0, 0.0], began, appender.as_mut());
            appender.commit()?;
        }
    }
    stored
}

/// Appends what is known of the pull itself.
fn report(spec: &ReplicaSpec, values: [f64; REPORTS.len()], at: Timestamp, appender: &mut dyn Appender) {
    for (name, value) in REPORTS.iter().zip(values) {
        if let Err(error) = appender.append(&spec.report_labels(name), at, value) {
            tracing::debug!(%error, name, "series about a pull not stored");
        }
    }
}
