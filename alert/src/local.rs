//! The section `alerting.local` of a node's file: the pipeline inside the node.

use std::path::PathBuf;
use std::time::Duration;

use config::{HttpClientConfig, Position, Report, Spanned};
use http_client::HttpClient;
use serde::Deserialize;

use crate::pair::PairConfig;

/// How long a message between peers may take at most; most are given less.
const PEER_TIMEOUT: Duration = Duration::from_secs(5);

config::with_http_client! {
    /// `alerting.local` as written.
    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub(crate) struct RawLocal {
        config_file: Option<Spanned<String>>,
        peers: Vec<Spanned<String>>,
        replica_labels: Option<Vec<String>>,
    }
}

/// `alerting.local`, checked.
#[derive(Debug, Clone)]
pub struct LocalConfig {
    /// The file in Alertmanager's format.
    pub config_file: PathBuf,
    /// Where it is named.
    pub position: Position,
    /// The other instances of the pair.
    pub pair: PairConfig,
}

impl LocalConfig {
    /// Checks what was written.
    pub(crate) fn validate(mut raw: Spanned<RawLocal>, report: &mut Report) -> Option<Self> {
        let http = HttpClientConfig::validate(raw.value.take_http_client(), report);
        let client = report.check(raw.position, HttpClient::new(&http, PEER_TIMEOUT))?;
        let pair = PairConfig::validate(&raw.peers, raw.value.replica_labels.clone(), &client, report);
        match &raw.config_file {
            Some(file) => Some(LocalConfig { config_file: report.resolve(file), position: file.position, pair }),
            None => {
                report.error(raw.position, "alerting.local needs config_file, a file in Alertmanager's format");
                None
            }
        }
    }
}
