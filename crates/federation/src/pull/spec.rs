//! One replica with everything that a pull of it needs.

use std::time::Duration;

use config::HttpClientConfig;
use model::Labels;
use url::Url;

use crate::pull::config::{Config, ShardConfig};

/// The job under which a global stores what it knows of its pulls.
const JOB: &str = "federation";

/// A replica to pull. Two that are equal are pulled in the same way, so a reload leaves such a task alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReplicaSpec {
    pub(super) shard: String,
    /// The base URL.
    pub(super) url: Url,
    pub(super) selectors: Vec<String>,
    pub(super) replica_labels: Vec<String>,
    pub(super) http: HttpClientConfig,
    pub(super) interval_ms: i64,
    pub(super) timeout: Duration,
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
            interval_ms: interval_ms.max(1),
            timeout: Duration::from_millis(timeout_ms.max(1).unsigned_abs()),
        };
        shard.replicas.iter().map(of_replica).collect()
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

    /// The address that is pulled.
    pub(super) fn federate_url(&self) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/federate", self.url.path().trim_end_matches('/')));
        url.query_pairs_mut().extend_pairs(self.selectors.iter().map(|selector| ("match[]", selector)));
        url
    }

    /// The labels of a series about this replica.
    pub(super) fn report_labels(&self, name: &str) -> Labels {
        let instance = self.instance();
        Labels::from_pairs([("__name__", name), ("instance", &instance), ("job", JOB), ("shard", &self.shard)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_below_the_base_url() {
        let check = |base: &str, url: &str, instance: &str| {
            let spec = ReplicaSpec {
                shard: "a".to_owned(),
                url: Url::parse(base).expect("a URL"),
                selectors: vec!["up".to_owned(), "{a=~\"b&c\"}".to_owned()],
                replica_labels: vec![],
                http: HttpClientConfig::default(),
                interval_ms: 1,
                timeout: Duration::from_secs(1),
            };
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
