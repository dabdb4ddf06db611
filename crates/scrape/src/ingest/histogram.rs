//! Native histograms.

use model::{Exemplar, Labels, NativeHistogram};
use storage::AppendError;

use super::Ingest;
use super::error::IngestError;
use super::sample::Shown;
use super::zero::zero_like;
use crate::series_cache::EntryId;

/// A native histogram of a remembered series.
pub(super) struct HistogramSample {
    pub(super) histogram: NativeHistogram,
    /// The time that the target gave it, in milliseconds, where that counts.
    pub(super) own_time: Option<i64>,
    /// Since when it counts, in milliseconds, where the target says so and that is wanted.
    pub(super) start: Option<i64>,
    /// Those that have a time of their own.
    pub(super) exemplars: Vec<Exemplar>,
}

impl Ingest<'_> {
    /// Takes a histogram of the series of an entry.
    pub(super) fn histogram(
        &mut self,
        id: EntryId,
        sample: HistogramSample,
        shown: &impl Shown,
    ) -> Result<(), IngestError> {
        let HistogramSample { mut histogram, own_time, start, exemplars } = sample;
        self.counts.scraped += 1;
        let Some((labels, is_repeated)) = self.cache.bring(id) else { return Ok(()) };
        if !is_repeated && !self.config.histogram_limits.fit(&mut histogram) {
            self.counts.kept += 1;
            self.counts.too_fine += 1;
            return Ok(());
        }
        let time = self.time_of(own_time);
        if !self.keep(is_repeated && own_time.is_none()) || self.is_future(time) {
            return Ok(());
        }
        if let Some(start) = start
            && self.cache.start(id) != Some(start)
            && self.append_zero(&labels, start, own_time, zero_like(&histogram))
        {
            self.cache.set_start(id, start);
        }
        match self.append_histogram(id, &labels, own_time, histogram, shown) {
            Ok(()) => self.note_exemplars(id, exemplars),
            Err(error) => self.skipped(shown, &error)?,
        }
        Ok(())
    }

    fn append_histogram(
        &mut self,
        id: EntryId,
        labels: &Labels,
        own_time: Option<i64>,
        histogram: NativeHistogram,
        shown: &impl Shown,
    ) -> Result<(), AppendError> {
        let series = self.appender.append_histogram(labels, self.time_of(own_time), histogram)?;
        let known = self.cache.series(id);
        if known != Some(series) || self.metadata.has_changed() {
            self.store_metadata(shown.metric(), series);
        }
        if known != Some(series) {
            self.cache.set_series(id, series);
            self.counts.added += 1;
        }
        self.track(id, own_time);
        Ok(())
    }
}
