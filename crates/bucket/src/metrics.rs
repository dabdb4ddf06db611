//! What the bucket's room counts of itself.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counters of uploads and of reading back.
#[derive(Debug, Clone, Default)]
pub(crate) struct UploadMetrics {
    pub(crate) uploads: Counter,
    pub(crate) failures: Counter,
    pub(crate) bytes: Counter,
    pub(crate) built: Counter,
    pub(crate) replaced: Counter,
    pub(crate) conflicts: Counter,
    pub(crate) pending: Gauge,
}

impl UploadMetrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = UploadMetrics::default();
        registry.register("watershed_bucket_block_uploads", "Blocks uploaded", metrics.uploads.clone());
        registry.register(
            "watershed_bucket_block_upload_failures",
            "Rounds in which a block could not be made or uploaded",
            metrics.failures.clone(),
        );
        registry.register("watershed_bucket_uploaded_bytes", "Bytes uploaded", metrics.bytes.clone());
        registry.register(
            "watershed_bucket_windows_built",
            "Blocks made of windows, uploaded or not",
            metrics.built.clone(),
        );
        registry.register(
            "watershed_bucket_blocks_replaced",
            "Blocks in the bucket that were marked for deletion because another one of their window has more",
            metrics.replaced.clone(),
        );
        registry.register(
            "watershed_bucket_window_conflicts",
            "Blocks of one window with the same number of samples and different content",
            metrics.conflicts.clone(),
        );
        registry.register(
            "watershed_bucket_windows_pending",
            "Complete windows whose block is still to be made or uploaded",
            metrics.pending.clone(),
        );
        metrics
    }
}

/// Counters of what is deleted from the bucket.
#[derive(Debug, Clone, Default)]
pub(crate) struct CleanMetrics {
    pub(crate) marked: Gauge,
    pub(crate) cleaned: Counter,
    pub(crate) partial: Counter,
    pub(crate) failures: Counter,
}

impl CleanMetrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = CleanMetrics::default();
        registry.register(
            "watershed_bucket_blocks_marked",
            "Blocks in the bucket that bore a deletion mark at the last look",
            metrics.marked.clone(),
        );
        registry.register(
            "watershed_bucket_blocks_cleaned",
            "Blocks deleted from the bucket because they were marked for it",
            metrics.cleaned.clone(),
        );
        registry.register(
            "watershed_bucket_partial_uploads_cleaned",
            "Blocks deleted from the bucket because their upload broke off",
            metrics.partial.clone(),
        );
        registry.register(
            "watershed_bucket_block_cleanup_failures",
            "Blocks that could not be deleted from the bucket",
            metrics.failures.clone(),
        );
        metrics
    }
}

/// Counters of what is read from the bucket.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadMetrics {
    pub(crate) blocks: Gauge,
    pub(crate) sync_failures: Counter,
    pub(crate) bytes: Counter,
}

impl ReadMetrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = ReadMetrics::default();
        registry.register("watershed_bucket_blocks", "Complete blocks in the bucket", metrics.blocks.clone());
        registry.register(
            "watershed_bucket_sync_failures",
            "Looks into the bucket that failed",
            metrics.sync_failures.clone(),
        );
        registry.register(
            "watershed_bucket_read_bytes",
            "Bytes read from the bucket for queries",
            metrics.bytes.clone(),
        );
        metrics
    }
}
