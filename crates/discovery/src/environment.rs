//! What all discovery of a node shares.

use std::sync::Arc;

use prometheus_client::registry::Registry;

use crate::cloud::surroundings::Surroundings;
use crate::consul::config::ConsulSdConfig;
use crate::kubernetes::access::InCluster;
use crate::kubernetes::hub::Hub;
use crate::metrics::Metrics;
use crate::resolver::Dns;
use crate::sharing::Sharing;

/// Metrics, whom to ask about names, what is followed in Kubernetes clusters and in Consul, and what clouds are told of the machine.
#[derive(Debug)]
pub struct Environment {
    pub(crate) metrics: Metrics,
    pub(crate) dns: Dns,
    pub(crate) kubernetes: Arc<Hub>,
    pub(crate) consul: Sharing<ConsulSdConfig>,
    pub(crate) surroundings: Surroundings,
}

impl Environment {
    /// The machine's resolver settings and metrics in `registry`. One for each node: its metrics have one name.
    pub fn new(registry: &mut Registry) -> Arc<Self> {
        Environment::with_dns(Dns::system(), registry)
    }

    /// Another resolver than the machine's.
    pub fn with_dns(dns: Dns, registry: &mut Registry) -> Arc<Self> {
        Environment::with(dns, InCluster::system(), registry)
    }

    /// Another resolver than the machine's, and another cluster than the one this runs in.
    pub fn with(dns: Dns, in_cluster: InCluster, registry: &mut Registry) -> Arc<Self> {
        Environment::build(dns, in_cluster, Surroundings::system(), registry)
    }

    /// Other surroundings than the machine's, for sources in clouds.
    pub fn with_surroundings(surroundings: Surroundings, registry: &mut Registry) -> Arc<Self> {
        Environment::build(Dns::system(), InCluster::system(), surroundings, registry)
    }

    fn build(dns: Dns, in_cluster: InCluster, surroundings: Surroundings, registry: &mut Registry) -> Arc<Self> {
        let metrics = Metrics::new(registry);
        let kubernetes = Arc::new(Hub::new(in_cluster, metrics.kubernetes.clone()));
        Arc::new(Environment { metrics, dns, kubernetes, consul: Sharing::default(), surroundings })
    }
}
