//! A block as a row of a table.

use tsdb::inspect::BlockSummary;

use super::table::Row;

/// A block as a row of the table.
pub(super) fn row(block: &BlockSummary) -> Row {
    Row {
        name: block.meta.ulid.to_string(),
        min_time: block.meta.min_time.as_ms(),
        max_time: block.meta.max_time.as_ms(),
        samples: block.meta.stats.num_samples,
        chunks: block.meta.stats.num_chunks,
        series: block.meta.stats.num_series,
        bytes: block.bytes,
    }
}
