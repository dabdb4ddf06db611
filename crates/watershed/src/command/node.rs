//! What `watershed shard` and `watershed global` have in common: flags become options, and a node runs until it is told to
//! stop.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use daemon::{LogOptions, Options, Running, StorageConfig, Tier, WalCompression};
use model::{Clock, SystemClock, Timestamp, format_duration};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use promql::EngineOptions;

use crate::arguments::{Compression, LogFlags, NodeFlags};
use crate::feature::Feature;
use crate::process::Process;
use crate::signals::{Asked, Signals};

/// Prometheus: a tenth of the retention, at most 31 days.
const MAX_BLOCK_MS: i64 = 31 * 24 * 3_600_000;

const RETENTION_MS: i64 = 15 * 24 * 3_600_000;

/// The options that the flags ask for.
pub(crate) fn options(flags: &NodeFlags) -> Result<Options> {
    let listener = TcpListener::bind(flags.listen_address)
        .with_context(|| format!("cannot listen on {} (--web.listen-address)", flags.listen_address))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Ok(Options {
        config_file: flags.config_file.clone(),
        auto_reload: flags
            .features
            .contains(&Feature::AutoReloadConfig)
            .then(|| Duration::from_millis(flags.auto_reload_interval_ms.unsigned_abs())),
        data_dir: flags.data_dir.clone(),
        listener,
        external_url: flags.external_url.clone(),
        retention_ms: retention_ms(flags),
        retention_bytes: flags.retention_bytes,
        min_block_ms: flags.min_block_ms,
        max_block_ms: max_block_ms(flags),
        log: log_options(&flags.log),
        storage: StorageConfig::default(),
        store_metadata: flags.features.contains(&Feature::MetadataWalRecords),
        store_start_zeros: flags.features.contains(&Feature::CreatedTimestampZeroIngestion),
        agent: false,
        engine: EngineOptions {
            lookback_ms: flags.query_lookback_ms,
            timeout: Duration::from_millis(flags.query_timeout_ms.unsigned_abs()),
            max_samples: flags.query_max_samples,
            max_bytes: flags.query_max_bytes,
            max_total_bytes: flags.query_max_total_bytes,
            max_concurrency: flags.query_max_concurrency,
            language: Feature::language(&flags.features),
            per_step_stats: flags.features.contains(&Feature::PromqlPerStepStats),
            ..EngineOptions::default()
        },
        lifecycle: flags.enable_lifecycle,
        admin: flags.enable_admin_api,
        flags: shown(flags),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: option_env!("WATERSHED_REVISION").unwrap_or_default().to_owned(),
        hostname: hostname(),
        registry: registry(clock.now()),
        clock,
    })
}

/// The machine's name, where the system tells it.
fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// A registry with what every process tells of itself.
pub(crate) fn registry(start_time: Timestamp) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Process { start_time }));
    let build = Family::<Vec<(String, String)>, Gauge>::default();
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    build
        .get_or_create(&vec![
            label("version", env!("CARGO_PKG_VERSION")),
            label("revision", option_env!("WATERSHED_REVISION").unwrap_or_default()),
        ])
        .set(1);
    registry.register("watershed_build_info", "Which build this is, always 1", build);
    registry
}

/// Prometheus: 15 days, unless a size is given.
fn retention_ms(flags: &NodeFlags) -> i64 {
    flags.retention_ms.unwrap_or(if flags.retention_bytes > 0 { 0 } else { RETENTION_MS })
}

fn max_block_ms(flags: &NodeFlags) -> i64 {
    let retention_ms = retention_ms(flags);
    let by_retention = if retention_ms > 0 { (retention_ms / 10).min(MAX_BLOCK_MS) } else { MAX_BLOCK_MS };
    flags.max_block_ms.unwrap_or(by_retention).max(flags.min_block_ms)
}

fn log_options(flags: &LogFlags) -> LogOptions {
    let compression = match flags.compression_type {
        _ if flags.no_compression => WalCompression::None,
        Compression::Snappy => WalCompression::Snappy,
        Compression::Zstd => WalCompression::Zstd,
    };
    LogOptions { segment_bytes: flags.segment_bytes, compression, sync_interval_ms: flags.sync_interval_ms }
}

fn shown(flags: &NodeFlags) -> BTreeMap<String, String> {
    let all = [
        ("config.file", flags.config_file.display().to_string()),
        ("config.auto-reload-interval", format_duration(flags.auto_reload_interval_ms)),
        ("storage.tsdb.path", flags.data_dir.display().to_string()),
        ("storage.tsdb.retention.time", format_duration(retention_ms(flags))),
        ("storage.tsdb.retention.size", model::format_size(flags.retention_bytes)),
        ("storage.tsdb.min-block-duration", format_duration(flags.min_block_ms)),
        ("storage.tsdb.max-block-duration", format_duration(max_block_ms(flags))),
        ("storage.tsdb.wal-segment-size", format!("{}B", flags.log.segment_bytes)),
        ("storage.tsdb.wal-compression", (!flags.log.no_compression).to_string()),
        ("storage.tsdb.wal-compression-type", flags.log.compression_type.name().to_owned()),
        ("storage.tsdb.wal-sync-interval", format_duration(flags.log.sync_interval_ms)),
        ("enable-feature", flags.features.iter().map(|feature| feature.name()).collect::<Vec<_>>().join(",")),
        ("web.listen-address", flags.listen_address.to_string()),
        ("web.external-url", flags.external_url.clone()),
        ("web.enable-lifecycle", flags.enable_lifecycle.to_string()),
        ("web.enable-admin-api", flags.enable_admin_api.to_string()),
        ("query.timeout", format_duration(flags.query_timeout_ms)),
        ("query.max-samples", flags.query_max_samples.to_string()),
        ("query.max-bytes", model::format_size(flags.query_max_bytes)),
        ("query.max-total-bytes", model::format_size(flags.query_max_total_bytes)),
        ("query.max-concurrency", flags.query_max_concurrency.to_string()),
        ("query.lookback-delta", format_duration(flags.query_lookback_ms)),
    ];
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Runs a node until a signal or an HTTP request ends it.
pub(crate) async fn until_told_to_stop<T: Tier>(running: Running<T>, mut signals: Signals) -> ExitCode {
    loop {
        let asked = tokio::select! {
            asked = signals.next() => asked,
            () = running.quit_requested() => Asked::Stop,
        };
        match asked {
            Asked::Stop => break,
            Asked::Reload => {
                if let Err(reason) = running.reload().await {
                    tracing::error!("configuration not reloaded, the old one stays in force: {reason}");
                }
            }
        }
    }
    running.stop().await;
    ExitCode::SUCCESS
}
