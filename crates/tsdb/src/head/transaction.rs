//! Appending: samples are checked and collected, then logged and put in place together.

use std::sync::Arc;

use model::{Labels, Timestamp};
use storage::{AppendError, Appender, CommitError, SeriesRef};

use super::index::Place;
use super::pages::PageCursor;
use super::series::{SeriesState, Verdict};
use super::state::Head;
use crate::wal::{LoggedSample, encode_samples, encode_series};

/// One transaction on a head.
pub(crate) struct Transaction {
    head: Arc<Head>,
    slots: Vec<u32>,
    /// As they will be logged; parallel to `slots`.
    samples: Vec<LoggedSample>,
    /// Series that the log did not know when they were appended to.
    unlogged: Vec<Place>,
}

/// A place as the outside names it. Half of the log's number tells a series from one that had the slot before.
fn to_ref(place: Place) -> SeriesRef {
    SeriesRef(u64::from(place.reference as u32) << 32 | u64::from(place.slot))
}

impl Transaction {
    pub(crate) fn new(head: Arc<Head>) -> Self {
        Transaction { head, slots: Vec::new(), samples: Vec::new(), unlogged: Vec::new() }
    }

    fn check_time(&self, time: Timestamp) -> Result<(), AppendError> {
        let oldest = self.head.oldest_appendable();
        if time.as_ms() < oldest {
            self.head.metrics.out_of_bound_samples.inc();
            return Err(AppendError::TooOld { time, oldest: Timestamp::from_ms(oldest) });
        }
        Ok(())
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
                self.head.metrics.out_of_order_samples.inc();
                Err(AppendError::OutOfOrder)
            }
            Verdict::Conflict => Err(AppendError::DuplicateTimestamp),
        })
    }

    /// Writes series that are new to the log, then all samples, in one batch.
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
        batch.add(&sample_record)?;
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
        }
        self.samples.clear();
        head.flush_many_chunks();
        head.add_chunks(new_chunks);
        head.metrics.samples_appended.inc_by(appended);
        head.metrics.out_of_order_samples.inc_by(late);
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
                self.head.metrics.out_of_bound_samples.inc();
            }
        }
    }
}

impl Head {
    /// The series with these labels, which is made if it is new.
    pub(super) fn find_or_create(&self, labels: &Labels) -> Result<Place, AppendError> {
        if let Some(place) = self.index.read().find(labels) {
            return Ok(place);
        }
        check_labels(labels)?;
        let mut index = self.index.write();
        if let Some(place) = index.find(labels) {
            return Ok(place);
        }
        let reference = index.next_reference();
        let full = || AppendError::InvalidLabels {
            labels: labels.clone(),
            reason: "the head holds 4 GiB of label text or 2^32 series already".to_owned(),
        };
        let place = index.add(labels, reference).ok_or_else(full)?;
        self.pages.put(place.slot, SeriesState::new(reference));
        self.metrics.head_series_created.inc();
        self.metrics.head_series.set(index.len() as i64);
        Ok(place)
    }
}

impl Head {
    /// The series with these labels under the number that the log has for it; the one it has here already wins. `None` where
    /// there is no room or no label.
    pub(super) fn restore_series(&self, labels: &Labels, reference: u64) -> Option<Place> {
        let mut index = self.index.write();
        if let Some(place) = index.find(labels) {
            return Some(place);
        }
        check_labels(labels).ok()?;
        let place = index.add(labels, reference)?;
        self.pages.put(place.slot, SeriesState::restored(reference));
        self.metrics.head_series_created.inc();
        self.metrics.head_series.set(index.len() as i64);
        Some(place)
    }
}

fn check_labels(labels: &Labels) -> Result<(), AppendError> {
    let invalid = |reason: String| Err(AppendError::InvalidLabels { labels: labels.clone(), reason });
    if labels.is_empty() {
        return invalid("a series needs at least one label".to_owned());
    }
    let mut last: Option<&str> = None;
    for (name, _) in labels {
        if last == Some(name) {
            return invalid(format!("label name {name:?} is not unique"));
        }
        last = Some(name);
    }
    Ok(())
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
        let (slot, half) = (series.0 as u32, (series.0 >> 32) as u32);
        self.check_time(time)?;
        match self.offer(slot, |reference| reference as u32 == half, time, value) {
            Some(result) => result.map(|_| ()),
            None => Err(AppendError::UnknownSeries(series)),
        }
    }

    fn commit(mut self: Box<Self>) -> Result<(), CommitError> {
        let head = Arc::clone(&self.head);
        let _steady = head.barrier.read();
        self.leave_out_cut();
        if self.samples.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.log() {
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
