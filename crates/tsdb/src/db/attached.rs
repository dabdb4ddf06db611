//! Exemplars and metadata, what of the configuration may change while the database is open, and what is done every few seconds.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use model::{Labels, Matcher, Metadata, TimeRange};
use storage::{ExemplarQueryable, ExemplarSeries, QueryError};

use super::state::Db;
use crate::options::Retention;

#[async_trait]
impl ExemplarQueryable for Db {
    async fn exemplars(&self, selectors: &[Vec<Matcher>], range: TimeRange) -> Result<Vec<ExemplarSeries>, QueryError> {
        Ok(self.head.select_exemplars(selectors, range))
    }
}

impl Db {
    /// What was last appended of the metadata of a series that is in the head.
    pub fn series_metadata(&self, labels: &Labels) -> Option<Arc<Metadata>> {
        self.head.series_metadata(labels)
    }

    /// Changes how many exemplars are kept; what came last stays.
    pub fn set_max_exemplars(&self, count: usize) {
        self.head.set_max_exemplars(count);
    }

    /// Changes how much older than the newest a late sample or exemplar may be, in milliseconds; 0 takes none.
    pub fn set_out_of_order_window(&self, window_ms: i64) {
        self.head.set_out_of_order_window(window_ms.max(0));
    }

    /// How long and how much is kept.
    pub fn retention(&self) -> Retention {
        *self.retention.read()
    }

    /// Changes it from the next round of maintenance on.
    pub fn set_retention(&self, retention: Retention) {
        *self.retention.write() = retention;
        self.metrics.retention_limit_bytes.set(i64::try_from(retention.bytes).unwrap_or(i64::MAX));
        self.metrics.retention_limit_seconds.set(retention.ms / 1000);
    }

    /// Writes full chunks of the head that wait in memory to their files, and costs nothing where none waits; commits write them
    /// from 1 MiB on, and `maintain` does. Call it every few seconds. Nothing that was acknowledged depends on it: until they
    /// are written, and after a failure, which is told and counted, chunks can be read from memory, and the log has their samples.
    pub fn flush(&self) {
        self.head.flush_chunks();
    }

    /// Syncs what of the logs is written. Commits go on meanwhile. Called every few seconds it bounds what a power cut can
    /// lose; `maintain` alone syncs only segments that are complete.
    ///
    /// # Errors
    /// The log can't be synced; the next call tries again.
    pub fn sync_log(&self) -> io::Result<()> {
        let start = Instant::now();
        let late = self.head.late_log().map_or(Ok(false), |log| log.sync_written());
        match self.head.wal().sync_written().and_then(|synced| Ok(synced | late?)) {
            Ok(true) => self.metrics.wal_fsync_seconds.observe(start.elapsed().as_secs_f64()),
            Ok(false) => {}
            Err(error) => {
                self.metrics.wal_syncs_failed.inc();
                return Err(error);
            }
        }
        Ok(())
    }
}
