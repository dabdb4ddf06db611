//! Putting a configuration in force, at the start and again later. A bad new file changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use model::Clock;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;
use tsdb::Db;

use crate::alerting::Alerting;
use crate::queries::Books;
use crate::tier::{Loaded, Tier};

/// Hands each section to the room it belongs to.
pub(crate) struct Reloader<T: Tier> {
    pub(crate) file: PathBuf,
    pub(crate) db: Arc<Db>,
    pub(crate) tier: Arc<T>,
    pub(crate) scrape: Arc<scrape::Manager>,
    pub(crate) rules: Arc<rules::Manager>,
    pub(crate) alerting: Arc<Alerting>,
    pub(crate) books: Arc<Books>,
    pub(crate) text: Arc<ArcSwap<String>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: ReloadMetrics,
    /// One reload at a time.
    pub(crate) busy: Mutex<()>,
}

/// Prometheus's metrics of reloads.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReloadMetrics {
    successful: Gauge,
    success_time: Gauge,
}

impl ReloadMetrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = ReloadMetrics::default();
        let name = "prometheus_config_last_reload_successful";
        registry.register(
            name,
            "Whether the last configuration reload attempt was successful",
            metrics.successful.clone(),
        );
        let name = "prometheus_config_last_reload_success_timestamp_seconds";
        registry.register(name, "Time of the last successful configuration reload", metrics.success_time.clone());
        metrics
    }
}

impl<T: Tier> Reloader<T> {
    /// Reads the file anew and puts it in force; an error leaves everything as it was.
    pub(crate) async fn reload(&self) -> Result<(), String> {
        let _busy = self.busy.lock().await;
        let (tier, file) = (self.tier.clone(), self.file.clone());
        let loaded = tokio::task::spawn_blocking(move || tier.load(&file)).await.map_err(|e| e.to_string())?;
        match loaded {
            Ok(loaded) => {
                self.alerting.accepts(&loaded.common.alerting).inspect_err(|_| self.failed())?;
                self.apply(loaded).await.inspect_err(|_| self.failed())?;
                tracing::info!(file = %self.file.display(), "configuration loaded");
                Ok(())
            }
            Err(errors) => {
                self.failed();
                Err(errors.to_string())
            }
        }
    }

    fn failed(&self) {
        self.metrics.successful.set(0);
    }

    /// Puts a checked configuration in force. What can still fail, a scrape job's certificates for example, is prepared
    /// first, so that a failure changes nothing.
    pub(crate) async fn apply(&self, loaded: Loaded<T::Config>) -> Result<(), String> {
        let Loaded { common, own } = loaded;
        let log_file = common.global.query_log_file.as_deref();
        let query_log = Books::open_log(log_file)
            .map_err(|e| format!("cannot open the query log {}: {e}", log_file.unwrap_or(Path::new("")).display()))?;
        let scraping = self.scrape.apply(common.scrape, &common.global.external_labels).await;
        scraping.map_err(|e| config::chain(&e))?;
        self.books.set_log(query_log);
        self.db.set_out_of_order_window(common.storage.out_of_order_window_ms);
        self.db.set_max_exemplars(common.storage.max_exemplars);
        self.tier.apply(own, &common.global).await;
        self.alerting.apply(common.alerting, &common.global);
        self.rules.apply(common.rules, &common.global.external_labels).await;
        self.text.store(Arc::new(common.text));
        self.metrics.successful.set(1);
        self.metrics.success_time.set(self.clock.now().as_ms() / 1000);
        Ok(())
    }
}
