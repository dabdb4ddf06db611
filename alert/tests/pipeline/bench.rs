//! What the tests share: a webhook receiver, a pipeline on a folder, and waiting for a level with a bound.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alert::{Alertmanager, Config, Options, PairConfig};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use model::{Clock, Labels, SystemClock, Timestamp};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use serde_json::Value;

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until there is an answer.
pub(crate) async fn wait_for<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Serves on a port of the system's choice for as long as the test runs.
pub(crate) async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// One request that a webhook got.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Value,
    /// What it was answered.
    pub(crate) status: StatusCode,
}

/// A webhook that takes note of what it gets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hook {
    requests: Arc<Mutex<Vec<Request>>>,
    /// Answers for the next requests; 200 when there are none left.
    answers: Arc<Mutex<Vec<StatusCode>>>,
    /// How many of the next requests get no answer at all.
    hangs: Arc<AtomicUsize>,
}

impl Hook {
    /// A webhook that answers the first requests like this, and where it is.
    pub(crate) async fn start(answers: &[StatusCode]) -> (Self, String) {
        let hook = Hook { answers: Arc::new(Mutex::new(answers.to_vec())), ..Hook::default() };
        let router = Router::new().route("/token", post(take)).with_state(hook.clone());
        let address = serve(router).await;
        (hook, format!("http://{address}/token"))
    }

    /// Gives no answer to this many of the next requests.
    pub(crate) fn hang(&self, requests: usize) {
        self.hangs.store(requests, Ordering::SeqCst);
    }

    /// The requests so far.
    pub(crate) fn so_far(&self) -> Vec<Request> {
        self.requests.lock().clone()
    }

    /// Waits until there are `count` requests; all of them.
    pub(crate) async fn requests(&self, count: usize) -> Vec<Request> {
        wait_for(&format!("{count} requests"), || async {
            let requests = self.requests.lock().clone();
            (requests.len() >= count).then_some(requests)
        })
        .await
    }
}

async fn take(State(hook): State<Hook>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let status = hook.answers.lock().pop().unwrap_or(StatusCode::OK);
    let body = serde_json::from_slice(&body).unwrap();
    hook.requests.lock().push(Request { headers, body, status });
    if hook.hangs.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |hangs| hangs.checked_sub(1)).is_ok() {
        std::future::pending::<()>().await;
    }
    status
}

/// The configuration of a webhook whose groups are told at once and then every `interval`.
pub(crate) fn config(url: &str, interval: &str) -> Config {
    let text = format!(
        "
route: {{receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: {interval}, repeat_interval: 1h}}
receivers: [{{name: hook, webhook_configs: [{{url: '{url}'}}]}}]
"
    );
    Config::load(&text, config::Report::new("alertmanager.yml")).unwrap()
}

/// A running pipeline on a folder.
pub(crate) fn start(dir: &Path, config: Config) -> Arc<Alertmanager> {
    start_with(dir, config, &PairConfig::default(), 1)
}

/// A running pipeline with peers; the number is of this start.
pub(crate) fn start_with(dir: &Path, config: Config, pair: &PairConfig, start_id: u64) -> Arc<Alertmanager> {
    let options = Options {
        data_dir: PathBuf::from(dir),
        clock: Arc::new(SystemClock),
        external_url: "http://shard-a:9090".to_owned(),
        start_id,
    };
    Alertmanager::start(config, pair, options, &mut Registry::default()).unwrap()
}

/// An alert that fires since now, or has just ended.
pub(crate) fn alert(pairs: &[(&str, &str)], fires: bool) -> rules::Alert {
    let now: Timestamp = SystemClock.now();
    rules::Alert {
        labels: Labels::from_pairs(pairs.iter().copied()),
        annotations: Labels::from_pairs([("summary", "it is down")]),
        starts_at: now - 1000,
        ends_at: Some(if fires { now + 240_000 } else { now }),
        generator_url: "http://shard-a:9090/graph".to_owned(),
        recalled: false,
    }
}
