//! A series of a replica on its way into the storage.

use model::{Labels, STALE_NAN, Timestamp};
use storage::{AppendError, Appender, SeriesRef};

/// What the storage knows it by.
#[derive(Debug)]
pub(super) struct PulledSeries {
    pub(super) labels: Labels,
    /// `None` until it is appended to, and where the storage has forgotten it.
    pub(super) series: Option<SeriesRef>,
}

impl PulledSeries {
    /// One that was not appended to yet.
    pub(super) fn new(labels: Labels) -> Self {
        PulledSeries { labels, series: None }
    }

    /// Appends a sample.
    pub(super) fn append(
        &mut self,
        time: Timestamp,
        value: f64,
        appender: &mut dyn Appender,
    ) -> Result<(), AppendError> {
        if let Some(series) = self.series {
            match appender.append_ref(series, time, value) {
                Err(AppendError::UnknownSeries(_)) => {}
                done => return done,
            }
        }
        self.series = Some(appender.append(&self.labels, time, value)?);
        Ok(())
    }

    /// Appends a stale marker. One that is refused is none the worse: the storage has something newer then.
    pub(super) fn end(&mut self, at: Timestamp, appender: &mut dyn Appender) {
        if let Err(error) = self.append(at, STALE_NAN, appender) {
            tracing::debug!(%error, series = %self.labels, "no stale marker for a series that ended");
        }
    }
}
