//! The task of one replica: wait, pull, store, tell.
//!
//! An answer by cursor may say that there is more already: then the next one is asked for at once, till all is there.
//!
//! Cancellation: a request that is under way is dropped; a transaction that has begun is finished. A crash between two
//! pulls loses what this process knows of the series: the next pull may bring samples again, which the storage refuses.

use std::sync::Arc;

use model::{Clock, Timestamp};
use parking_lot::Mutex;
use storage::{Appendable, CommitError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::pull::error::PullError;
use crate::pull::fetch::{Body, fetch};
use crate::pull::follow::FollowIngest;
use crate::pull::ingest::{Brought, Ingest};
use crate::pull::metrics::{Metrics, ReplicaLabels};
use crate::pull::network::{HttpClient, Network};
use crate::pull::protocol::Protocol;
use crate::pull::report::{self, Report};
use crate::pull::schedule::{phase_ms, wait};
use crate::pull::spec::ReplicaSpec;
use crate::pull::status::{ReplicaState, ReplicaStatus};
use crate::wire::Gap;

/// A replica that was pulled by cursor and answers so often with text has become another one.
const TEXTS_BELIEVED: u32 = 3;

/// What is known of a replica's series, by the way they came.
#[derive(Debug, Default)]
pub(super) struct Series {
    text: Ingest,
    follow: FollowIngest,
    /// How many answers came as text since the last one by cursor.
    texts: u32,
}

impl Series {
    /// Of a replica that this process has not pulled yet.
    pub(super) fn resume(appendable: &dyn Appendable, spec: &ReplicaSpec) -> Self {
        Series { follow: FollowIngest::resume(appendable, spec), ..Series::default() }
    }

    fn label_value(&self, names: &[String]) -> Option<&str> {
        self.follow.label_value(names).or_else(|| self.text.label_value(names))
    }
}

/// What came of a pull: of all its answers, if there were several.
#[derive(Debug, Clone, Copy, Default)]
struct Outcome {
    brought: Brought,
    protocol: Option<Protocol>,
    more: bool,
    gap: Option<Gap>,
    /// What the replica's clock showed.
    replica_now: Option<Timestamp>,
    /// How far the replica's clock is ahead of ours.
    ahead_ms: Option<i64>,
}

/// What the tasks of all replicas work with.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) appendable: Arc<dyn Appendable>,
    pub(super) network: Arc<dyn Network>,
    pub(super) metrics: Metrics,
    /// Says after each pull that there was one.
    pub(super) pulls: Arc<watch::Sender<()>>,
}

/// Pulls one replica.
pub(super) struct Replica {
    spec: Arc<ReplicaSpec>,
    shared: Shared,
    status: Arc<Mutex<ReplicaStatus>>,
    /// Made for the first pull, and again until it can be made.
    client: Option<Arc<dyn HttpClient>>,
    series: Series,
}

impl Replica {
    pub(super) fn new(
        spec: Arc<ReplicaSpec>,
        shared: Shared,
        status: Arc<Mutex<ReplicaStatus>>,
        series: Series,
    ) -> Self {
        Replica { spec, shared, status, client: None, series }
    }

    /// What is known of the replica's series, for a task that goes on with them.
    pub(super) fn into_series(self) -> Series {
        self.series
    }

    pub(super) fn metric_labels(&self) -> ReplicaLabels {
        ReplicaLabels { shard: self.spec.shard.clone(), replica: self.spec.instance() }
    }

    /// Pulls until it is stopped, then gives itself back.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Self {
        let phase_ms = phase_ms(&self.spec.shard, self.spec.url.as_str(), self.spec.interval_ms);
        loop {
            let pause = wait(self.shared.clock.now(), phase_ms, self.spec.interval_ms);
            tokio::select! {
                () = stop.cancelled() => return self,
                () = sleep(pause) => {}
            }
            let (began, started) = (self.shared.clock.now(), Instant::now());
            let mut all: Option<Outcome> = None;
            let stored = loop {
                let fetched = tokio::select! {
                    () = stop.cancelled() => return self,
                    fetched = self.fetch() => fetched,
                };
                match self.store(fetched, all.map(|all| all.brought), began, started).await {
                    Ok(outcome) => {
                        self.tell_answer(&outcome);
                        if !outcome.more {
                            break Ok(outcome);
                        }
                        all = Some(outcome);
                    }
                    Err(error) => break Err(error),
                }
            };
            self.tell(stored, began, started);
            self.shared.pulls.send_replace(());
        }
    }

    async fn fetch(&mut self) -> Result<Body, PullError> {
        let client = match &self.client {
            Some(client) => client,
            None => self.client.insert(self.shared.network.client(&self.spec.http, self.spec.timeout)?),
        };
        fetch(client.as_ref(), &self.spec, self.series.follow.standing(), self.shared.clock.now()).await
    }

    /// Stores an answer, or that there was none, on a thread that may block. `before` is what earlier answers of the pull have brought, if
    /// there were any.
    async fn store(
        &mut self,
        fetched: Result<Body, PullError>,
        before: Option<Brought>,
        began: Timestamp,
        started: Instant,
    ) -> Result<Outcome, PullError> {
        let (spec, appendable, clock) = (self.spec.clone(), self.shared.appendable.clone(), self.shared.clock.clone());
        let mut series = std::mem::take(&mut self.series);
        let came_at = clock.now();
        let (newest, ahead_ms) = {
            let status = self.status.lock();
            (status.newest_sample, status.clock_ahead_ms.unwrap_or(0))
        };
        let work = tokio::task::spawn_blocking(move || {
            let store = Store {
                spec: &spec,
                appendable: appendable.as_ref(),
                before: before.unwrap_or_default(),
                began,
                started,
                came_at,
                told_at: if before.is_none() { began } else { came_at },
                newest,
                ahead_ms,
            };
            let stored = store.store(&mut series, fetched);
            (series, stored)
        });
        let Ok((series, stored)) = work.await else {
            // What was known went with the thread. The cursor is noted.
            self.series = Series::resume(self.shared.appendable.as_ref(), &self.spec);
            return Err(PullError::Aborted);
        };
        self.series = series;
        stored
    }

    fn tell(&self, stored: Result<Outcome, PullError>, began: Timestamp, started: Instant) {
        let elapsed = started.elapsed();
        let labels = self.metric_labels();
        let mut status = self.status.lock();
        status.last_pull = Some(began);
        status.last_pull_duration = elapsed;
        match stored {
            Ok(Outcome { brought, replica_now, .. }) => {
                // A plain answer says nothing of the clock; samples that were made before it was asked for are in it.
                status.complete_until = replica_now.or(Some(began));
                status.current_at = Some(began);
                self.shared.metrics.success(
                    &labels,
                    began.as_secs_f64(),
                    elapsed.as_secs_f64(),
                    brought.appended,
                    brought.skipped,
                );
                status.state = ReplicaState::Up;
                status.last_error = None;
                status.last_pull_samples = brought.appended;
                if let Some(value) = self.series.label_value(&self.spec.replica_labels) {
                    value.clone_into(&mut status.replica);
                }
            }
            Err(error) => {
                self.shared.metrics.failure(&labels, elapsed.as_secs_f64());
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

    /// Takes note of an answer, whatever becomes of those after it: a backlog may take many.
    fn tell_answer(&self, outcome: &Outcome) {
        tracing::debug!(
            shard = %self.spec.shard, replica = %self.spec.instance(), samples = outcome.brought.samples,
            appended = outcome.brought.appended, newest = outcome.brought.newest, more = outcome.more,
            cursor = self.series.follow.standing().cursor(), "an answer is stored"
        );
        let mut status = self.status.lock();
        status.protocol = outcome.protocol.unwrap_or(status.protocol);
        status.clock_ahead_ms = outcome.ahead_ms;
        status.draining = outcome.more;
        self.series.follow.standing().cursor().clone_into(&mut status.cursor);
        status.newest_sample = status.newest_sample.max(outcome.brought.newest.map(Timestamp::from_ms));
        let Some(Gap { from, until }) = outcome.gap else { return };
        let labels = self.metric_labels();
        self.shared.metrics.gap(&labels, until.saturating_sub(from) as f64 / 1000.0);
        let (from, until) = (Timestamp::from_ms(from), Timestamp::from_ms(until));
        status.gap = Some((from, until));
        tracing::error!(
            shard = %labels.shard, replica = %labels.replica, %from, %until,
            "samples are missing: the replica had deleted them before they were pulled"
        );
    }

    /// Ends the series of a replica that is no longer pulled.
    pub(super) fn end_series(&mut self, at: Timestamp) -> Result<(), CommitError> {
        let mut appender = self.shared.appendable.appender();
        self.series.text.end_all(at, appender.as_mut());
        report::end(&self.spec, self.series.follow.external(), at, appender.as_mut());
        self.series.follow.end_all(at, &self.spec, appender.as_mut());
        appender.commit()
    }
}

/// Stores an answer.
struct Store<'a> {
    spec: &'a ReplicaSpec,
    appendable: &'a dyn Appendable,
    before: Brought,
    began: Timestamp,
    started: Instant,
    came_at: Timestamp,
    /// The time of what is told of this answer: one answer's is not that of another.
    told_at: Timestamp,
    /// The newest sample that earlier pulls have brought.
    newest: Option<Timestamp>,
    /// How far the replica's clock was ahead of ours.
    ahead_ms: i64,
}

impl Store<'_> {
    fn store(&self, series: &mut Series, fetched: Result<Body, PullError>) -> Result<Outcome, PullError> {
        let stored = fetched.and_then(|body| match body.protocol {
            Protocol::Text => {
                series.texts += 1;
                if series.follow.standing().has_cursor() && series.texts < TEXTS_BELIEVED {
                    return Err(PullError::Downgrade);
                }
                self.store_text(&mut series.text, body)
            }
            Protocol::Cursor => {
                series.texts = 0;
                self.store_followed(&mut series.follow, body)
            }
        });
        if stored.is_err() {
            let lag_seconds = self.lag_seconds(None, self.ahead_ms);
            let report = Report { seconds: self.seconds(), lag_seconds, ..Report::default() };
            let mut appender = self.appendable.appender();
            report.append(self.spec, series.follow.external(), self.told_at, appender.as_mut());
            appender.commit()?;
        }
        stored
    }

    fn store_text(&self, ingest: &mut Ingest, body: Body) -> Result<Outcome, PullError> {
        let store = |ingest: &mut Ingest| -> Result<Brought, PullError> {
            let text = body.plain()?;
            let mut appender = self.appendable.appender();
            let brought = ingest.append(&text, self.began, appender.as_mut())?;
            self.success(&brought, None).append(self.spec, &[], self.began, appender.as_mut());
            appender.commit()?;
            Ok(brought)
        };
        match store(ingest) {
            Ok(brought) => {
                ingest.settle();
                Ok(Outcome { brought, protocol: Some(Protocol::Text), ..Outcome::default() })
            }
            Err(error) => {
                ingest.abandon();
                Err(error)
            }
        }
    }

    fn store_followed(&self, ingest: &mut FollowIngest, body: Body) -> Result<Outcome, PullError> {
        let body = body.plain()?;
        let mut appender = self.appendable.appender();
        let followed = ingest.append(&body, self.spec, appender.as_mut())?;
        let brought = self.before.and(&followed.brought);
        let ahead_ms = followed.now.saturating_sub(self.came_at.as_ms());
        if followed.external != *ingest.external() {
            report::end(self.spec, ingest.external(), self.told_at, appender.as_mut());
        }
        let report = self.success(&brought, Some(ahead_ms));
        report.append(self.spec, &followed.external, self.told_at, appender.as_mut());
        appender.commit()?;
        let (more, gap, replica_now) = (followed.more, followed.gap, Some(Timestamp::from_ms(followed.now)));
        ingest.settle(followed);
        Ok(Outcome { brought, protocol: Some(Protocol::Cursor), more, gap, replica_now, ahead_ms: Some(ahead_ms) })
    }

    fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    fn success(&self, brought: &Brought, ahead_ms: Option<i64>) -> Report {
        Report {
            succeeded: true,
            seconds: self.seconds(),
            samples: brought.samples,
            series_added: brought.series_added,
            lag_seconds: self.lag_seconds(brought.newest, ahead_ms.unwrap_or(0)),
            clock_ahead_seconds: ahead_ms.map(|ms| ms as f64 / 1000.0),
        }
    }

    /// The age of the newest sample that any pull has brought, by the replica's clock.
    fn lag_seconds(&self, newest: Option<i64>, ahead_ms: i64) -> Option<f64> {
        let newest = self.newest.map(Timestamp::as_ms).max(newest)?;
        Some((self.came_at.as_ms() + ahead_ms - newest) as f64 / 1000.0)
    }
}
