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

/// The kind of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct TypeLabel {
    r#type: &'static str,
}

impl TypeLabel {
    pub(crate) const FLOAT: TypeLabel = TypeLabel { r#type: "float" };
    pub(crate) const HISTOGRAM: TypeLabel = TypeLabel { r#type: "histogram" };
}

/// Counts of samples by their kind, each there from the start.
type ByType = Family<TypeLabel, Counter>;

fn by_type() -> ByType {
    let family = ByType::default();
    drop(family.get_or_create(&TypeLabel::FLOAT));
    drop(family.get_or_create(&TypeLabel::HISTOGRAM));
    family
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
    samples_appended: ByType = "prometheus_tsdb_head_samples_appended", by_type();
    /// Minimum time bound of the head block, in milliseconds.
    head_min_time: Gauge = "prometheus_tsdb_head_min_time";
    /// Maximum time bound of the head block, in milliseconds.
    head_max_time: Gauge = "prometheus_tsdb_head_max_time";
    /// Total number of head truncations attempted.
    head_truncations: Counter = "prometheus_tsdb_head_truncations";
    /// Total number of out of order samples ingestion failed attempts.
    out_of_order_samples: ByType = "prometheus_tsdb_out_of_order_samples", by_type();
    /// Total number of out of bound samples ingestion failed attempts.
    out_of_bound_samples: ByType = "prometheus_tsdb_out_of_bound_samples", by_type();
    /// Total number of out of order samples ingestion failed attempts because they are older than the window for them.
    too_old_samples: ByType = "prometheus_tsdb_too_old_samples", by_type();
    /// Total number of appended out of order samples.
    out_of_order_samples_appended: ByType = "prometheus_tsdb_head_out_of_order_samples_appended", by_type();
    /// Bytes written to the log of late samples.
    wbl_written_bytes: Counter = "watershed_tsdb_wbl_written_bytes";
    /// Total number of samples that were refused because they lie too far in the future.
    too_new_samples: Counter = "watershed_tsdb_too_new_samples";
    /// Total number of appended exemplars.
    exemplars_appended: Counter = "prometheus_tsdb_exemplar_exemplars_appended";
    /// Number of exemplars currently in circular storage.
    exemplars_in_storage: Gauge = "prometheus_tsdb_exemplar_exemplars_in_storage";
    /// Number of series with exemplars currently in circular storage.
    series_with_exemplars: Gauge = "prometheus_tsdb_exemplar_series_with_exemplars_in_storage";
    /// The timestamp of the oldest exemplar stored in circular storage.
    last_exemplars_timestamp: Gauge<f64, std::sync::atomic::AtomicU64> = "prometheus_tsdb_exemplar_last_exemplars_timestamp_seconds";
    /// Total number of out of order exemplar ingestion failed attempts.
    out_of_order_exemplars: Counter = "prometheus_tsdb_exemplar_out_of_order_exemplars";
    /// Total number of exemplars the exemplar storage can store, resizeable.
    max_exemplars: Gauge = "prometheus_tsdb_exemplar_max_exemplars";
    /// Total number of WAL corruptions.
    wal_corruptions: Counter = "prometheus_tsdb_wal_corruptions";
    /// Total number of WAL truncations attempted.
    wal_truncations: Counter = "prometheus_tsdb_wal_truncations";
    /// Total number of WAL truncations that failed.
    wal_truncations_failed: Counter = "prometheus_tsdb_wal_truncations_failed";
    /// Total number of WAL writes that failed.
    wal_writes_failed: Counter = "prometheus_tsdb_wal_writes_failed";
    /// Whether commits can't be stored: 1 from one that failed, for example because the disk is full, until one about as large succeeds.
    storing_failed: Gauge = "watershed_tsdb_storing_failed";
    /// Total number of attempts to sync the log to disk that failed.
    wal_syncs_failed: Counter = "watershed_tsdb_wal_syncs_failed";
    /// Duration of syncing the log to disk.
    wal_fsync_seconds: Histogram = "prometheus_tsdb_wal_fsync_duration_seconds", Histogram::new(exponential_buckets(0.001, 4.0, 8));
    /// Segment of the log that is written to.
    wal_segment_current: Gauge = "prometheus_tsdb_wal_segment_current";
    /// Bytes written to the log.
    wal_written_bytes: Counter = "watershed_tsdb_wal_written_bytes";
    /// Records found in the log at start that this version does not read.
    wal_unread_records: Family<KindLabel, Counter> = "watershed_tsdb_wal_unread_records";
    /// Total number of checkpoint creations attempted.
    checkpoint_creations: Counter = "prometheus_tsdb_checkpoint_creations";
    /// Total number of checkpoint creations that failed.
    checkpoint_creations_failed: Counter = "prometheus_tsdb_checkpoint_creations_failed";
    /// Total number snapshot replays that failed.
    snapshot_replay_errors: Counter = "prometheus_tsdb_snapshot_replay_error";
    /// Series that the last start took from a chunk snapshot.
    snapshot_series_loaded: Gauge = "watershed_tsdb_chunk_snapshot_series_loaded";
    /// Chunk snapshots that could not be written; the next start reads the whole log.
    snapshots_failed: Counter = "watershed_tsdb_chunk_snapshots_failed";
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
    /// 0 where a lock file was found and taken over, 1 where the database was new or closed cleanly the last time.
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

impl Metrics {
    /// Samples of all kinds that were appended.
    pub(crate) fn all_samples_appended(&self) -> u64 {
        [TypeLabel::FLOAT, TypeLabel::HISTOGRAM]
            .iter()
            .map(|kind| self.samples_appended.get_or_create(kind).get())
            .sum()
    }
}
