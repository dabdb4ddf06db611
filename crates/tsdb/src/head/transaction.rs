//! Appending: samples are checked and collected, then logged and put in place together.

use std::sync::Arc;

use model::{Exemplar, Labels, Metadata, Timestamp};
use storage::{AppendError, Appender, CommitError, SeriesRef};

use super::exemplars::{self, ExemplarVerdict};
use super::index::Place;
use super::pages::PageCursor;
use super::series::{SeriesState, Verdict};
use super::state::Head;
use crate::metrics::TypeLabel;
use crate::wal::{LoggedExemplar, LoggedSample, encode_exemplars, encode_metadata, encode_samples, encode_series};

/// One transaction on a head.
pub(crate) struct Transaction {
    head: Arc<Head>,
    slots: Vec<u32>,
    /// As they will be logged; parallel to `slots`.
    samples: Vec<LoggedSample>,
    /// Series that the log did not know when they were appended to.
    unlogged: Vec<Place>,
    exemplars: Vec<(Place, Exemplar)>,
    metadata: Vec<(Place, Metadata)>,
    /// Samples after this time are refused.
    newest: Timestamp,
}

/// A place as the outside names it. Half of the log's number tells a series from one that had the slot before.
fn to_ref(place: Place) -> SeriesRef {
    SeriesRef(u64::from(place.reference as u32) << 32 | u64::from(place.slot))
}

fn parts(series: SeriesRef) -> (u32, u32) {
    (series.0 as u32, (series.0 >> 32) as u32)
}

impl Transaction {
    pub(crate) fn new(head: Arc<Head>) -> Self {
        let newest = head.newest_appendable();
        Transaction {
            head,
            slots: Vec::new(),
            samples: Vec::new(),
            unlogged: Vec::new(),
            exemplars: Vec::new(),
            metadata: Vec::new(),
            newest,
        }
    }

    fn check_time(&self, time: Timestamp) -> Result<(), AppendError> {
        let oldest = self.head.oldest_appendable();
        if time.as_ms() < oldest {
            self.head.metrics.out_of_bound_samples.get_or_create(&TypeLabel::FLOAT).inc();
            return Err(AppendError::TooOld { time, oldest: Timestamp::from_ms(oldest) });
        }
        if time > self.newest {
            self.head.metrics.too_new_samples.inc();
            return Err(AppendError::TooNew { time, newest: self.newest });
        }
        Ok(())
    }

    /// The place of a series that is here; the second half of the answer is whether the log knows it.
    fn place(&self, series: SeriesRef) -> Result<(Place, bool), AppendError> {
        let (slot, half) = parts(series);
        let judge = |state: &mut SeriesState| {
            let is_meant = state.reference != 0 && state.reference as u32 == half;
            is_meant.then_some((Place { slot, reference: state.reference }, state.logged))
        };
        self.head.pages.with(slot, judge).flatten().ok_or(AppendError::UnknownSeries(series))
    }

    /// Appends to the series of a slot if it is the one that `is_meant`; `None` where it is not.
    fn offer(
        &mut self,
        slot: u32,
        is_meant: impl FnOnce(u64) -> bool,
        time: Timestamp,
        value: f64,
    ) -> Option<Result<SeriesRef, AppendError>> {
        let judge = |state: &mut SeriesState| {
            if state.reference == 0 || !is_meant(state.reference) {
                return None;
            }
            let verdict = state.verdict(time.as_ms(), value);
            state.pending += u32::from(verdict == Verdict::Fits);
            Some((Place { slot, reference: state.reference }, verdict, state.logged))
        };
        let (place, verdict, logged) = self.head.pages.with(slot, judge)??;
        Some(match verdict {
            Verdict::Fits => {
                self.slots.push(slot);
                self.samples.push(LoggedSample { series: place.reference, time, value });
                if !logged {
                    self.unlogged.push(place);
                }
                Ok(to_ref(place))
            }
            Verdict::Repeated => Ok(to_ref(place)),
            Verdict::OutOfOrder => {
                self.head.metrics.out_of_order_samples.get_or_create(&TypeLabel::FLOAT).inc();
                Err(AppendError::OutOfOrder)
            }
            Verdict::Conflict => Err(AppendError::DuplicateTimestamp),
        })
    }

    /// Writes series that are new to the log, then everything else, in one batch.
    fn log(&mut self) -> std::io::Result<()> {
        let head = &self.head;
        let mut sample_record = Vec::with_capacity(self.samples.len() * 12 + 32);
        encode_samples(&mut sample_record, &self.samples);
        let mut batch = head.wal.batch();
        // Asked again while nobody else writes: another transaction may have logged them meanwhile.
        let is_new = |place: &Place| {
            head.pages.with(place.slot, |state| state.reference == place.reference && !state.logged) == Some(true)
        };
        self.unlogged.retain(is_new);
        self.unlogged.sort_unstable_by_key(|place| place.reference);
        self.unlogged.dedup();
        if !self.unlogged.is_empty() {
            let mut record = Vec::new();
            let index = head.index.read();
            for place in &self.unlogged {
                encode_series(&mut record, place.reference, index.pairs(place.slot));
            }
            drop(index);
            batch.add(&record)?;
        }
        if !self.metadata.is_empty() {
            let mut record = Vec::new();
            for (place, metadata) in &self.metadata {
                encode_metadata(&mut record, place.reference, metadata);
            }
            batch.add(&record)?;
        }
        if !sample_record.is_empty() {
            batch.add(&sample_record)?;
        }
        if !self.exemplars.is_empty() {
            let of = |(place, exemplar): &(Place, Exemplar)| LoggedExemplar {
                series: place.reference,
                exemplar: exemplar.clone(),
            };
            let exemplars: Vec<LoggedExemplar> = self.exemplars.iter().map(of).collect();
            let mut record = Vec::new();
            encode_exemplars(&mut record, &exemplars);
            batch.add(&record)?;
        }
        head.metrics.wal_written_bytes.inc_by(batch.write()? as u64);
        for place in self.unlogged.drain(..) {
            head.pages.with(place.slot, |state| state.logged = true);
        }
        Ok(())
    }

    /// Puts the samples in place. What no longer fits, because another transaction was quicker, is counted and left out.
    fn apply(&mut self) {
        let head = &self.head;
        let (mut appended, mut new_chunks, mut late) = (0, 0, 0);
        let (mut min, mut max) = (i64::MAX, i64::MIN);
        {
            let _shared = head.gate.read();
            let (pages, cutting) = (head.pages.snapshot(), head.cutting());
            let mut cursor = PageCursor::new(&pages);
            for (slot, sample) in self.slots.drain(..).zip(&self.samples) {
                let Some(state) = cursor.get(slot) else { continue };
                state.pending -= 1;
                let time = sample.time.as_ms();
                match state.verdict(time, sample.value) {
                    Verdict::Fits => {
                        new_chunks += u64::from(state.push(time, sample.value, &cutting));
                        appended += 1;
                        (min, max) = (min.min(time), max.max(time));
                    }
                    Verdict::Repeated => {}
                    Verdict::OutOfOrder | Verdict::Conflict => late += 1,
                }
            }
            drop(cursor);
            if appended > 0 {
                head.widen(min, max);
            }
            // Under the gate, so that no slot changes hands.
            head.set_metadata(&std::mem::take(&mut self.metadata));
            head.add_exemplars(&std::mem::take(&mut self.exemplars));
        }
        self.samples.clear();
        head.flush_many_chunks();
        head.add_chunks(new_chunks);
        head.metrics.samples_appended.get_or_create(&TypeLabel::FLOAT).inc_by(appended);
        head.metrics.out_of_order_samples.get_or_create(&TypeLabel::FLOAT).inc_by(late);
    }

    /// Lets go of the series without appending.
    fn release(&mut self) {
        let pages = self.head.pages.snapshot();
        let mut cursor = PageCursor::new(&pages);
        for slot in self.slots.drain(..) {
            if let Some(state) = cursor.get(slot) {
                state.pending -= 1;
            }
        }
        drop(cursor);
        self.samples.clear();
    }

    /// Leaves out samples whose range has been cut since they were appended.
    fn leave_out_cut(&mut self) {
        let oldest = self.head.min_valid();
        if self.samples.iter().all(|sample| sample.time.as_ms() >= oldest) {
            return;
        }
        let (slots, samples) = (std::mem::take(&mut self.slots), std::mem::take(&mut self.samples));
        for (slot, sample) in slots.into_iter().zip(samples) {
            if sample.time.as_ms() >= oldest {
                self.slots.push(slot);
                self.samples.push(sample);
            } else {
                self.head.pages.with(slot, |state| state.pending -= 1);
                self.head.metrics.out_of_bound_samples.get_or_create(&TypeLabel::FLOAT).inc();
            }
        }
    }
}

impl Appender for Transaction {
    fn append(&mut self, labels: &Labels, time: Timestamp, value: f64) -> Result<SeriesRef, AppendError> {
        self.check_time(time)?;
        loop {
            let place = self.head.find_or_create(labels)?;
            // Between finding and appending the series may have been removed; then it is made anew.
            if let Some(result) = self.offer(place.slot, |reference| reference == place.reference, time, value) {
                return result;
            }
        }
    }

    fn append_ref(&mut self, series: SeriesRef, time: Timestamp, value: f64) -> Result<(), AppendError> {
        let (slot, half) = parts(series);
        self.check_time(time)?;
        match self.offer(slot, |reference| reference as u32 == half, time, value) {
            Some(result) => result.map(|_| ()),
            None => Err(AppendError::UnknownSeries(series)),
        }
    }

    fn append_exemplar(&mut self, series: SeriesRef, exemplar: &Exemplar) -> Result<(), AppendError> {
        exemplars::check_labels(exemplar)?;
        let (place, logged) = self.place(series)?;
        match self.head.exemplars.lock().judge(place.reference, exemplar) {
            ExemplarVerdict::Ignored => return Ok(()),
            ExemplarVerdict::OutOfOrder => return Err(AppendError::OutOfOrder),
            ExemplarVerdict::Fits => self.exemplars.push((place, exemplar.clone())),
        }
        if !logged {
            self.unlogged.push(place);
        }
        Ok(())
    }

    fn append_metadata(&mut self, series: SeriesRef, metadata: &Metadata) -> Result<(), AppendError> {
        let (place, logged) = self.place(series)?;
        if self.head.metadata.read().get(place.slot).is_some_and(|known| **known == *metadata) {
            return Ok(());
        }
        self.metadata.push((place, metadata.clone()));
        if !logged {
            self.unlogged.push(place);
        }
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> Result<(), CommitError> {
        let head = Arc::clone(&self.head);
        let _steady = head.barrier.read();
        self.leave_out_cut();
        if self.samples.is_empty() && self.exemplars.is_empty() && self.metadata.is_empty() {
            return Ok(());
        }
        let logged = self.log();
        head.metrics.storing_failed.set(i64::from(logged.is_err()));
        if let Err(error) = logged {
            head.metrics.wal_writes_failed.inc();
            let reason = format!("cannot write to the log in {}", head.wal.dir().display());
            return Err(CommitError { reason, source: Some(error) });
        }
        self.apply();
        Ok(())
    }

    fn rollback(self: Box<Self>) {}
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.release();
    }
}
