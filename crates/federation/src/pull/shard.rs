//! One shard in the configuration.

use config::HttpClientConfig;
use url::Url;

/// One shard: the replicas that watch the same targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardConfig {
    /// The name on pages and in metrics, unlike that of any other shard.
    pub name: String,
    /// Base URLs, without query and credentials.
    pub replicas: Vec<Url>,
    /// What is pulled: each one a `match[]`.
    pub selectors: Vec<String>,
    /// How to talk to the replicas.
    pub http: HttpClientConfig,
    /// How far back the first pull of a replica goes, in milliseconds; `None` for as far as the replica goes by itself, five minutes.
    pub initial_lookback_ms: Option<i64>,
}
