//! The pipeline as a whole, for whoever runs it: a shard, or a process of its own.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use rules::Notifier;
use tokio::task::{JoinHandle, JoinSet};

use crate::api;
use crate::engine::{Engine, Incoming, Options};
use crate::journal::JournalError;
use crate::loading::Config;
use crate::pair::PairConfig;
use crate::sync;

/// A running alert pipeline.
#[derive(Debug)]
pub struct Alertmanager {
    engine: Arc<Engine>,
    task: Mutex<Option<JoinHandle<()>>>,
    /// Each keeps one peer up to date, and ends when the peer is one no longer.
    followers: Mutex<JoinSet<()>>,
}

impl Alertmanager {
    /// Takes up the state in the data directory and starts to deliver. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The journal can't be read or written.
    pub fn start(
        config: Config,
        pair: &PairConfig,
        options: Options,
        registry: &mut Registry,
    ) -> Result<Arc<Self>, JournalError> {
        let engine = Arc::new(Engine::open(config, options, registry)?);
        let alertmanager =
            Alertmanager { engine: Arc::clone(&engine), task: Mutex::default(), followers: Mutex::default() };
        // Before anything is told: what is due now may have been told by a peer while we were away.
        alertmanager.set_pair(pair);
        *alertmanager.task.lock() = Some(tokio::spawn(engine.run()));
        Ok(Arc::new(alertmanager))
    }

    /// Puts other peers in place. What is known of one that stays is kept. Must be called within a tokio runtime.
    pub fn set_pair(&self, pair: &PairConfig) {
        let mut followers = self.followers.lock();
        while followers.try_join_next().is_some() {}
        for link in self.engine.set_pair(pair) {
            followers.spawn(sync::run(Arc::clone(&self.engine), link));
        }
    }

    /// Puts another configuration in place; alerts, silences and what was told stay.
    pub fn reload(&self, config: Config) {
        self.engine.reload(config);
    }

    /// Notes that another configuration was wanted and is no good; the one in force stays.
    pub fn reload_failed(&self) {
        self.engine.reload_failed();
    }

    /// The routes of Alertmanager's API v2, without a prefix: to be mounted under `/api/v2`.
    pub fn router(&self) -> Router {
        api::router(Arc::clone(&self.engine))
    }

    /// The door for alerts from rules.
    pub fn notifier(&self) -> Arc<dyn Notifier> {
        Arc::new(Local(Arc::clone(&self.engine)))
    }

    /// Ends deliveries within a few seconds and brings the state onto the disk. What wasn't delivered goes out after the
    /// next start.
    pub async fn shutdown(&self) {
        self.engine.stop();
        let task = self.task.lock().take();
        if let Some(task) = task
            && let Err(e) = task.await
        {
            tracing::error!(error = %e, "the alert pipeline broke down");
        }
        self.followers.lock().abort_all();
        sync::last_words(&self.engine).await;
    }
}

/// Alerts from rules of the same process.
struct Local(Arc<Engine>);

#[async_trait]
impl Notifier for Local {
    async fn notify(&self, alerts: Vec<rules::Alert>) {
        let incoming = alerts.into_iter().map(|alert| Incoming {
            labels: alert.labels,
            annotations: alert.annotations,
            starts_at: Some(alert.starts_at),
            ends_at: alert.ends_at,
            generator_url: alert.generator_url,
            recalled: alert.recalled,
        });
        if let Err(e) = self.0.receive(incoming.collect()) {
            tracing::error!(error = %e, "alerts from rules were not taken");
        }
    }
}
