//! Both books, as engines see them.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use model::{Clock, Timestamp};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use promql::{EndedQuery, QueryWatch};

use crate::queries::active::{self, ActiveQueries};
use crate::queries::log::QueryLog;
use crate::queries::metrics::QueryMetrics;

/// What is told of the queries of all engines of a node.
#[derive(Debug)]
pub(crate) struct Books {
    clock: Arc<dyn Clock>,
    /// `None` where the file can't be written.
    active: Option<Arc<ActiveQueries>>,
    log: ArcSwapOption<QueryLog>,
    /// Whether it was told that the log can't be written.
    is_told: AtomicBool,
    enabled: Gauge,
    failures: Counter,
    metrics: QueryMetrics,
}

impl Books {
    /// Opens the books in a data directory; says what ran when an earlier process died. At most `places` queries are noted at one time.
    pub(crate) fn open(folder: &Path, places: usize, clock: Arc<dyn Clock>, registry: &mut Registry) -> Arc<Self> {
        for active::Entry { query, seconds } in active::left(folder) {
            let since = Timestamp::from_ms(seconds.saturating_mul(1000)).to_rfc3339();
            tracing::warn!(query, since, "this query had not ended when the last run did");
        }
        let active = ActiveQueries::create(folder, places).inspect_err(|error| {
            tracing::warn!(%error, folder = %folder.display(), "cannot write queries.active: what runs is not noted");
        });
        let (enabled, failures) = (Gauge::default(), Counter::default());
        let name = "prometheus_engine_query_log_enabled";
        registry.register(name, "Whether queries are logged", enabled.clone());
        let name = "prometheus_engine_query_log_failures";
        registry.register(name, "Queries that could not be logged", failures.clone());
        let metrics = QueryMetrics::new(places, clock.clone(), registry);
        let (log, is_told) = (ArcSwapOption::empty(), AtomicBool::new(false));
        Arc::new(Books { clock, active: active.ok(), log, is_told, enabled, failures, metrics })
    }

    /// Opens a query log, if one is wanted.
    pub(crate) fn open_log(file: Option<&Path>) -> io::Result<Option<QueryLog>> {
        file.map(QueryLog::open).transpose()
    }

    /// Logs there from now on. The file before is closed, so that one that was moved away is let go.
    pub(crate) fn set_log(&self, log: Option<QueryLog>) {
        self.enabled.set(i64::from(log.is_some()));
        self.is_told.store(false, Ordering::Relaxed);
        self.log.store(log.map(Arc::new));
    }
}

impl QueryWatch for Books {
    fn began(&self, query: &str) -> Box<dyn Send> {
        let note = self.active.as_ref().and_then(|active| active.note(query, self.clock.now()));
        Box::new((note, self.metrics.began()))
    }

    fn counts_samples(&self) -> bool {
        self.log.load().is_some()
    }

    fn ended(&self, query: &EndedQuery<'_>) {
        self.metrics.ended(query);
        let log = self.log.load();
        let Some(log) = log.as_ref() else { return };
        if let Err(error) = log.add(query, self.clock.now()) {
            self.failures.inc();
            if !self.is_told.swap(true, Ordering::Relaxed) {
                tracing::error!(%error, "cannot write the query log; this is told once, and counted");
            }
        }
    }
}
