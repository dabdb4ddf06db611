//! The command line. Flags are Prometheus's where the meaning is the same.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use model::parse_duration;

use crate::feature::{Feature, FeatureParser};
use crate::memory;
use crate::test_arguments::Test;
use crate::tsdb_arguments::Tsdb;

/// Federated hierarchical monitoring: shards scrape, store and alert in each cluster; globals keep their aggregates.
#[derive(Debug, Parser)]
#[command(name = "watershed", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) logging: Logging,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
pub(crate) struct Logging {
    /// Only log messages of this severity or above.
    #[arg(long = "log.level", global = true, display_order = 1000, default_value = "info", value_parser = ["debug", "info", "warn", "error"])]
    pub(crate) level: String,
    /// Log as lines for people or as JSON.
    #[arg(long = "log.format", global = true, display_order = 1001, default_value = "logfmt", value_enum)]
    pub(crate) format: LogFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    /// time LEVEL message key=value
    Logfmt,
    /// one JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a shard: scrape, store, evaluate rules and alert inside one cluster.
    Shard(ShardFlags),
    /// Run a global: pull the shards' aggregates, keep them in a bucket, answer for all clusters.
    Global(NodeFlags),
    /// Run the whole hierarchy on this machine: two clusters with a shard pair each, a global pair, live alerts.
    Demo(DemoFlags),
    /// Validate configuration files; errors come with file, line and column.
    #[command(subcommand)]
    Check(Check),
    /// Run tests of queries and of rules, in the formats of Prometheus and promtool.
    #[command(subcommand)]
    Test(Test),
    /// Work on a data directory: list, dump, analyze, verify, make blocks. Reads without locking, also while a shard runs.
    #[command(subcommand)]
    Tsdb(Tsdb),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Check {
    /// A shard's or a global's configuration and the rule files it names.
    Config(CheckConfig),
    /// Rule files.
    Rules(WithExpressions),
    /// Alertmanager configuration files.
    AlertConfig(Files),
    /// What relabelling does to a target, or to a series, rule by rule.
    ///
    /// The exit code is 1 where the target is dropped or can't be scraped.
    #[command(after_long_help = RELABEL_EXAMPLE)]
    Relabel(CheckRelabel),
}

const RELABEL_EXAMPLE: &str = "\
Example:
  watershed check relabel --config.file=prometheus.yml --job=pods \\
    __address__=10.0.0.7:8080 __meta_kubernetes_namespace=shop __meta_kubernetes_pod_name=cart-1";

#[derive(Debug, Args)]
pub(crate) struct CheckRelabel {
    /// The configuration that has the job.
    #[arg(long = "config.file", default_value = "prometheus.yml")]
    pub(crate) config_file: PathBuf,
    /// The job.
    #[arg(long)]
    pub(crate) job: String,
    /// Try metric_relabel_configs on the labels of a series instead of relabel_configs on those of a target.
    #[arg(long)]
    pub(crate) metrics: bool,
    /// Labels as they are before, name=value.
    #[arg(required = true, value_parser = parse_label)]
    pub(crate) labels: Vec<(String, String)>,
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("want name=value".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct Files {
    /// The files.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckConfig {
    #[command(flatten)]
    pub(crate) files: WithExpressions,
    /// Leave out what the configuration names and a node reads only as it runs: credentials, certificates, files of targets, and whether rule
    /// files exist.
    #[arg(long = "syntax-only")]
    pub(crate) syntax_only: bool,
    /// Check for a shard that runs with --agent.
    #[arg(long)]
    pub(crate) agent: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WithExpressions {
    #[command(flatten)]
    pub(crate) files: Files,
    /// Features that the node has, separated by commas; may be repeated.
    #[arg(long = "enable-feature", value_parser = FeatureParser, value_delimiter = ',')]
    pub(crate) features: Vec<Feature>,
}

#[derive(Debug, Args)]
pub(crate) struct ShardFlags {
    #[command(flatten)]
    pub(crate) node: NodeFlags,
    /// Scrape, store and hand on over /federate, nothing else: no rules, no alerts, no queries.
    #[arg(long)]
    pub(crate) agent: bool,
}

#[derive(Debug, Args)]
pub(crate) struct NodeFlags {
    /// Configuration file.
    #[arg(long = "config.file", default_value = "prometheus.yml")]
    pub(crate) config_file: PathBuf,
    /// How often the configuration's files are looked at with --enable-feature=auto-reload-config, and loaded where one has changed.
    #[arg(long = "config.auto-reload-interval", default_value = "30s", value_parser = parse_positive)]
    pub(crate) auto_reload_interval_ms: i64,
    /// Directory of the database.
    #[arg(long = "storage.tsdb.path", default_value = "data")]
    pub(crate) data_dir: PathBuf,
    /// How long samples are kept locally; 0 keeps them forever. By default 15d, or forever where a size is given.
    #[arg(long = "storage.tsdb.retention.time", value_parser = parse_duration)]
    pub(crate) retention_ms: Option<i64>,
    /// How many bytes blocks and logs may take before the oldest blocks are deleted, for example 512MB; 0 for no limit.
    #[arg(long = "storage.tsdb.retention.size", default_value = "0B", value_parser = parse_size)]
    pub(crate) retention_bytes: u64,
    /// The time that one block covers when it is cut.
    #[arg(long = "storage.tsdb.min-block-duration", default_value = "2h", value_parser = parse_positive)]
    pub(crate) min_block_ms: i64,
    /// The most time that one block covers; by default a tenth of the retention, at most 31 days.
    #[arg(long = "storage.tsdb.max-block-duration", value_parser = parse_positive)]
    pub(crate) max_block_ms: Option<i64>,
    #[command(flatten)]
    pub(crate) log: LogFlags,
    /// Features to turn on, separated by commas; may be repeated.
    #[arg(long = "enable-feature", value_parser = FeatureParser, value_delimiter = ',')]
    pub(crate) features: Vec<Feature>,
    /// Address to listen on.
    #[arg(long = "web.listen-address", default_value = "0.0.0.0:9090", value_parser = parse_listen_address)]
    pub(crate) listen_address: SocketAddr,
    /// The URL under which people and other nodes reach this one, used in alerts and links.
    #[arg(long = "web.external-url", default_value = "")]
    pub(crate) external_url: String,
    /// Serve /-/reload and /-/quit.
    #[arg(long = "web.enable-lifecycle")]
    pub(crate) enable_lifecycle: bool,
    /// Serve /api/v1/admin.
    #[arg(long = "web.enable-admin-api")]
    pub(crate) enable_admin_api: bool,
    /// How long a query may take.
    #[arg(long = "query.timeout", default_value = "2m", value_parser = parse_positive)]
    pub(crate) query_timeout_ms: i64,
    /// How many samples one query may hold in memory.
    #[arg(long = "query.max-samples", default_value_t = 50_000_000)]
    pub(crate) query_max_samples: usize,
    /// How many bytes of memory one query may hold; 0B for as many as its samples take.
    #[arg(long = "query.max-bytes", default_value = "0B", value_parser = parse_size)]
    pub(crate) query_max_bytes: u64,
    /// How many bytes of memory all queries may hold together: a size, a part of the memory that this process may use, or 0B for any
    /// number. Rules count and are never refused.
    #[arg(long = "query.max-total-bytes", default_value = "25%", value_parser = parse_memory)]
    pub(crate) query_max_total_bytes: u64,
    /// How many queries may run at once.
    #[arg(long = "query.max-concurrency", default_value_t = 20)]
    pub(crate) query_max_concurrency: usize,
    /// How far back a query looks for a series' newest sample.
    #[arg(long = "query.lookback-delta", default_value = "5m", value_parser = parse_positive)]
    pub(crate) query_lookback_ms: i64,
}

/// How the write-ahead log is written.
#[derive(Debug, Args)]
pub(crate) struct LogFlags {
    /// Size at which segments of the write-ahead log are split, 10MB to 256MB.
    #[arg(long = "storage.tsdb.wal-segment-size", default_value = "128MB", value_parser = parse_segment_size)]
    pub(crate) segment_bytes: u64,
    /// Compress the write-ahead log; the default.
    #[arg(long = "storage.tsdb.wal-compression", overrides_with = "no_compression")]
    pub(crate) compression: bool,
    /// Don't compress the write-ahead log.
    #[arg(long = "no-storage.tsdb.wal-compression", overrides_with = "compression")]
    pub(crate) no_compression: bool,
    /// How the write-ahead log is compressed. Prometheus reads zstd since 2.46.
    #[arg(long = "storage.tsdb.wal-compression-type", default_value = "snappy", value_enum)]
    pub(crate) compression_type: Compression,
    /// How often the write-ahead log is synced to disk: a power cut loses no more than this of what was stored. 0 syncs
    /// segments when they are complete and leaves the rest to the system, which takes 30s or so on Linux. The death of the
    /// process alone loses nothing in any case.
    #[arg(long = "storage.tsdb.wal-sync-interval", default_value = "0s", value_parser = parse_duration)]
    pub(crate) sync_interval_ms: i64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Compression {
    /// Less CPU.
    Snappy,
    /// Less disk.
    Zstd,
}

impl Compression {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Compression::Snappy => "snappy",
            Compression::Zstd => "zstd",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct DemoFlags {
    /// Directory for everything the demo writes; a new temporary one, removed at the end, by default.
    #[arg(long = "dir")]
    pub(crate) dir: Option<PathBuf>,
    /// First of the ports that the demo listens on, all on 127.0.0.1.
    #[arg(long = "port-base", default_value_t = 9500)]
    pub(crate) port_base: u16,
    /// The time that one block covers.
    #[arg(long = "block-duration", default_value = "1m", value_parser = parse_positive)]
    pub(crate) block_ms: i64,
    /// Once everything is ready, a JSON object with all addresses is written here.
    #[arg(long = "ready-file")]
    pub(crate) ready_file: Option<PathBuf>,
}

fn parse_positive(text: &str) -> Result<i64, String> {
    match parse_duration(text) {
        Ok(0) => Err("must be longer than 0".to_owned()),
        Ok(ms) => Ok(ms),
        Err(error) => Err(error.to_string()),
    }
}

/// `100MB`, `128MiB`, `1.5GB`, `10485760B`: as in Prometheus all units are powers of 1024.
fn parse_size(text: &str) -> Result<u64, String> {
    let invalid = || format!("{text:?} is no size: want a number and a unit such as MB");
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "b" | "" => 0,
        "kb" | "kib" => 10,
        "mb" | "mib" => 20,
        "gb" | "gib" => 30,
        "tb" | "tib" => 40,
        "pb" | "pib" => 50,
        "eb" | "eib" => 60,
        _ => return Err(invalid()),
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(1 << shift).ok_or_else(|| format!("{text:?} is more than 16 EB"));
    }
    let bytes = number.parse::<f64>().map_err(|_| invalid())? * (1_u64 << shift) as f64;
    if bytes < u64::MAX as f64 { Ok(bytes as u64) } else { Err(format!("{text:?} is more than 16 EB")) }
}

/// A size, or a percentage of the memory that this process may use.
fn parse_memory(text: &str) -> Result<u64, String> {
    let Some(percent) = text.strip_suffix('%') else { return parse_size(text) };
    match percent.parse::<u8>() {
        Ok(percent @ 1..=100) => Ok(memory::available().map_or(0, |bytes| bytes / 100 * u64::from(percent))),
        _ => Err(format!("{text:?} is no part of the memory: want 1% to 100%")),
    }
}

fn parse_segment_size(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        bytes if (10 << 20..=256 << 20).contains(&bytes) => Ok(bytes),
        _ => Err(format!("{text:?} is not between 10MB and 256MB")),
    }
}

/// `host:port`, or `:port` for all interfaces as Prometheus takes it.
fn parse_listen_address(text: &str) -> Result<SocketAddr, String> {
    let full =
        if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.replacen("localhost:", "127.0.0.1:", 1) };
    full.parse().map_err(|_| format!("{text:?} is no address: want IP:PORT, or :PORT for all interfaces"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        let check = |text: &str, want: Option<u64>| assert_eq!(parse_size(text).ok(), want, "{text}");
        check("0", Some(0));
        check("512MB", Some(512 << 20));
        check("1.5GiB", Some(3 << 29));
        check("2TB", Some(2 << 40));
        check("100B", Some(100));
        check("16EB", None);
        check("1.2.3MB", None);
        check("MB", None);
        check("-1MB", None);
        check("5 apples", None);
    }

    #[test]
    fn segment_sizes_are_prometheus_s() {
        let check = |text: &str, want: Option<u64>| assert_eq!(parse_segment_size(text).ok(), want, "{text}");
        check("10MB", Some(10 << 20));
        check("128MiB", Some(128 << 20));
        check("16777216", Some(16 << 20));
        check("9MB", None);
        check("257MB", None);
        check("1x", None);
        check("MB", None);
        check("99999999999999999999GB", None);
    }

    #[test]
    fn compression_can_be_set_off() {
        let flags = |arguments: &[&str]| {
            let all = ["watershed", "shard"].into_iter().chain(arguments.iter().copied());
            match Arguments::try_parse_from(all).map(|arguments| arguments.command) {
                Ok(Command::Shard(flags)) => flags.node.log,
                other => panic!("{other:?}"),
            }
        };
        assert!(!flags(&[]).no_compression);
        assert!(flags(&["--no-storage.tsdb.wal-compression"]).no_compression);
        assert!(!flags(&["--no-storage.tsdb.wal-compression", "--storage.tsdb.wal-compression"]).no_compression);
        assert!(matches!(flags(&["--storage.tsdb.wal-compression-type=zstd"]).compression_type, Compression::Zstd));
    }
}
