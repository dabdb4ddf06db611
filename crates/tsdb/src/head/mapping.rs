//! Full chunks on their way from memory to their files.

use super::cutting::Cutting;
use super::state::Head;

impl Head {
    /// What a series needs to cut a chunk.
    pub(super) fn cutting(&self) -> Cutting<'_> {
        Cutting { chunk_range_ms: self.options.chunk_range_ms, chunks: &self.chunks }
    }

    /// Writes full chunks that wait in memory to their files. Call it every few seconds: it costs one write, or nothing.
    /// A failure is told and costs nothing: the chunks stay in memory, and in the log.
    pub(crate) fn flush_chunks(&self) {
        if let Err(error) = self.chunks.flush() {
            self.metrics.head_chunk_writes_failed.inc();
            tracing::warn!(dir = %self.chunks.dir().display(), %error, "cannot write head chunks: they stay in memory");
        }
    }

    /// The same if much waits, for a commit that is at its end and holds no lock.
    pub(super) fn flush_many_chunks(&self) {
        if self.chunks.wants_flush() {
            self.flush_chunks();
        }
    }

    /// Lets go of what reading chunks has brought into memory. The pages stay in the system's cache.
    pub(crate) fn forget_chunk_pages(&self) {
        self.chunks.forget_pages();
    }

    /// Deletes the files before `file`, which no series needs any more. A failure is told; the next truncation tries again.
    pub(super) fn delete_chunk_files_before(&self, file: Option<u32>) {
        if let Err(error) = self.chunks.delete_before(file.unwrap_or(u32::MAX)) {
            tracing::warn!(dir = %self.chunks.dir().display(), %error, "cannot delete files of head chunks");
        }
    }
}
