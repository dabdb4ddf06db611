//! Reading what was there before the start.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use model::Timestamp;

use super::maintenance::MaintenanceError;
use super::state::Db;
use crate::head::{Loading, Replay, ReplayReport};
use crate::metrics::{KindLabel, Metrics};
use crate::options::OpenError;

/// So long a question waits for samples that are still being read.
const WAIT_MAX: Duration = Duration::from_secs(10);

impl Db {
    /// Makes the series of the log, then reads its samples, in a thread of its own where the options say so.
    pub(super) fn load(db: &Arc<Db>, min_valid: Timestamp) -> Result<(), OpenError> {
        let io_error = |source: io::Error| OpenError::io(&db.options.dir, source);
        let start = Instant::now();
        let replay = Replay::begin(Arc::clone(&db.head)).map_err(io_error)?;
        if !db.options.load_in_background {
            return db.load_samples(replay, min_valid, start).map_err(io_error);
        }
        let owned = Arc::clone(db);
        let run = move || {
            // Whoever waits would wait for ever if this thread went away without a word.
            let told = EndOfLoading(&owned.loading);
            let result = owned.load_samples(replay, min_valid, start);
            drop(told);
            if let Err(error) = result
                && !owned.head.is_closing()
            {
                tracing::error!(%error, dir = %owned.options.dir.display(), "cannot read the samples of before the start");
            }
        };
        thread::Builder::new().name("tsdb-load".to_owned()).spawn(run).map(drop).map_err(io_error)
    }

    fn load_samples(&self, replay: Replay, min_valid: Timestamp, start: Instant) -> io::Result<()> {
        let result = replay.finish();
        if result.is_ok() {
            self.head.drop_before(min_valid);
        }
        if result.is_ok() {
            self.head.forget_snapshot();
        }
        self.loading.end(result.as_ref().err().map(ToString::to_string));
        let report = result?;
        tell_replay(&report, &self.metrics, start);
        self.compare_with_clock();
        self.show_blocks();
        Ok(())
    }

    /// Waits until all samples of before the start are there, on this thread.
    pub(super) fn wait_for_history(&self) -> Result<(), MaintenanceError> {
        self.loading.wait();
        match self.loading.failure() {
            Some(reason) => Err(MaintenanceError::History { dir: self.options.dir.clone(), reason }),
            None => Ok(()),
        }
    }

    /// Waits until all samples of before the start are there, but not for long; the answer is a warning if they aren't.
    pub(super) async fn history(&self) -> Option<String> {
        self.loading.wait_for(WAIT_MAX).await
    }

    /// Tells a person when the stored samples are newer than the clock.
    fn compare_with_clock(&self) {
        let now = self.clock.now();
        if let Some((_, newest)) = self.head.time_range().filter(|(_, newest)| *newest > now) {
            let ahead_ms = newest.as_ms() - now.as_ms();
            tracing::warn!(
                ahead_ms,
                "the newest stored sample is ahead of the clock: what comes till then may be stored as late"
            );
        }
    }
}

/// Says that loading has failed, where nobody has said how it ended.
struct EndOfLoading<'a>(&'a Loading);

impl Drop for EndOfLoading<'_> {
    fn drop(&mut self) {
        if !self.0.has_ended() {
            self.0.end(Some("the thread that reads them broke off".to_owned()));
        }
    }
}

fn tell_replay(report: &ReplayReport, metrics: &Metrics, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    metrics.replay_seconds.set(seconds);
    metrics.wal_corruptions.inc_by(report.damages);
    metrics.mmap_chunks_loaded.inc_by(report.chunks);
    metrics.mmap_chunk_corruptions.inc_by(report.chunk_damages);
    metrics.snapshot_series_loaded.set(report.snapshot_series as i64);
    if report.chunks_refused > 0 {
        let chunks = report.chunks_refused;
        tracing::warn!(
            chunks,
            "head chunks in encodings that this version does not read: their samples were taken from the log"
        );
    }
    if report.chunks_unknown_series > 0 {
        tracing::debug!(series = report.chunks_unknown_series, "head chunks of series that the log no longer has");
    }
    for (kind, count) in &report.unread {
        metrics.wal_unread_records.get_or_create(&KindLabel { kind }).inc_by(*count);
        tracing::warn!(
            kind,
            count,
            "the write-ahead log holds records that this version does not read: they are kept in the log, not shown"
        );
    }
    if report.unknown_series > 0 {
        tracing::warn!(samples = report.unknown_series, "samples of unknown series in the write-ahead log");
    }
    tracing::info!(
        segments = report.segments,
        series = report.series,
        samples = report.samples,
        from_snapshot = report.snapshot_series,
        seconds,
        "write-ahead log replayed"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_a_thread_that_broke_off() {
        let loading = Loading::default();
        drop(EndOfLoading(&loading));
        assert!(loading.failure().is_some_and(|reason| reason.contains("broke off")));
        loading.end(None);
        drop(EndOfLoading(&loading));
        assert!(loading.is_done(), "what was said stays");
    }
}
