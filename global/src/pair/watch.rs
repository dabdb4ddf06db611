//! Asking the peer what it holds, every so often, and comparing.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use api::consistency::{Comparison, Consistency, Standing, WindowComparison};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use federation::{HttpClient, Network, PeerConfig, RequestError};
use model::Timestamp;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use reqwest::{Method, Request};
use serde::Deserialize;
use storage::QueryError;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::progress::distance_ms;
use super::standing::Standings;

const EVERY: Duration = Duration::from_secs(15);
const TIMEOUT: Duration = Duration::from_secs(10);
/// An answer that is larger is none of a global.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Knows what the peer said last.
pub(crate) struct PeerWatch {
    standings: Arc<Standings>,
    network: Arc<dyn Network>,
    peer: ArcSwap<Option<PeerConfig>>,
    heard: ArcSwap<Heard>,
    metrics: Metrics,
}

/// What the peer said last, and why it didn't say anything since.
#[derive(Debug, Clone, Default)]
struct Heard {
    standing: Option<Standing>,
    error: String,
}

/// The distance of the pair, in numbers.
#[derive(Debug, Clone, Default)]
struct Metrics {
    up: Gauge,
    distance: Gauge<f64, AtomicU64>,
    differing: Gauge,
}

impl Metrics {
    fn new(registry: &mut Registry) -> Self {
        let metrics = Metrics::default();
        let registry = registry.sub_registry_with_prefix("watershed_peer");
        registry.register("up", "Whether the other global of the pair answered last time", metrics.up.clone());
        let help = "How far the pulls of the two globals are apart at most, over the replicas that both pull";
        registry.register("distance_seconds", help, metrics.distance.clone());
        let help = "Recent windows of time that are complete at both globals and not the same";
        registry.register("windows_differing", help, metrics.differing.clone());
        metrics
    }
}

/// Why the peer could not be asked.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("the HTTP client can't be used: {0}")]
    Client(#[from] config::HttpClientError),
    #[error("the request failed: {0}")]
    Request(String),
    #[error("it answered {0}")]
    Status(reqwest::StatusCode),
    #[error("its answer is larger than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
    #[error("its answer can't be read: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it has the same name as this global, {0:?}: give each a name of its own")]
    SameName(String),
}

impl PeerWatch {
    pub(crate) fn new(standings: Arc<Standings>, network: Arc<dyn Network>, registry: &mut Registry) -> Arc<Self> {
        let metrics = Metrics::new(registry);
        Arc::new(PeerWatch { standings, network, peer: ArcSwap::default(), heard: ArcSwap::default(), metrics })
    }

    /// Asks this peer from now on.
    pub(crate) fn set_peer(&self, peer: Option<PeerConfig>) {
        if **self.peer.load() != peer {
            self.heard.store(Arc::default());
            self.peer.store(Arc::new(peer));
        }
    }

    /// What the peer said last, while it answers.
    pub(crate) fn heard(&self) -> Option<Standing> {
        let heard = self.heard.load();
        heard.standing.clone().filter(|_| heard.error.is_empty())
    }

    /// Asks until it is told to stop.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut made: Option<(PeerConfig, Arc<dyn HttpClient>)> = None;
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let Some(peer) = (**self.peer.load()).clone() else { continue };
            // Making a client reads certificates; it is made again where that failed, and for another peer.
            let client = match &made {
                Some((of, client)) if *of == peer => Ok(client.clone()),
                _ => {
                    let client = self.network.client(&peer.http, TIMEOUT);
                    client.inspect(|client| made = Some((peer.clone(), client.clone())))
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.look(&peer, client.map_err(AskError::from)) => {}
            }
        }
    }

    /// Asks once and says what differs, where it didn't before.
    async fn look(&self, peer: &PeerConfig, client: Result<Arc<dyn HttpClient>, AskError>) {
        let before = self.heard.load_full();
        let differed = self.metrics.differing.get() > 0;
        let asked = match client {
            Ok(client) => self.ask(peer, client.as_ref()).await,
            Err(error) => Err(error),
        };
        let heard = match asked {
            Ok(standing) => Heard { standing: Some(standing), error: String::new() },
            Err(error) => {
                if before.error.is_empty() {
                    tracing::warn!(peer = %peer.url, %error, "the other global of the pair can't be asked");
                }
                Heard { standing: before.standing.clone(), error: error.to_string() }
            }
        };
        self.metrics.up.set(i64::from(heard.error.is_empty()));
        self.heard.store(Arc::new(heard));
        let Ok(comparison) = self.compare().await else { return };
        self.metrics.distance.set(comparison.distance_seconds.unwrap_or(f64::NAN));
        let differing: Vec<_> = comparison.windows.iter().filter(|window| !window.agrees).collect();
        self.metrics.differing.set(i64::try_from(differing.len()).unwrap_or(i64::MAX));
        if let (false, Some(first)) = (differed, differing.first()) {
            tracing::error!(
                peer = %peer.url, from = %Timestamp::from_ms(first.from), windows = differing.len(),
                "the globals of the pair hold different samples of the same time: /api/v1/consistency has the details"
            );
        }
    }

    async fn ask(&self, peer: &PeerConfig, client: &dyn HttpClient) -> Result<Standing, AskError> {
        #[derive(Deserialize)]
        struct Answer {
            data: Standing,
        }

        let mut url = peer.url.clone();
        url.set_path(&format!("{}/api/v1/consistency", url.path().trim_end_matches('/')));
        url.set_query(Some("scope=self"));
        let failed = |error: RequestError| AskError::Request(config::chain(error.as_ref()));
        let mut response = client.execute(Request::new(Method::GET, url)).await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(AskError::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(error.without_url().into()))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(AskError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let standing = serde_json::from_slice::<Answer>(&body)?.data;
        match standing.name == self.standings.name() {
            true => Err(AskError::SameName(standing.name)),
            false => Ok(standing),
        }
    }
}

#[async_trait]
impl Consistency for PeerWatch {
    async fn standing(&self) -> Result<Standing, QueryError> {
        self.standings.get().await
    }

    async fn compare(&self) -> Result<Comparison, QueryError> {
        let own = self.standings.get().await?;
        let heard = self.heard.load_full();
        let peer_url = self.peer.load().as_ref().as_ref().map(|peer| peer.url.to_string()).unwrap_or_default();
        let Some(peer) = &heard.standing else {
            return Ok(Comparison { own, peer_url, peer_error: heard.error.clone(), ..Comparison::default() });
        };
        let windows = compared(&own, peer);
        Ok(Comparison {
            distance_seconds: distance_ms(&own, peer).map(|ms| ms as f64 / 1000.0),
            agrees: (!windows.is_empty()).then(|| windows.iter().all(|window| window.agrees)),
            windows,
            own,
            peer_url,
            peer: Some(peer.clone()),
            peer_error: heard.error.clone(),
        })
    }
}

/// The windows that both tell.
fn compared(own: &Standing, peer: &Standing) -> Vec<WindowComparison> {
    let theirs = |from: i64| peer.windows.iter().find(|window| window.from == from);
    let both = own.windows.iter().filter_map(|window| Some((window, theirs(window.from)?)));
    both.map(|(own, peer)| WindowComparison { from: own.from, until: own.until, agrees: own == peer }).collect()
}
