//! What exists before the configuration is applied: database, engine, registry, the word to stop.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::Facts;
use discovery::Environment;
use model::Clock;
use prometheus_client::registry::Registry;
use promql::Engine;
use tokio_util::sync::CancellationToken;
use tsdb::{Db, Retention};

use crate::error::StartError;
use crate::options::Options;
use crate::queries::{Books, HeldBytes};

/// The ground that a tier builds on.
pub struct Base {
    /// The local database.
    pub db: Arc<Db>,
    /// Evaluates the queries of people and programs.
    pub engine: Arc<Engine>,
    /// Evaluates rules, under limits of its own, so that no number of queries delays an alert.
    pub rule_engine: Arc<Engine>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Finds targets and shards.
    pub discovery: Arc<Environment>,
    /// Takes the tier's metrics.
    pub registry: Registry,
    /// The directory of the database.
    pub data_dir: PathBuf,
    /// The URL under which others reach the node, without a slash at its end.
    pub external_url: String,
    /// Says that the node stops; background work of the tier ends with it.
    pub stop: CancellationToken,
    pub(crate) config_file: PathBuf,
    pub(crate) auto_reload: Option<Duration>,
    pub(crate) retention: Retention,
    pub(crate) listener: TcpListener,
    pub(crate) facts: Facts,
    pub(crate) hostname: Option<String>,
    pub(crate) sync_interval_ms: i64,
    pub(crate) store_metadata: bool,
    pub(crate) store_start_zeros: bool,
    pub(crate) books: Arc<Books>,
}

impl Base {
    /// Opens the database, which replays what a crash left.
    pub async fn open(options: Options) -> Result<Self, StartError> {
        let Options { data_dir, clock, mut registry, .. } = options;
        let local =
            options.listener.local_addr().map_err(|e| StartError::other("cannot tell the listening address", e))?;
        let external_url = match options.external_url.trim_end_matches('/') {
            "" => format!("http://{local}"),
            url => url.to_owned(),
        };
        let facts = Facts {
            version: options.version,
            revision: options.revision,
            start_time: clock.now(),
            working_directory: std::env::current_dir().unwrap_or_default(),
            flags: options.flags,
            path_prefix: path_prefix(&external_url),
            lifecycle: options.lifecycle,
            admin: options.admin,
        };
        let database = tsdb::Options {
            retention_ms: options.retention_ms,
            retention_bytes: options.retention_bytes,
            min_block_ms: options.min_block_ms,
            max_block_ms: options.max_block_ms,
            load_in_background: true,
            chunk_snapshot: true,
            wal_segment_bytes: options.log.segment_bytes,
            wal_compression: options.log.compression,
            max_exemplars: options.storage.max_exemplars,
            out_of_order_window_ms: options.storage.out_of_order_window_ms,
            ..tsdb::Options::new(data_dir.clone())
        };
        let open_clock = clock.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let db = Db::open(database, open_clock, &mut registry);
            (db, registry)
        });
        let (db, mut registry) = opened.await.map_err(|e| StartError::other("opening the database", e))?;
        let db = db.map_err(|source| StartError::Database { path: data_dir.clone(), source })?;
        // Two engines, each with as many queries at a time.
        let places = options.engine.max_concurrency.saturating_mul(2);
        let books = Books::open(&data_dir, places, clock.clone(), &mut registry);
        let engine = Engine::new(options.engine).watched_by(books.clone());
        registry.register_collector(Box::new(HeldBytes(engine.clone())));
        Ok(Base {
            db,
            rule_engine: Arc::new(engine.beside()),
            engine: Arc::new(engine),
            discovery: Environment::new(&mut registry),
            clock,
            registry,
            data_dir,
            external_url,
            stop: CancellationToken::new(),
            config_file: options.config_file,
            auto_reload: options.auto_reload,
            retention: Retention { ms: options.retention_ms, bytes: options.retention_bytes },
            listener: options.listener,
            facts,
            hostname: options.hostname,
            sync_interval_ms: options.log.sync_interval_ms,
            store_metadata: options.store_metadata,
            store_start_zeros: options.store_start_zeros,
            books,
        })
    }
}

/// The path of a URL with slashes at both ends.
fn path_prefix(url: &str) -> String {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    match after_scheme.split_once('/') {
        Some((_, path)) if !path.is_empty() => format!("/{}/", path.trim_matches('/')),
        _ => "/".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_has_slashes_at_both_ends() {
        let check = |url: &str, want: &str| assert_eq!(path_prefix(url), want);
        check("http://127.0.0.1:9090", "/");
        check("http://example.org/", "/");
        check("https://example.org/mon/eu", "/mon/eu/");
        check("https://example.org/mon/", "/mon/");
    }
}
