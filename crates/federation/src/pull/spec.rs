//! One replica with everything that a pull of it needs.

use std::time::Duration;

use config::HttpClientConfig;
use url::Url;

use crate::pull::config::Config;
use crate::pull::peer::PeerConfig;
use crate::pull::shard::ShardConfig;

/// Takes the place of a shard's name where the other global of a pair is pulled.
pub(super) const PEER: &str = "peer";
/// The label with the name of the global that stores a series about itself or its pulls.
pub const GLOBAL_LABEL: &str = "global";

/// A replica to pull. Two that are equal are pulled in the same way, so a reload leaves such a task alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReplicaSpec {
    pub(super) shard: String,
    /// The base URL.
    pub(super) url: Url,
    pub(super) selectors: Vec<String>,
    pub(super) replica_labels: Vec<String>,
    pub(super) http: HttpClientConfig,
    /// How far back the first pull goes; `None` for as far as the replica goes by itself.
    pub(super) initial_lookback_ms: Option<i64>,
    pub(super) interval_ms: i64,
    pub(super) timeout: Duration,
    /// The name of this global, empty where it has none.
    pub(super) global: String,
    /// Whether it is the other global of a pair, which is pulled for what it knows of itself.
    pub(super) is_peer: bool,
}

impl ReplicaSpec {
    /// The replicas of a shard, pulled every `interval_ms`.
    pub(super) fn of_shard(config: &Config, shard: &ShardConfig, interval_ms: i64, timeout_ms: i64) -> Vec<Self> {
        let of_replica = |url: &Url| ReplicaSpec {
            shard: shard.name.clone(),
            url: url.clone(),
            selectors: shard.selectors.clone(),
            replica_labels: config.replica_labels.clone(),
            http: shard.http.clone(),
            initial_lookback_ms: shard.initial_lookback_ms,
            interval_ms: interval_ms.max(1),
            timeout: Duration::from_millis(timeout_ms.max(1).unsigned_abs()),
            global: config.name.clone(),
            is_peer: false,
        };
        shard.replicas.iter().map(of_replica).collect()
    }

    /// The other global. What it stores with its name in the label `global` is pulled; what it has from us is left out.
    pub(super) fn of_peer(config: &Config, peer: &PeerConfig, interval_ms: i64, timeout_ms: i64) -> Self {
        ReplicaSpec {
            shard: PEER.to_owned(),
            url: peer.url.clone(),
            selectors: vec![format!("{{{GLOBAL_LABEL}!=\"\",{GLOBAL_LABEL}!={:?}}}", config.name)],
            replica_labels: Vec::new(),
            http: peer.http.clone(),
            initial_lookback_ms: None,
            interval_ms: interval_ms.max(1),
            timeout: Duration::from_millis(timeout_ms.max(1).unsigned_abs()),
            global: config.name.clone(),
            is_peer: true,
        }
    }

    /// Whether both name the same replica of the same shard, however it is pulled.
    pub(super) fn is_same_replica(&self, other: &ReplicaSpec) -> bool {
        (&self.shard, &self.url) == (&other.shard, &other.url)
    }

    /// Host and port, the port even where the URL leaves it out.
    pub(super) fn instance(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", self.url.host_str().unwrap_or_default())
    }

    /// The name under which the cursor of its pulls is noted.
    pub(super) fn cursor_note(&self) -> String {
        format!("cursor {} {}", self.shard, self.url)
    }

    /// The name under which the labels are noted by which the replica names itself to the outside.
    pub(super) fn external_note(&self) -> String {
        format!("external {} {}", self.shard, self.url)
    }

    /// The address that is pulled.
    pub(super) fn federate_url(&self) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/federate", self.url.path().trim_end_matches('/')));
        url.query_pairs_mut().extend_pairs(self.selectors.iter().map(|selector| ("match[]", selector)));
        url
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A replica of the shard `a`.
    pub(crate) fn spec(base: &str) -> ReplicaSpec {
        ReplicaSpec {
            shard: "a".to_owned(),
            url: Url::parse(base).expect("a URL"),
            selectors: vec!["up".to_owned(), "{a=~\"b&c\"}".to_owned()],
            replica_labels: vec![],
            http: HttpClientConfig::default(),
            initial_lookback_ms: None,
            interval_ms: 1,
            timeout: Duration::from_secs(1),
            global: String::new(),
            is_peer: false,
        }
    }

    #[test]
    fn asks_below_the_base_url() {
        let check = |base: &str, url: &str, instance: &str| {
            let spec = spec(base);
            assert_eq!(
                spec.federate_url().as_str(),
                format!("{url}?match%5B%5D=up&match%5B%5D=%7Ba%3D%7E%22b%26c%22%7D")
            );
            assert_eq!(spec.instance(), instance);
        };
        check("http://h:9090", "http://h:9090/federate", "h:9090");
        check("https://h/prom/", "https://h/prom/federate", "h:443");
        check("http://[::1]:1/x", "http://[::1]:1/x/federate", "[::1]:1");
    }
}
