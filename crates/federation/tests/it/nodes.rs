//! A serving node, a pulling node, and waiting for what they do.

use std::sync::Arc;
use std::time::Duration;

use discovery::Environment;
use federation::{Config, Federate, Puller, RawConfig, SystemNetwork, router};
use model::{Labels, METRIC_NAME, Matcher, SystemClock};
use prometheus_client::registry::Registry;

use crate::memory::Memory;

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves `/federate` of `memory` on a port of its own until the runtime ends; the answer is the base URL.
pub(crate) async fn serve(memory: &Memory, external: &[(&str, &str)]) -> (String, tokio::task::JoinHandle<()>) {
    let federate = serving(memory, external);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = async move { axum::serve(listener, router(federate)).await.expect("serving") };
    (url, tokio::spawn(server))
}

/// What serves `memory`.
pub(crate) fn serving(memory: &Memory, external: &[(&str, &str)]) -> Arc<Federate> {
    let parse = |text: &str| match text {
        "{}" => Err("1:3: parse error: a selector must not be empty".to_owned()),
        "all" => Ok(vec![]),
        name => Ok(vec![Matcher::equal(METRIC_NAME, name)]),
    };
    let external = Labels::from_pairs(external.iter().copied());
    Federate::new(Arc::new(memory.clone()), Arc::new(SystemClock), external, parse)
}

/// A puller that stores into `memory`.
pub(crate) fn puller(memory: &Memory, registry: &mut Registry) -> Arc<Puller> {
    // Another test of this process may have done so already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let environment = Environment::new(registry);
    Puller::new(Arc::new(SystemClock), Arc::new(memory.clone()), Arc::new(SystemNetwork), environment, registry)
}

pub(crate) fn config(text: &str) -> Config {
    let raw: RawConfig = config::load(text, "global.yml").expect("valid YAML");
    let mut report = config::Report::new("global.yml");
    let config = raw.validate(&mut report);
    report.finish(config).expect("a valid section")
}

/// Waits until `look` finds something.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(found) => found,
        Err(_) => panic!("waited {PATIENCE:?} for {what}"),
    }
}
