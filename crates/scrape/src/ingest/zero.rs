//! The zeros with which counters, histograms and summaries began, at the times that their targets tell.
//!
//! A target tells its times again with each scrape, so an entry keeps the last one that was tried: a zero costs something where
//! a series is new or has begun anew, and a comparison otherwise.

use model::{Buckets, CounterReset, FloatHistogram, Histogram, Labels, NativeHistogram, Timestamp};
use storage::AppendError;
use storage::chunk::Value;

use super::Ingest;
use super::error::IngestError;
use super::sample::{Sample, Shown};
use crate::series_cache::EntryId;

impl Ingest<'_> {
    /// Stores the zero of a remembered line that counts since another time than before.
    #[cold]
    pub(super) fn begin_again<S: Shown>(
        &mut self,
        id: EntryId,
        start: i64,
        sample: &Sample<S>,
    ) -> Result<(), IngestError> {
        if let Some(labels) = self.resolve(&sample.shown)?
            && self.append_zero(&labels, start, sample.own_time, Value::Float(0.0))
        {
            self.cache.set_start(id, start);
        }
        Ok(())
    }

    /// Stores a zero where a series began, before its sample: once, as none is taken that isn't newer than all of its series. False
    /// where the time has not come yet. A scrape never fails for it.
    pub(super) fn append_zero(&mut self, labels: &Labels, start: i64, own_time: Option<i64>, zero: Value) -> bool {
        let (start, time) = (Timestamp::from_ms(start), self.time_of(own_time));
        if start >= time {
            return false;
        }
        match self.appender.append_start(labels, start, time, zero) {
            Ok(()) | Err(AppendError::OutOfOrder | AppendError::TooOld { .. }) => {}
            Err(error) => tracing::debug!(%error, %labels, "no zero at the start timestamp"),
        }
        true
    }
}

/// A histogram without observations that goes into one chunk with `histogram`.
pub(super) fn zero_like(histogram: &NativeHistogram) -> Value {
    let Buckets { schema, zero_threshold, custom_values, .. } = histogram.buckets();
    let buckets = Buckets {
        schema: *schema,
        zero_threshold: *zero_threshold,
        custom_values: custom_values.clone(),
        ..Buckets::default()
    };
    let counter_reset = CounterReset::Reset;
    match histogram {
        NativeHistogram::Int(_) => Histogram { counter_reset, buckets, ..Histogram::default() }.into(),
        NativeHistogram::Float(_) => FloatHistogram { counter_reset, buckets, ..FloatHistogram::default() }.into(),
    }
}
