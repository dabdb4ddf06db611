//! Appending: samples are checked and collected, then logged and put in place together.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use model::{Exemplar, Labels, Metadata, Timestamp};
use storage::chunk::Value;
use storage::{AppendError, Appender, CommitError, SeriesRef};

use super::exemplars::{self, ExemplarVerdict};
use super::index::Place;
use super::ooo_log::{LateCommit, LateSample};
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
    late: Vec<LateSample>,
    /// The newest time of each slot in this transaction, where late samples are taken.
    newest_of: HashMap<u32, i64, FixedState>,
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
            late: Vec::new(),
            newest_of: HashMap::default(),
        }
    }

    fn check_time(&self, time: Timestamp) -> Result<(), AppendError> {
        let oldest = self.head.oldest_appendable();
        if time.as_ms() < oldest && self.head.oldest_late().is_none() {
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
        let oldest_late = self.head.oldest_late();
        let is_behind = oldest_late.is_some()
            && (time.as_ms() < self.head.oldest_appendable()
                || self.newest_of.get(&slot).is_some_and(|newest| time.as_ms() < *newest));
        let judge = |state: &mut SeriesState| {
            if state.reference == 0 || !is_meant(state.reference) {
                return None;
            }
            let mut verdict = if is_behind { Verdict::OutOfOrder } else { state.verdict(time.as_ms(), value) };
            if verdict == Verdict::OutOfOrder {
                verdict = self.head.judge_late(state, time.as_ms(), &Value::Float(value));
            }
            state.pending += u32::from(matches!(verdict, Verdict::Fits | Verdict::Late));
            Some((Place { slot, reference: state.reference }, verdict, state.logged))
        };
        let (place, verdict, logged) = self.head.pages.with(slot, judge)??;
        if !logged && matches!(verdict, Verdict::Fits | Verdict::Late) {
            self.unlogged.push(place);
        }
        Some(match verdict {
            Verdict::Fits => {
                self.slots.push(slot);
                self.samples.push(LoggedSample { series: place.reference, time, value });
                if oldest_late.is_some() {
                    self.newest_of.insert(slot, time.as_ms());
                }
                Ok(to_ref(place))
            }
            Verdict::Late => {
                let value = Value::Float(value);
                self.late.push(LateSample { slot, series: place.reference, time: time.as_ms(), value });
                Ok(to_ref(place))
            }
            Verdict::BeyondWindow => {
                self.head.metrics.too_old_samples.get_or_create(&TypeLabel::FLOAT).inc();
                Err(AppendError::BeyondWindow { time, oldest: Timestamp::from_ms(oldest_late.unwrap_or(i64::MIN)) })
            }
            Verdict::Repeated => Ok(to_ref(place)),
            Verdict::OutOfOrder => {
                self.head.metrics.out_of_order_samples.get_or_create(&TypeLabel::FLOAT).inc();
                Err(AppendError::OutOfOrder)
            }
            Verdict::Conflict => Err(AppendError::DuplicateTimestamp),
        })
    }

    /// Logs everything. With late samples this takes three writes instead of one, see `ooo_log`.
    fn log_all(&mut self, late: Option<&mut LateCommit<'_>>) -> std::io::Result<()> {
        let Some(late) = late else { return self.log() };
        let kept = (
            std::mem::take(&mut self.samples),
            std::mem::take(&mut self.exemplars),
            std::mem::take(&mut self.metadata),
        );
        let series = self.log();
        (self.samples, self.exemplars, self.metadata) = kept;
        series?;
        late.log(&self.late)?;
        self.log().inspect_err(|_| late.take_back())
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
    fn apply(&mut self, late_commit: Option<&LateCommit<'_>>) {
        let head = &self.head;
        let (mut appended, mut new_chunks, mut late, mut taken_late) = (0, 0, 0, 0);
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
                    _ => late += 1,
                }
            }
            drop(cursor);
            if appended > 0 {
                head.widen(min, max);
            }
            if let Some(commit) = late_commit {
                taken_late = commit.put(std::mem::take(&mut self.late));
            }
            // Under the gate, so that no slot changes hands.
            head.set_metadata(&std::mem::take(&mut self.metadata));
            head.add_exemplars(&std::mem::take(&mut self.exemplars));
        }
        self.samples.clear();
        head.flush_many_chunks();
        head.add_chunks(new_chunks);
        head.metrics.samples_appended.get_or_create(&TypeLabel::FLOAT).inc_by(appended + taken_late);
        head.metrics.out_of_order_samples_appended.get_or_create(&TypeLabel::FLOAT).inc_by(taken_late);
        head.metrics.out_of_order_samples.get_or_create(&TypeLabel::FLOAT).inc_by(late);
    }

    /// Lets go of the series without appending.
    fn release(&mut self) {
        let pages = self.head.pages.snapshot();
        let mut cursor = PageCursor::new(&pages);
        for slot in self.slots.drain(..).chain(self.late.drain(..).map(|late| late.slot)) {
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
        if self.samples.is_empty() && self.late.is_empty() && self.exemplars.is_empty() && self.metadata.is_empty() {
            return Ok(());
        }
        let mut late = (!self.late.is_empty()).then(|| head.late_commit());
        let logged = self.log_all(late.as_mut());
        head.metrics.storing_failed.set(i64::from(logged.is_err()));
        if let Err(error) = logged {
            head.metrics.wal_writes_failed.inc();
            let reason = format!("cannot write to the log in {}", head.wal.dir().display());
            return Err(CommitError { reason, source: Some(error) });
        }
        self.apply(late.as_ref());
        Ok(())
    }

    fn rollback(self: Box<Self>) {}
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.release();
    }
}
