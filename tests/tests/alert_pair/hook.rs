//! A webhook that knows what it was told how often.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;

/// Alert's name, its number and the status; the keys of the messages that said so.
type Told = BTreeMap<(String, String, String), Vec<String>>;

pub(crate) struct Hook {
    pub(crate) url: String,
    told: Arc<Mutex<Told>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    /// How many alerts were told.
    pub(crate) told: usize,
    /// How many messages told of one that had been told.
    pub(crate) repeated: usize,
    /// How many of these had the key of one before, by which a receiver knows them.
    pub(crate) known_by_key: usize,
}

impl Hook {
    pub(crate) async fn start() -> Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/webhook", listener.local_addr()?);
        let told = Arc::<Mutex<Told>>::default();
        let router = Router::new().route("/webhook", post(take)).with_state(told.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Hook { url, told })
    }

    pub(crate) fn counts(&self, name: &str, status: &str) -> Counts {
        let told = self.told.lock().map(|told| told.clone()).unwrap_or_default();
        let keys: Vec<&Vec<String>> =
            told.iter().filter(|((n, _, s), _)| n == name && s == status).map(|(_, k)| k).collect();
        let distinct = |keys: &Vec<String>| keys.iter().collect::<BTreeSet<_>>().len();
        Counts {
            told: keys.len(),
            repeated: keys.iter().map(|keys| keys.len() - 1).sum(),
            known_by_key: keys.iter().map(|keys| keys.len() - distinct(keys)).sum(),
        }
    }
}

async fn take(State(told): State<Arc<Mutex<Told>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let (Ok(message), Ok(mut told)) = (serde_json::from_slice::<Value>(&body), told.lock()) else {
        return StatusCode::BAD_REQUEST;
    };
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
    for alert in message["alerts"].as_array().into_iter().flatten() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let identity = (text(&alert["labels"]["alertname"]), text(&alert["labels"]["n"]), text(&alert["status"]));
        told.entry(identity).or_default().push(key.to_owned());
    }
    StatusCode::OK
}
