//! Lists of a Docker daemon's API.

use crate::answer::Answer;
use std::collections::BTreeMap;
use std::time::Duration;

use http_client::HttpClient;
use reqwest::header::HeaderName;
use serde::de::DeserializeOwned;

use crate::docker::config::Filters;
use crate::server::{AskError, Server};

const API_VERSION: HeaderName = HeaderName::from_static("api-version");
/// The newest version of the API whose lists are known here. A daemon that is older is asked in its own.
const VERSION_MAX: (u32, u32) = (1, 52);

/// Why a daemon told nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DaemonError {
    #[error("version of the API not agreed on")]
    Ping(#[source] AskError),
    #[error("the answer to /_ping names no version of the API: {0:?}")]
    Version(String),
    #[error("{what} not listed")]
    List {
        what: &'static str,
        #[source]
        source: AskError,
    },
    #[error("{0:?} is not an address with a length")]
    Address(String),
}

/// Talks to a daemon, for one round of questions.
pub(crate) struct Daemon<'a> {
    server: &'a Server,
    client: HttpClient,
    version: String,
}

impl<'a> Daemon<'a> {
    /// Agrees with the daemon on a version. Keys and certificates are read anew.
    pub(crate) async fn meet(server: &'a Server, timeout: Duration) -> Result<Self, DaemonError> {
        let client = server.client(timeout).map_err(|error| DaemonError::Ping(error.into()))?;
        let answer =
            Answer::of(client.get(server.url_of(["_ping"]))).await.map_err(|error| DaemonError::Ping(error.into()))?;
        let told = answer.header(&API_VERSION);
        let (major, minor) = parse_version(told).ok_or_else(|| DaemonError::Version(told.to_owned()))?.min(VERSION_MAX);
        Ok(Daemon { server, client, version: format!("v{major}.{minor}") })
    }

    /// A list, under its name in the API; all of it where there are no filters.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        what: &'static str,
        filters: &Filters,
    ) -> Result<Vec<T>, DaemonError> {
        let path = std::iter::once(self.version.as_str()).chain(what.split('/'));
        let mut url = self.server.url_of(path);
        if !filters.is_empty() {
            url.query_pairs_mut().append_pair("filters", &as_json(filters));
        }
        let list = async { Ok(Answer::of(self.client.get(url)).await?.json().await?) };
        list.await.map_err(|source| DaemonError::List { what, source })
    }
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// `{"label": {"a=b": true}}`.
fn as_json(filters: &Filters) -> String {
    let values = |values: &std::collections::BTreeSet<String>| -> serde_json::Value {
        values.iter().map(|value| (value.clone(), serde_json::Value::Bool(true))).collect()
    };
    let filters: BTreeMap<&String, _> = filters.iter().map(|(name, allowed)| (name, values(allowed))).collect();
    serde_json::json!(filters).to_string()
}
