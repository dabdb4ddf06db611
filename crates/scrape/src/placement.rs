//! Which targets are scraped here, where several nodes share them.

use std::sync::Arc;

use tokio::sync::watch;
use url::Url;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::target::Target;

/// Decides who scrapes a target.
pub trait Placement: Send + Sync {
    /// The place of a target of `job`. `key` is its hash, the same on all nodes that know it under the same labels and URL.
    fn place(&self, job: &str, url: &Url, key: u64) -> Place;
}

/// Who scrapes a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Whoever knows it, this node among them.
    Unshared,
    /// Some nodes.
    Shared {
        /// Their names, the first in line first.
        owners: Vec<Arc<str>>,
        /// Whether this node is one of them.
        is_here: bool,
    },
}

/// The placement as it is now, and who wants to know of its changes.
pub type Placements = watch::Receiver<Arc<dyn Placement>>;

/// Every target is scraped here.
pub(crate) struct Alone;

impl Placement for Alone {
    fn place(&self, _job: &str, _url: &Url, _key: u64) -> Place {
        Place::Unshared
    }
}

/// A placement that never changes: every target is scraped here.
pub(crate) fn alone() -> Placements {
    watch::channel(Arc::new(Alone) as Arc<dyn Placement>).1
}

/// Waits for another placement; for ever where nobody makes one any more.
pub(crate) async fn changed(placements: &mut Placements) {
    if placements.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The hash of a target: of the labels of its series and of its URL. Nodes of different versions share targets, so it never changes.
pub(crate) fn key_of(target: &Target) -> u64 {
    xxh3_64_with_seed(target.url.as_str().as_bytes(), target.labels.prometheus_hash())
}

#[cfg(test)]
mod tests {
    use model::Labels;

    use super::*;
    use crate::histograms::HistogramForms;

    #[test]
    fn keys_are_the_same_in_every_version() {
        let target = Target {
            labels: Labels::from_pairs([("job", "node"), ("instance", "10.0.0.7:9100")]),
            discovered: Labels::empty(),
            url: "http://10.0.0.7:9100/metrics?a=b".parse().expect("a URL"),
            address: None,
            interval_ms: 1,
            timeout_ms: 1,
            histograms: HistogramForms::default(),
        };
        assert_eq!(key_of(&target), 9_877_317_056_999_937_692);
    }
}
