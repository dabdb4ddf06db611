//! Where chunks end.

use crate::head_chunks::HeadChunks;

/// What cutting a chunk needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cutting<'a> {
    /// No chunk crosses a multiple of this.
    pub(super) chunk_range_ms: i64,
    /// Where full chunks go.
    pub(super) chunks: &'a HeadChunks,
}

/// Where the range of `width` that holds `time` ends.
pub(super) fn range_end(time: i64, width: i64) -> i64 {
    time.div_euclid(width).saturating_add(1).saturating_mul(width)
}

/// Foresees, from the time that a chunk's samples took so far, where to end it so that all chunks up to `end` become alike.
/// `full` tells how many times as long the chunk should become. Prometheus's `computeChunkEndTime`.
pub(super) fn predicted_cut(start: i64, now: i64, end: i64, full: f64) -> i64 {
    let chunks = (end - start) as f64 / ((now - start + 1) as f64 * full);
    if chunks <= 1.0 { end } else { start + ((end - start) as f64 / chunks.floor()) as i64 }
}
