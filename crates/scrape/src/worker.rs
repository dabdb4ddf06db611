//! One scrape: fetch, append, report.
//!
//! Ordering: everything that a scrape brings, its stale markers and its report are one transaction. Where the exposition is
//! refused, its samples are rolled back and a second transaction has the stale markers and the report only.
//! Cancellation: dropping [`Worker::scrape`] while it waits for the target leaves nothing behind; the rest doesn't wait.

use std::sync::Arc;
use std::time::Duration;

use model::{LabelsScratch, Timestamp};
use storage::Appender;
use tokio::time::Instant;

use crate::body::BodyError;
use crate::client::FetchError;
use crate::connection::Resting;
use crate::failure_log::Failure;
use crate::ingest::{Counts, CreatedTimes, Ingest, IngestError, append_stale};
use crate::job::{Health, LastScrape, Plan, Shared, TargetState};
use crate::protocols::format_of;
use crate::report::{ReportSeries, ScrapeReport};
use crate::series_cache::SeriesCache;

/// What the network brought.
enum Fetched {
    Body {
        content_type: Option<String>,
    },
    Failed {
        reason: String,
        is_body_limit: bool,
    },
    /// Nothing was asked for.
    Forbidden {
        reason: String,
    },
}

/// Scrapes one target again and again.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    state: Arc<TargetState>,
    plan: Arc<Plan>,
    connection: Option<Resting>,
    cache: SeriesCache,
    scratch: LabelsScratch,
    /// Where zeros are stored at the times since when metrics count.
    created: Option<CreatedTimes>,
    report: ReportSeries,
    last_start: Option<Timestamp>,
    /// Whether the last scrape skipped samples: said once, not at each scrape.
    has_skipped: bool,
    is_reported: bool,
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, state: Arc<TargetState>) -> Self {
        let plan = state.plan.load_full();
        Worker {
            report: ReportSeries::new(&plan.target.labels),
            created: shared.store_start_zeros.then(CreatedTimes::default),
            shared,
            state,
            plan,
            connection: None,
            cache: SeriesCache::default(),
            scratch: LabelsScratch::default(),
            last_start: None,
            has_skipped: false,
            is_reported: false,
        }
    }

    /// Scrapes the target; its samples get `time` unless they have their own.
    pub(crate) async fn scrape(&mut self, time: Timestamp) {
        self.take_plan();
        if let Some(last) = self.last_start.replace(time) {
            self.shared.metrics.interval_length.observe((time - last) as f64 / 1000.0);
        }
        let start = Instant::now();
        let mut buffer = self.shared.buffers.take();
        let fetched = self.fetch(&mut buffer).await;
        let duration = start.elapsed();
        self.store(&buffer, fetched, time, duration);
        self.shared.buffers.give(buffer);
    }

    async fn fetch(&mut self, buffer: &mut Vec<u8>) -> Fetched {
        let Plan { job, target } = &*self.plan;
        if let Some(reason) = job.forced_error.load_full() {
            return Fetched::Forbidden { reason: reason.to_string() };
        }
        match job.client.fetch(&job.config, target, &mut self.connection, buffer).await {
            Ok(content_type) => Fetched::Body { content_type },
            Err(error) => {
                let is_body_limit = matches!(error, FetchError::Body(BodyError::Limit(_) | BodyError::Bound));
                if is_body_limit {
                    self.shared.metrics.body_size_limit.inc();
                }
                Fetched::Failed { reason: error.to_string(), is_body_limit }
            }
        }
    }

    /// Takes over a changed configuration. Rules that read the lines differently make the cache worthless.
    fn take_plan(&mut self) {
        let plan = self.state.plan.load_full();
        if Arc::ptr_eq(&plan, &self.plan) {
            return;
        }
        let (old, new) = (&self.plan.job.config, &plan.job.config);
        if old.metric_relabel_configs != new.metric_relabel_configs
            || old.honor_labels != new.honor_labels
            || old.limits != new.limits
            || old.names != new.names
            || self.plan.target.histograms != plan.target.histograms
        {
            self.cache.forget_lines();
        }
        if !Arc::ptr_eq(&plan.job, &self.plan.job) {
            self.connection = None; // certificates may have changed
        }
        self.plan = plan;
    }

    fn store(&mut self, body: &[u8], fetched: Fetched, time: Timestamp, duration: Duration) {
        let plan = Arc::clone(&self.plan);
        let config = &plan.job.config;
        let mut counts = Counts::default();
        let mut appender = self.shared.storage.appender();
        self.cache.begin();
        let is_logged = !matches!(fetched, Fetched::Forbidden { .. });
        let (error, body_bytes) = match fetched {
            Fetched::Failed { reason, is_body_limit } => (Some(reason), if is_body_limit { -1 } else { 0 }),
            Fetched::Forbidden { reason } => (Some(reason), 0),
            Fetched::Body { content_type } => {
                let result = self.ingest(&mut *appender, body, content_type.as_deref(), time, &mut counts);
                (result.err(), i64::try_from(body.len()).unwrap_or(i64::MAX))
            }
        };
        let ended = match &error {
            None => self.cache.finish(),
            Some(_) => {
                appender.rollback();
                appender = self.shared.storage.appender();
                self.cache.fail()
            }
        };
        append_stale(&mut *appender, &ended, time);
        let report = ScrapeReport {
            is_up: error.is_none(),
            duration_seconds: duration.as_secs_f64(),
            scraped: counts.scraped,
            kept: counts.kept,
            added: if error.is_none() { counts.added } else { 0 },
            timeout_ms: plan.target.timeout_ms,
            body_bytes,
        };
        self.report.append(&mut *appender, time, &report, config);
        self.is_reported = true;
        if let Some(reason) = error.as_deref().filter(|_| is_logged) {
            self.log_failure(reason);
        }
        let error = match appender.commit() {
            Ok(()) => error,
            Err(e) => {
                self.cache.forget_starts();
                Some(config::chain(&e))
            }
        };
        self.tell(&counts, error, time, duration);
    }

    /// Appends what a body has; an empty one has nothing, of whatever type it is.
    fn ingest(
        &mut self,
        appender: &mut dyn Appender,
        body: &[u8],
        content_type: Option<&str>,
        time: Timestamp,
        counts: &mut Counts,
    ) -> Result<(), String> {
        if body.is_empty() {
            return Ok(());
        }
        let Plan { job, target } = &*self.plan;
        let format = format_of(content_type, job.config.fallback_protocol)?;
        let result = Ingest {
            config: &job.config,
            forms: target.histograms,
            labels: &target.labels,
            cache: &mut self.cache,
            scratch: &mut self.scratch,
            metadata: &mut self.state.metadata.lock(),
            appender,
            time,
            counts,
            created: self.created.as_mut(),
            exemplars: Vec::new(),
        }
        .run(format, body);
        result.map_err(|error| self.refused(&error))
    }

    /// Notes a failed scrape in the job's log, if it has one.
    fn log_failure(&self, reason: &str) {
        let Plan { job, target } = &*self.plan;
        let config = &job.config;
        if let Some(path) = &config.scrape_failure_log_file {
            let time = self.shared.clock.now();
            let failure = Failure { time, job: &config.job_name, target: target.url.as_str(), reason };
            self.shared.failure_logs.add(path, failure);
        }
    }

    fn refused(&self, error: &IngestError) -> String {
        match error {
            IngestError::SampleLimit(_) => self.shared.metrics.sample_limit.inc(),
            IngestError::BucketLimit(_) => self.shared.metrics.bucket_limit.inc(),
            IngestError::LabelLimit { .. } => self.shared.metrics.label_limits.inc(),
            IngestError::Parse(_) | IngestError::Decode(_) | IngestError::Series { .. } => 0,
        };
        error.to_string()
    }

    /// Metrics, log and the target's page.
    fn tell(&mut self, counts: &Counts, error: Option<String>, time: Timestamp, duration: Duration) {
        let metrics = &self.shared.metrics;
        metrics.scrapes.inc();
        metrics.failed.inc_by(u64::from(error.is_some()));
        metrics.out_of_order.inc_by(counts.out_of_order);
        metrics.duplicate.inc_by(counts.duplicate);
        metrics.out_of_bounds.inc_by(counts.out_of_bounds);
        metrics.exemplars_out_of_order.inc_by(counts.exemplars_out_of_order);
        let skipped = counts.out_of_order + counts.duplicate + counts.out_of_bounds;
        let url = self.plan.target.url.as_str();
        if skipped > 0 && !self.has_skipped {
            tracing::warn!(
                target = url,
                out_of_order = counts.out_of_order,
                duplicate = counts.duplicate,
                out_of_bounds = counts.out_of_bounds,
                "samples of a target skipped"
            );
        }
        self.has_skipped = skipped > 0;
        let mut last = self.state.last.lock();
        let health = if error.is_none() { Health::Up } else { Health::Down };
        let error = error.unwrap_or_default();
        if health == Health::Down && last.health != Health::Down {
            tracing::warn!(target = url, job = %self.plan.job.config.job_name, error, "scrape failed");
        }
        *last = LastScrape {
            health,
            error,
            time: Some(time),
            duration_seconds: duration.as_secs_f64(),
            cached_series: self.cache.len(),
        };
    }

    /// Ends all series of a target that is gone, as of `time`. What another target has brought since then stays.
    pub(crate) fn end(&mut self, time: Timestamp) {
        if !self.is_reported {
            return;
        }
        let mut appender = self.shared.storage.appender();
        append_stale(&mut *appender, &self.cache.fail(), time);
        self.report.append_stale(&mut *appender, time, &self.plan.job.config);
        if let Err(error) = appender.commit() {
            tracing::error!(%error, target = %self.plan.target.url, "cannot store the stale markers of a target");
        }
    }
}
