//! Putting a configuration in force, at the start and again later. A bad new file changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use model::Clock;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;
use tsdb::{Db, Retention};

use crate::alerting::Alerting;
use crate::files_read::FilesRead;
use crate::queries::Books;
use crate::tier::{Loaded, Tier};

/// Hands each section to the room it belongs to.
pub(crate) struct Reloader<T: Tier> {
    pub(crate) file: PathBuf,
    /// What was read last, whether it could be put in force or not.
    pub(crate) read: Mutex<FilesRead>,
    pub(crate) db: Arc<Db>,
    pub(crate) data_dir: PathBuf,
    /// What the command line says of what is kept.
    pub(crate) retention: Retention,
    pub(crate) tier: Arc<T>,
    pub(crate) scrape: Arc<scrape::Manager>,
    pub(crate) rules: Arc<rules::Manager>,
    pub(crate) alerting: Arc<Alerting>,
    pub(crate) books: Arc<Books>,
    pub(crate) text: Arc<ArcSwap<String>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: ReloadMetrics,
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
        let mut read = self.read.lock().await; // one reload at a time
        self.load(&mut read).await
    }

    /// The same, where one of the files has changed since it was read last.
    pub(crate) async fn reload_if_changed(&self) -> Result<(), String> {
        let mut read = self.read.lock().await;
        let last = read.clone();
        let is_changed = tokio::task::spawn_blocking(move || last.has_changed()).await.map_err(|e| e.to_string())?;
        if !is_changed {
            return Ok(());
        }
        tracing::info!(file = %self.file.display(), "a file of the configuration has changed, reloading");
        self.load(&mut read).await
    }

    async fn load(&self, read: &mut FilesRead) -> Result<(), String> {
        let (tier, file, mut fresh) = (self.tier.clone(), self.file.clone(), read.clone());
        let (loaded, fresh) = tokio::task::spawn_blocking(move || {
            fresh.look(); // what changes from here on is loaded the next time
            (tier.load(&file), fresh)
        })
        .await
        .map_err(|e| e.to_string())?;
        match loaded {
            Ok(loaded) => {
                *read = loaded.common.files.clone();
                self.alerting.accepts(&loaded.common.alerting).inspect_err(|_| self.failed())?;
                self.apply(loaded).await.inspect_err(|_| self.failed())?;
                tracing::info!(file = %self.file.display(), "configuration loaded");
                Ok(())
            }
            Err(errors) => {
                *read = fresh;
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
        let Loaded { common, own, notes } = loaded;
        notes.iter().for_each(|note| tracing::warn!("{note}"));
        let log_file = common.global.query_log_file.as_deref();
        let query_log = Books::open_log(log_file)
            .map_err(|e| format!("cannot open the query log {}: {e}", log_file.unwrap_or(Path::new("")).display()))?;
        let room = common.storage.room.map(|room| room.bytes(&self.data_dir)).transpose();
        let room =
            room.map_err(|e| format!("cannot tell how large the disk of {} is: {e}", self.data_dir.display()))?;
        let scraping = self.scrape.apply(common.scrape, &common.global.external_labels).await;
        scraping.map_err(|e| config::chain(&e))?;
        self.books.set_log(query_log);
        self.db.set_out_of_order_window(common.storage.out_of_order_window_ms);
        self.db.set_max_exemplars(common.storage.max_exemplars);
        self.db.set_retention(Retention {
            ms: common.storage.retention_ms.unwrap_or(self.retention.ms),
            bytes: room.unwrap_or(self.retention.bytes),
        });
        self.tier.apply(own, &common.global).await;
        self.alerting.apply(common.alerting, &common.global).await;
        self.rules.apply(common.rules, &common.global.external_labels).await;
        self.text.store(Arc::new(common.text));
        self.metrics.successful.set(1);
        self.metrics.success_time.set(self.clock.now().as_ms() / 1000);
        Ok(())
    }
}
