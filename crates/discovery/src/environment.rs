//! What all discovery of a node shares.

use std::sync::Arc;

use prometheus_client::registry::Registry;

use crate::metrics::Metrics;
use crate::resolver::Dns;

/// Metrics, and whom to ask about names.
#[derive(Debug)]
pub struct Environment {
    pub(crate) metrics: Metrics,
    pub(crate) dns: Dns,
}

impl Environment {
    /// The machine's resolver settings and metrics in `registry`. One for each node: its metrics have one name.
    pub fn new(registry: &mut Registry) -> Arc<Self> {
        Environment::with_dns(Dns::system(), registry)
    }

    /// Another resolver than the machine's.
    pub fn with_dns(dns: Dns, registry: &mut Registry) -> Arc<Self> {
        Arc::new(Environment { metrics: Metrics::new(registry), dns })
    }
}
