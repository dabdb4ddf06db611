//! From an exposition to appended samples.
//!
//! Each format has a file that walks through it and hands over samples, floats as [`Sample`]s and native histograms. The fast path is
//! [`Ingest::known`] for a line that was seen before: no label is built for it, and many are appended together. What is new is
//! resolved in [`Ingest::new_series`].

mod classic;
mod counts;
mod created;
mod error;
mod exemplars;
mod histogram;
mod line;
mod openmetrics;
mod protobuf;
mod resolve;
mod sample;
mod text;
mod zero;

use model::{Labels, LabelsScratch, Timestamp};
use storage::chunk::Value;
use storage::{AppendError, Appender, SeriesRef};

pub(crate) use self::counts::Counts;
pub(crate) use self::created::CreatedTimes;
pub(crate) use self::error::IngestError;
pub(crate) use self::sample::Waiting;
use self::sample::{Batch, Sample, Shown};
use crate::histograms::HistogramForms;
use crate::metadata::MetadataCache;
use crate::protocols::Format;
use crate::scrape_config::ScrapeConfig;
use crate::series_cache::{EntryId, SeriesCache};

/// Samples further in the future than this are not taken, in milliseconds.
const FUTURE_MAX_MS: i64 = 10 * 60_000;

/// Everything that reading one exposition needs.
pub(crate) struct Ingest<'a> {
    pub(crate) config: &'a ScrapeConfig,
    pub(crate) forms: HistogramForms,
    /// The labels that the target's series get.
    pub(crate) labels: &'a Labels,
    pub(crate) cache: &'a mut SeriesCache,
    pub(crate) scratch: &'a mut LabelsScratch,
    pub(crate) metadata: &'a mut MetadataCache,
    pub(crate) appender: &'a mut dyn Appender,
    pub(crate) time: Timestamp,
    pub(crate) counts: &'a mut Counts,
    /// Where zeros are stored at the times since when metrics count.
    pub(crate) created: Option<&'a mut CreatedTimes>,
    /// Empty when reading begins.
    pub(crate) exemplars: Vec<Waiting>,
}

impl Ingest<'_> {
    /// Appends all samples of `body`. After an error the transaction must be rolled back; the counts say how far it came.
    pub(crate) fn run(&mut self, format: Format, body: &[u8]) -> Result<(), IngestError> {
        self.metadata.begin();
        match format {
            Format::Text => self.text(body)?,
            Format::OpenMetrics => self.openmetrics(body)?,
            Format::Protobuf => self.protobuf(body)?,
        }
        self.append_exemplars();
        self.metadata.finish();
        match self.config.limits.samples {
            limit if limit > 0 && self.counts.offered > limit => Err(IngestError::SampleLimit(limit)),
            _ if self.counts.too_fine > 0 => Err(IngestError::BucketLimit(self.config.histogram_limits.buckets)),
            _ => Ok(()),
        }
    }

    /// Takes a sample; the answer is its entry if it is remembered and relabelling leaves it.
    #[inline]
    fn sample<S: Shown>(&mut self, sample: &Sample<S>, batch: &mut Batch<S>) -> Result<Option<EntryId>, IngestError> {
        match self.cache.find(sample.key) {
            Some(id) => self.known(id, sample, batch),
            None => {
                self.flush(batch)?; // what the line stands for may be in it
                self.new_series(sample)
            }
        }
    }

    /// A remembered line.
    #[inline]
    fn known<S: Shown>(
        &mut self,
        id: EntryId,
        sample: &Sample<S>,
        batch: &mut Batch<S>,
    ) -> Result<Option<EntryId>, IngestError> {
        self.counts.scraped += 1;
        let is_repeated = self.cache.see(id);
        let Some(series) = self.cache.series(id) else { return Ok(None) };
        if !self.keep(is_repeated && sample.own_time.is_none()) {
            return Ok(None);
        }
        if let Some(start) = sample.start
            && self.cache.start(id) != Some(start)
        {
            self.begin_again(id, start, sample)?;
        }
        if sample.own_time.is_some() || self.metadata.has_changed() {
            self.flush(batch)?;
            self.single(id, series, sample)?;
            return Ok(Some(id));
        }
        batch.push(id, series, sample);
        if batch.is_full() {
            self.flush(batch)?;
        }
        Ok(Some(id))
    }

    /// Appends what has been put together.
    fn flush<S: Shown>(&mut self, batch: &mut Batch<S>) -> Result<(), IngestError> {
        let Batch { lines, samples, refused } = batch;
        if samples.is_empty() {
            return Ok(()); // each line of a target that is new comes here
        }
        self.appender.append_refs(samples, self.time, &mut |at, error| refused.push((at, error)));
        let mut refused = refused.drain(..).peekable();
        for (at, ((id, shown), (_, value))) in lines.drain(..).zip(samples.drain(..)).enumerate() {
            match refused.next_if(|(place, _)| *place == at) {
                None => self.cache.track(id),
                Some((_, AppendError::UnknownSeries(_))) => self.again(id, &shown, value, None)?,
                Some((_, error)) => self.skipped(&shown, &error)?,
            }
        }
        Ok(())
    }

    /// A remembered line that is appended on its own.
    fn single<S: Shown>(&mut self, id: EntryId, series: SeriesRef, sample: &Sample<S>) -> Result<(), IngestError> {
        let Sample { value, own_time, ref shown, .. } = *sample;
        let time = self.time_of(own_time);
        if self.is_future(time) {
            return Ok(());
        }
        match self.appender.append_ref(series, time, value) {
            Ok(()) => {
                if self.metadata.has_changed() {
                    self.store_metadata(shown.metric(), series);
                }
                self.track(id, own_time);
                Ok(())
            }
            Err(AppendError::UnknownSeries(_)) => self.again(id, shown, value, own_time),
            Err(error) => self.skipped(shown, &error),
        }
    }

    /// A line that is not remembered.
    #[cold]
    fn new_series<S: Shown>(&mut self, sample: &Sample<S>) -> Result<Option<EntryId>, IngestError> {
        let Sample { key, value, own_time, start, ref shown } = *sample;
        self.counts.scraped += 1;
        let time = self.time_of(own_time);
        let Some(labels) = self.resolve(shown)? else {
            self.cache.insert(key, None);
            return Ok(None);
        };
        if !self.keep(false) || self.is_future(time) {
            return Ok(None);
        }
        let start = start.filter(|start| self.append_zero(&labels, *start, own_time, Value::Float(0.0)));
        match self.appender.append(&labels, time, value) {
            Ok(series) => {
                self.store_metadata(shown.metric(), series);
                let id = self.cache.insert(key, Some(series));
                if let Some(start) = start {
                    self.cache.set_start(id, start);
                }
                self.counts.added += 1;
                self.track(id, own_time);
                Ok(Some(id))
            }
            Err(error) => self.skipped(shown, &error).map(|()| None),
        }
    }

    /// A remembered line whose series the storage has dropped meanwhile.
    #[cold]
    fn again<S: Shown>(
        &mut self,
        id: EntryId,
        shown: &S,
        value: f64,
        own_time: Option<i64>,
    ) -> Result<(), IngestError> {
        let Some(labels) = self.resolve(shown)? else { return Ok(()) };
        match self.appender.append(&labels, self.time_of(own_time), value) {
            Ok(series) => {
                self.store_metadata(shown.metric(), series);
                self.cache.set_series(id, series);
                self.counts.added += 1;
                self.track(id, own_time);
                Ok(())
            }
            Err(error) => self.skipped(shown, &error),
        }
    }

    /// Hands over what the target says of the metric of a line, where that is wanted.
    #[cold]
    fn store_metadata(&mut self, line: &[u8], series: SeriesRef) {
        if let Some(metadata) = self.metadata.of_line(line)
            && let Err(error) = self.appender.append_metadata(series, &metadata)
        {
            tracing::debug!(%error, %series, "metadata not stored");
        }
    }

    /// The time that a sample says it has, where that is wanted.
    #[inline]
    fn own_time(&self, timestamp: Option<i64>) -> Option<i64> {
        timestamp.filter(|_| self.config.honor_timestamps)
    }

    fn time_of(&self, own_time: Option<i64>) -> Timestamp {
        own_time.map_or(self.time, Timestamp::from_ms)
    }

    /// Notes that the series gets a stale marker when it ends: not if the target says when its samples were.
    fn track(&mut self, id: EntryId, own_time: Option<i64>) {
        if own_time.is_none() || self.config.track_timestamps_staleness {
            self.cache.track(id);
        }
    }

    /// Counts a sample that relabelling left; false for one that the scrape had already, and beyond the limit: reading goes on
    /// only to count.
    #[inline]
    fn keep(&mut self, is_repeated: bool) -> bool {
        self.counts.kept += 1;
        if is_repeated {
            self.counts.duplicate += 1;
            return false;
        }
        self.counts.offered += 1;
        self.config.limits.samples == 0 || self.counts.offered <= self.config.limits.samples
    }

    fn is_future(&mut self, time: Timestamp) -> bool {
        let is_future = time > self.time.saturating_add(FUTURE_MAX_MS);
        self.counts.out_of_bounds += u64::from(is_future);
        is_future
    }

    fn skipped(&mut self, shown: &impl Shown, error: &AppendError) -> Result<(), IngestError> {
        match error {
            AppendError::OutOfOrder => self.counts.out_of_order += 1,
            AppendError::DuplicateTimestamp => self.counts.duplicate += 1,
            AppendError::TooOld { .. } | AppendError::TooNew { .. } | AppendError::BeyondWindow { .. } => {
                self.counts.out_of_bounds += 1;
            }
            AppendError::UnknownSeries(_)
            | AppendError::InvalidLabels { .. }
            | AppendError::InvalidHistogram(_)
            | AppendError::InvalidExemplar(_)
            | AppendError::Unsupported(_) => return Err(IngestError::series(shown.place(), error.to_string())),
        }
        Ok(())
    }
}

/// Appends stale markers; a series that has a newer sample already needs none.
pub(crate) fn append_stale(appender: &mut dyn Appender, ended: &[SeriesRef], time: Timestamp) {
    for series in ended {
        if let Err(error) = appender.append_ref(*series, time, model::STALE_NAN) {
            tracing::debug!(%error, %series, "no stale marker");
        }
    }
}
