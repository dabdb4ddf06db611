//! The database's own metrics, under Prometheus's names where it has the quantity.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::figures::{BatchedHistogram, ChunkFigures, add_figures};

/// The kind of a record in the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct KindLabel {
    pub(crate) kind: &'static str,
}

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $field:ident: $kind:ty = $name:literal $(, $make:expr)?;)+) => {
        /// All metrics of one database. Cloning shares them.
        #[derive(Debug, Clone)]
        pub(crate) struct Metrics {
            $($(#[doc = $help])+ pub(crate) $field: $kind,)+
        }

        impl Metrics {
            /// Makes the metrics and registers them.
            pub(crate) fn new(registry: &mut Registry) -> Self {
                $(
                    let $field: $kind = metrics!(@make $($make)?);
                    registry.register($name, concat!($($help),+).trim_start().trim_end_matches('.'), $field.clone());
                )+
                Metrics { $($field),+ }
            }
        }
    };
    (@make) => { Default::default() };
    (@make $make:expr) => { $make };
}

metrics! {
    /// Total number of series in the head block.
    head_series: Gauge = "prometheus_tsdb_head_series";
    /// Total number of series created in the head.
    head_series_created: Counter = "prometheus_tsdb_head_series_created";
    /// Total number of series removed in the head.
    head_series_removed: Counter = "prometheus_tsdb_head_series_removed";
    /// Total number of chunks in the head block.
    head_chunks: Gauge = "prometheus_tsdb_head_chunks";
    /// Total number of chunks created in the head.
    head_chunks_created: Counter = "prometheus_tsdb_head_chunks_created";
    /// Total number of chunks removed in the head.
    head_chunks_removed: Counter = "prometheus_tsdb_head_chunks_removed";
    /// Total number of chunks that were found in files of head chunks at start.
    mmap_chunks_loaded: Counter = "watershed_tsdb_head_chunks_loaded";
    /// Total number of memory-mapped chunk corruptions.
    mmap_chunk_corruptions: Counter = "prometheus_tsdb_mmap_chunk_corruptions";
    /// Writes of head chunks that failed; the chunks stay in memory.
    head_chunk_writes_failed: Counter = "watershed_tsdb_head_chunk_writes_failed";
    /// Total number of appended samples.
    samples_appended: Counter = "prometheus_tsdb_head_samples_appended";
    /// Minimum time bound of the head block, in milliseconds.
    head_min_time: Gauge = "prometheus_tsdb_head_min_time";
    /// Maximum time bound of the head block, in milliseconds.
    head_max_time: Gauge = "prometheus_tsdb_head_max_time";
    /// Total number of head truncations attempted.
    head_truncations: Counter = "prometheus_tsdb_head_truncations";
    /// Total number of out of order samples ingestion failed attempts.
    out_of_order_samples: Counter = "prometheus_tsdb_out_of_order_samples";
    /// Total number of out of bound samples ingestion failed attempts.
    out_of_bound_samples: Counter = "prometheus_tsdb_out_of_bound_samples";
    /// Total number of WAL corruptions.
    wal_corruptions: Counter = "prometheus_tsdb_wal_corruptions";
    /// Total number of WAL truncations attempted.
    wal_truncations: Counter = "prometheus_tsdb_wal_truncations";
    /// Total number of WAL truncations that failed.
    wal_truncations_failed: Counter = "prometheus_tsdb_wal_truncations_failed";
    /// Total number of WAL writes that failed.
    wal_writes_failed: Counter = "prometheus_tsdb_wal_writes_failed";
    /// Duration of syncing completed segments of the log to disk.
    wal_fsync_seconds: Histogram = "prometheus_tsdb_wal_fsync_duration_seconds", Histogram::new(exponential_buckets(0.001, 4.0, 8));
    /// Segment of the log that is written to.
    wal_segment_current: Gauge = "prometheus_tsdb_wal_segment_current";
    /// Bytes written to the log.
    wal_written_bytes: Counter = "watershed_tsdb_wal_written_bytes";
    /// Records found in the log at start that this version does not read.
    wal_unread_records: Family<KindLabel, Counter> = "watershed_tsdb_wal_unread_records";
    /// Total number of checkpoint creations attempted.
    checkpoint_creations: Counter = "prometheus_tsdb_checkpoint_creations";
    /// Duration of taking in the log at start.
    replay_seconds: Gauge<f64, std::sync::atomic::AtomicU64> = "prometheus_tsdb_data_replay_duration_seconds";
    /// Total number of compactions that were executed for the partition.
    compactions: Counter = "prometheus_tsdb_compactions";
    /// Total number of compactions that failed for the partition.
    compactions_failed: Counter = "prometheus_tsdb_compactions_failed";
    /// Duration of compaction runs.
    compaction_seconds: Histogram = "prometheus_tsdb_compaction_duration_seconds", Histogram::new(exponential_buckets(0.01, 4.0, 8));
    /// Total number of triggered compactions for the partition.
    compactions_triggered: Counter = "prometheus_tsdb_compactions_triggered";
    /// Total number of compactions done on overlapping blocks.
    vertical_compactions: Counter = "prometheus_tsdb_vertical_compactions";
    /// Set to 1 when a block is currently being written to the disk.
    compaction_populating: Gauge = "prometheus_tsdb_compaction_populating_block";
    /// Final size of chunks on their first compaction.
    chunk_size_bytes: BatchedHistogram = "prometheus_tsdb_compaction_chunk_size_bytes", BatchedHistogram::of_sizes();
    /// Final number of samples on their first compaction.
    chunk_samples: BatchedHistogram = "prometheus_tsdb_compaction_chunk_samples", BatchedHistogram::of_samples();
    /// Final time range of chunks on their first compaction.
    chunk_range_seconds: BatchedHistogram = "prometheus_tsdb_compaction_chunk_range_seconds", BatchedHistogram::of_ranges();
    /// Number of times the database reloaded block data from disk.
    reloads: Counter = "prometheus_tsdb_reloads";
    /// Number of times the database failed to reload block data from disk.
    reload_failures: Counter = "prometheus_tsdb_reloads_failures";
    /// The time taken to recompact blocks to remove tombstones.
    tombstone_cleanup_seconds: Histogram = "prometheus_tsdb_tombstone_cleanup_seconds", Histogram::new(exponential_buckets(0.005, 2.5, 10));
    /// 0: a lock file was found and taken over, 1: the database was shut down cleanly the last time.
    clean_start: Gauge = "prometheus_tsdb_clean_start";
    /// Number of currently loaded data blocks.
    blocks_loaded: Gauge = "prometheus_tsdb_blocks_loaded";
    /// The number of bytes that are currently used for local storage by all blocks.
    blocks_bytes: Gauge = "prometheus_tsdb_storage_blocks_bytes";
    /// Blocks that were set aside because they could not be opened, or are left alone by compaction.
    blocks_set_aside: Gauge = "watershed_tsdb_blocks_set_aside";
    /// Lowest timestamp value stored in the database, in milliseconds.
    lowest_timestamp: Gauge = "prometheus_tsdb_lowest_timestamp";
    /// The number of times that blocks were deleted because the maximum time limit was exceeded.
    time_retentions: Counter = "prometheus_tsdb_time_retentions";
    /// The number of times that blocks were deleted because the maximum number of bytes was exceeded.
    size_retentions: Counter = "prometheus_tsdb_size_retentions";
    /// Max number of bytes to be retained in the tsdb blocks, configured 0 means disabled.
    retention_limit_bytes: Gauge = "prometheus_tsdb_retention_limit_bytes";
    /// How long to retain samples in storage.
    retention_limit_seconds: Gauge = "prometheus_tsdb_retention_limit_seconds";
}

impl Metrics {
    /// Adds what the chunks of a new block are like.
    pub(crate) fn add_chunk_figures(&self, figures: &ChunkFigures) {
        add_figures(figures, &self.chunk_size_bytes, &self.chunk_samples, &self.chunk_range_seconds);
    }
}
