//! What all sources of a node share: who asks one server the same follows the same watch.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::board::Board;
use crate::kubernetes::access::{ApiServer, InCluster};
use crate::kubernetes::client::Query;
use crate::kubernetes::config::KubernetesSdConfig;
use crate::kubernetes::reflection::Reflection;
use crate::kubernetes::store::Store;
use crate::kubernetes::watch::Watch;
use crate::metrics::KubernetesMetrics;

/// The watches and the sources that are followed now.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) in_cluster: Arc<InCluster>,
    metrics: KubernetesMetrics,
    watches: Mutex<Vec<(ApiServer, Query, Weak<Reflection>)>>,
    sources: Mutex<Vec<(KubernetesSdConfig, Weak<Shared>)>>,
}

/// What a source has found, followed as long as somebody holds it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) board: Arc<Board>,
    _stop: DropGuard,
}

impl Hub {
    /// Nothing is followed so far.
    pub(crate) fn new(in_cluster: InCluster, metrics: KubernetesMetrics) -> Self {
        let in_cluster = Arc::new(in_cluster);
        Hub { in_cluster, metrics, watches: Mutex::default(), sources: Mutex::default() }
    }

    /// The source that is configured so; `follow` begins it where nobody has it yet, with where to show and when to stop.
    pub(crate) fn source(
        &self,
        config: &KubernetesSdConfig,
        follow: impl FnOnce(Arc<Board>, CancellationToken),
    ) -> Arc<Shared> {
        let mut sources = self.sources.lock();
        sources.retain(|(_, source)| source.strong_count() > 0);
        let known = sources.iter().filter(|(other, _)| other == config).find_map(|(_, source)| source.upgrade());
        known.unwrap_or_else(|| {
            let (board, stop) = (Arc::<Board>::default(), CancellationToken::new());
            follow(board.clone(), stop.clone());
            let source = Arc::new(Shared { board, _stop: stop.drop_guard() });
            sources.push((config.clone(), Arc::downgrade(&source)));
            source
        })
    }

    /// The objects of a query to a server.
    pub(crate) fn reflection(&self, server: &ApiServer, query: Query) -> Arc<Reflection> {
        let mut watches = self.watches.lock();
        watches.retain(|(.., watch)| watch.strong_count() > 0);
        let is_same = |other: &(ApiServer, Query, Weak<Reflection>)| other.0 == *server && other.1 == query;
        let known = watches.iter().filter(|other| is_same(other)).find_map(|(.., watch)| watch.upgrade());
        known.unwrap_or_else(|| {
            let watch = Watch {
                server: server.clone(),
                in_cluster: self.in_cluster.clone(),
                query: query.clone(),
                store: Arc::new(Store::new(query.kind)),
                metrics: self.metrics.clone(),
            };
            let reflection = Arc::new(Reflection::start(watch));
            watches.push((server.clone(), query, Arc::downgrade(&reflection)));
            reflection
        })
    }

    /// Notes that something failed before a watch was there.
    pub(crate) fn count_failure(&self) {
        self.metrics.failures.inc();
    }
}
