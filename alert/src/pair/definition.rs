//! The peers of an instance as configured.

use config::{Report, Spanned};
use http_client::HttpClient;
use reqwest::Url;

/// The labels in which alerts of a pair differ, where the file doesn't say: of shards, and of globals.
const REPLICA_LABELS: [&str; 2] = ["replica", "global"];
/// How many peers an instance may have.
const PEERS_MAX: usize = 15;

/// The other instances of a pair, and what tells their alerts apart.
#[derive(Debug, Clone, Default)]
pub struct PairConfig {
    /// The other instances.
    pub peers: Vec<PeerConfig>,
    /// Labels that are taken off alerts where there are peers, so that all instances speak of the same alerts.
    pub replica_labels: Vec<String>,
}

/// How another instance is reached.
#[derive(Debug, Clone)]
pub struct PeerConfig {
    /// The base URL of its web port; it ends with a slash.
    pub url: Url,
    /// What speaks to it, with credentials and headers.
    pub client: HttpClient,
}

impl PeerConfig {
    /// Host and port, by which people know it before it has told its name.
    pub(crate) fn address(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Whether the peer is reached in the same way.
    pub(crate) fn is_same(&self, other: &PeerConfig) -> bool {
        self.url == other.url && self.client.config() == other.client.config()
    }
}

impl PairConfig {
    /// Checks what was written.
    pub(crate) fn validate(
        peers: &[Spanned<String>],
        replica_labels: Option<Vec<String>>,
        client: &HttpClient,
        report: &mut Report,
    ) -> Self {
        let mut known: Vec<PeerConfig> = Vec::new();
        for text in peers {
            let Some(url) = report.check(text, base_url(text)) else { continue };
            if known.iter().any(|peer| peer.url == url) {
                report.error(text, format_args!("the peer {:?} is there twice", text.value));
            } else if known.len() >= PEERS_MAX {
                report.error(text, format_args!("too many peers: at most {PEERS_MAX} are spoken to"));
            } else {
                known.push(PeerConfig { url, client: client.clone() });
            }
        }
        let replica_labels = replica_labels.unwrap_or_else(|| REPLICA_LABELS.map(str::to_owned).to_vec());
        PairConfig { peers: known, replica_labels }
    }
}

/// A peer's URL with a slash at its end, so that paths can be appended.
fn base_url(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text).map_err(|e| format!("{text:?} is not the URL of a peer: {e}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("unsupported scheme {:?} for a peer: want http or https", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials don't belong into a peer's URL: use basic_auth beside peers".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{text:?} is not the base URL of a peer: it ends with a query or a fragment"));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}
