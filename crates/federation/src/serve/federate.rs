//! What `/federate` answers, without HTTP.

use std::collections::BTreeSet;
use std::sync::Arc;

use exposition::text::Escaping;
use futures::future::try_join_all;
use model::{Clock, Labels, Matcher, TimeRange};
use parking_lot::{Mutex, RwLock};
use storage::{QueryError, QueryErrorKind, Queryable, SelectRequest, merge_sets};

use crate::serve::encode::Pieces;
use crate::serve::newest::newest_samples;

/// A sample is current for so long, as in Prometheus.
const LOOKBACK_MS: i64 = 5 * 60_000;

type ParseSelector = dyn Fn(&str) -> Result<Vec<Matcher>, String> + Send + Sync;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FederateError {
    /// A `match[]` is no selector.
    #[error("{0}")]
    Selector(String),
    /// The storage can't answer.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The work broke off.
    #[error("collecting samples broke off")]
    Aborted(#[from] tokio::task::JoinError),
}

impl FederateError {
    /// What a client should do about it.
    pub fn kind(&self) -> QueryErrorKind {
        match self {
            FederateError::Selector(_) => QueryErrorKind::Input,
            FederateError::Query(error) => error.kind,
            FederateError::Aborted(_) => QueryErrorKind::Retry,
        }
    }
}

/// The serving half of federation.
pub struct Federate {
    queryable: Arc<dyn Queryable>,
    clock: Arc<dyn Clock>,
    parse_selector: Box<ParseSelector>,
    external: RwLock<Labels>,
    /// Metrics that the log says are not federated.
    told: Mutex<BTreeSet<String>>,
}

impl Federate {
    /// Answers from `queryable`; `parse_selector` reads a `match[]`, and its error goes to the client.
    pub fn new(
        queryable: Arc<dyn Queryable>,
        clock: Arc<dyn Clock>,
        parse_selector: impl Fn(&str) -> Result<Vec<Matcher>, String> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let external = RwLock::new(Labels::empty());
        let told = Mutex::default();
        Arc::new(Federate { queryable, clock, parse_selector: Box::new(parse_selector), external, told })
    }

    /// Sets the labels that every series gets that doesn't have them, from the next answer on.
    pub fn set_external_labels(&self, labels: Labels) {
        *self.external.write() = labels;
    }

    /// The newest sample of every series that one of the selectors matches, as text in pieces. All samples are collected when
    /// this returns, so an answer that has begun doesn't fail.
    pub(super) async fn answer(&self, selectors: &[String], escaping: Escaping) -> Result<Pieces, FederateError> {
        let now = self.clock.now();
        let range = TimeRange::new(now.saturating_sub(LOOKBACK_MS), now);
        let requests = selectors
            .iter()
            .map(|selector| Ok(SelectRequest::new((self.parse_selector)(selector)?, range)))
            .collect::<Result<Vec<_>, String>>()
            .map_err(FederateError::Selector)?;
        let sets = try_join_all(requests.iter().map(|request| self.queryable.select(request))).await?;
        let current = tokio::task::spawn_blocking(move || newest_samples(merge_sets(sets, 0), range)).await??;
        self.tell_histograms(current.histograms);
        let external = self.external.read().clone();
        Ok(Pieces::new(current.samples, &external, escaping))
    }

    /// Says once of each metric that it is not federated.
    fn tell_histograms(&self, metrics: BTreeSet<String>) {
        if metrics.is_empty() {
            return;
        }
        let mut told = self.told.lock();
        for metric in metrics.difference(&told.clone()) {
            tracing::warn!(metric, "native histograms are not federated by this version yet");
        }
        told.extend(metrics);
    }
}
