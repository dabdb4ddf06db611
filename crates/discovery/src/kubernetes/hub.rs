//! What all sources of a node share: who asks one server the same follows the same watch.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::kubernetes::access::{ApiServer, InCluster};
use crate::kubernetes::client::Query;
use crate::kubernetes::config::KubernetesSdConfig;
use crate::kubernetes::reflection::Reflection;
use crate::kubernetes::store::Store;
use crate::kubernetes::watch::Watch;
use crate::metrics::KubernetesMetrics;
use crate::sharing::Sharing;

/// The watches and the sources that are followed now.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) in_cluster: Arc<InCluster>,
    metrics: KubernetesMetrics,
    watches: Mutex<Vec<(ApiServer, Query, Weak<Reflection>)>>,
    pub(crate) sources: Sharing<KubernetesSdConfig>,
}

impl Hub {
    /// Nothing is followed so far.
    pub(crate) fn new(in_cluster: InCluster, metrics: KubernetesMetrics) -> Self {
        let in_cluster = Arc::new(in_cluster);
        Hub { in_cluster, metrics, watches: Mutex::default(), sources: Sharing::default() }
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
