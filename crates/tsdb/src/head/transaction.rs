//! Appending: samples are checked and collected, then logged and put in place together.

use std::hint::black_box;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use model::{Exemplar, FloatHistogram, Histogram, Labels, Metadata, NativeHistogram, Timestamp, is_stale};
use storage::chunk::{Encoding, Value};
use storage::{AppendError, Appender, CommitError, SeriesRef};

use super::commit::Collected;
use super::exemplars::{self, ExemplarVerdict};
use super::index::Place;
use super::late::log::LateSample;
use super::pages::PageCursor;
use super::series::{SeriesState, Verdict};
use super::state::Head;
use crate::metrics::TypeLabel;
use crate::wal::{LoggedHistogram, LoggedSample};

/// One transaction on a head.
pub(crate) struct Transaction {
    head: Arc<Head>,
    collected: Collected,
    /// Samples after this time are refused.
    newest: Timestamp,
    /// The newest time of each slot in this transaction, where late samples are taken.
    newest_of: HashMap<u32, i64, FixedState>,
    /// What was stored before the start of the process is known: a series without samples has none.
    knows_history: bool,
}

/// A place as the outside names it. Half of the log's number tells a series from one that had the slot before.
pub(super) fn to_ref(place: Place) -> SeriesRef {
    SeriesRef(u64::from(place.reference as u32) << 32 | u64::from(place.slot))
}

pub(super) fn parts(series: SeriesRef) -> (u32, u32) {
    (series.0 as u32, (series.0 >> 32) as u32)
}

impl Transaction {
    /// `knows_history`: whether what was stored before the start of the process is in the head already.
    pub(crate) fn new(head: Arc<Head>, knows_history: bool) -> Self {
        let newest = head.newest_appendable();
        Transaction { head, collected: Collected::default(), newest, newest_of: HashMap::default(), knows_history }
    }

    fn check_time(&self, time: Timestamp, kind: &TypeLabel) -> Result<(), AppendError> {
        let Some(error) = self.out_of_bounds(time) else { return Ok(()) };
        match error {
            AppendError::TooNew { .. } => self.head.metrics.too_new_samples.inc(),
            _ => self.head.metrics.out_of_bound_samples.get_or_create(kind).inc(),
        };
        Err(error)
    }

    /// Why no sample is taken at `time`, if none is.
    fn out_of_bounds(&self, time: Timestamp) -> Option<AppendError> {
        let oldest = self.head.oldest_appendable(self.newest);
        if time.as_ms() < oldest && self.head.oldest_late(self.newest).is_none() {
            return Some(AppendError::TooOld { time, oldest: Timestamp::from_ms(oldest) });
        }
        (time > self.newest).then_some(AppendError::TooNew { time, newest: self.newest })
    }

    /// The place of a series that is here; the second half of the answer is whether the log knows it.
    fn place(&self, series: SeriesRef) -> Result<(Place, bool), AppendError> {
        let (slot, half) = parts(series);
        let judge = |state: &mut SeriesState| {
            let is_meant = state.reference != 0 && state.reference as u32 == half;
            is_meant.then_some((Place { slot, reference: state.reference }, state.is_logged()))
        };
        self.head.pages.with(slot, judge).flatten().ok_or(AppendError::UnknownSeries(series))
    }

    /// Appends to the series of a slot if it is the one that `is_meant`; `None` where it is not.
    fn offer(
        &mut self,
        slot: u32,
        is_meant: impl FnOnce(u64) -> bool,
        time: Timestamp,
        mut value: Value,
    ) -> Option<Result<SeriesRef, AppendError>> {
        let oldest_late = self.head.oldest_late(self.newest);
        let is_behind = oldest_late.is_some()
            && (time.as_ms() < self.head.oldest_appendable(self.newest)
                || self.newest_of.get(&slot).is_some_and(|newest| time.as_ms() < *newest));
        let judge = |state: &mut SeriesState| {
            if state.reference == 0 || !is_meant(state.reference) {
                return None;
            }
            make_marker_of_kind(&mut value, state);
            let mut verdict = match &value {
                _ if is_behind => Verdict::OutOfOrder,
                Value::Float(value) => state.verdict(time.as_ms(), *value),
                Value::Histogram(histogram) => state.verdict_histogram(time.as_ms(), histogram),
            };
            if verdict == Verdict::OutOfOrder {
                verdict = self.head.judge_late(state, time.as_ms(), &value, oldest_late);
            }
            let is_shared = state.pending > 0;
            state.pending += u32::from(matches!(verdict, Verdict::Fits | Verdict::Late));
            Some((Place { slot, reference: state.reference }, verdict, state.is_logged(), is_shared))
        };
        let (place, verdict, logged, is_shared) = self.head.pages.with(slot, judge)??;
        let taken = matches!(verdict, Verdict::Fits | Verdict::Late);
        if taken && !logged {
            self.collected.unlogged.push(place);
        }
        if verdict == Verdict::Fits && oldest_late.is_some() {
            self.newest_of.insert(slot, time.as_ms());
        }
        let (series, metrics) = (place.reference, &self.head.metrics);
        Some(match (verdict, value) {
            (Verdict::Fits, Value::Float(value)) => {
                self.collected.add_float(slot, LoggedSample { series, time, value }, is_shared);
                Ok(to_ref(place))
            }
            (Verdict::Fits, Value::Histogram(histogram)) => {
                self.collected.add_histogram(slot, LoggedHistogram { series, time, histogram }, is_shared);
                Ok(to_ref(place))
            }
            (Verdict::Late, value) => {
                self.collected.late.push(LateSample { slot, series, time: time.as_ms(), value });
                Ok(to_ref(place))
            }
            (Verdict::Repeated, _) => Ok(to_ref(place)),
            (Verdict::BeyondWindow, value) => {
                metrics.too_old_samples.get_or_create(&kind_of(&value)).inc();
                Err(AppendError::BeyondWindow { time, oldest: Timestamp::from_ms(oldest_late.unwrap_or(i64::MIN)) })
            }
            (Verdict::OutOfOrder, value) => {
                metrics.out_of_order_samples.get_or_create(&kind_of(&value)).inc();
                Err(AppendError::OutOfOrder)
            }
            (Verdict::Conflict, _) => Err(AppendError::DuplicateTimestamp),
        })
    }

    /// Appends to the series at a place if nothing that it has is as new; `None` where another one is there by now.
    fn offer_start(&mut self, place: Place, start: Timestamp, zero: Value) -> Option<Result<(), AppendError>> {
        let Place { slot, reference: series } = place;
        let under_way = self.newest_of.get(&slot).copied();
        let judge = |state: &mut SeriesState| {
            if state.reference != series {
                return None;
            }
            let fits = state.newest().max(under_way).is_none_or(|newest| newest < start.as_ms());
            let is_shared = state.pending > 0;
            state.pending += u32::from(fits);
            Some((fits, state.is_logged(), is_shared))
        };
        let (fits, logged, is_shared) = self.head.pages.with(slot, judge)??;
        if !fits {
            return Some(Err(AppendError::OutOfOrder));
        }
        if !logged {
            self.collected.unlogged.push(place);
        }
        if self.head.oldest_late(self.newest).is_some() {
            self.newest_of.insert(slot, start.as_ms());
        }
        match zero {
            Value::Float(value) => {
                self.collected.add_float(slot, LoggedSample { series, time: start, value }, is_shared);
            }
            Value::Histogram(histogram) => {
                self.collected.add_histogram(slot, LoggedHistogram { series, time: start, histogram }, is_shared);
            }
        }
        Some(Ok(()))
    }

    /// Appends to the series with these labels, which is made if it is new.
    fn append_value(&mut self, labels: &Labels, time: Timestamp, value: &Value) -> Result<SeriesRef, AppendError> {
        self.check_time(time, &kind_of(value))?;
        loop {
            let place = self.head.find_or_create(labels)?;
            // Between finding and appending the series may have been removed; then it is made anew.
            let is_meant = |reference| reference == place.reference;
            if let Some(result) = self.offer(place.slot, is_meant, time, value.clone()) {
                return result;
            }
        }
    }
}

fn kind_of(value: &Value) -> TypeLabel {
    match value {
        Value::Float(_) => TypeLabel::FLOAT,
        Value::Histogram(_) => TypeLabel::HISTOGRAM,
    }
}

/// Who writes a stale marker doesn't know of what kind its series is: it becomes of the kind that the series has.
fn make_marker_of_kind(value: &mut Value, state: &SeriesState) {
    let Value::Float(float) = value else { return };
    if !is_stale(*float) {
        return;
    }
    let marker = match state.open_encoding() {
        Some(Encoding::Histogram) => NativeHistogram::Int(Box::new(Histogram::stale())),
        Some(Encoding::FloatHistogram) => NativeHistogram::Float(Box::new(FloatHistogram::stale())),
        _ => return,
    };
    *value = Value::Histogram(marker);
}

impl Appender for Transaction {
    fn append(&mut self, labels: &Labels, time: Timestamp, value: f64) -> Result<SeriesRef, AppendError> {
        self.append_value(labels, time, &Value::Float(value))
    }

    fn append_ref(&mut self, series: SeriesRef, time: Timestamp, value: f64) -> Result<(), AppendError> {
        let (slot, half) = parts(series);
        self.check_time(time, &TypeLabel::FLOAT)?;
        match self.offer(slot, |reference| reference as u32 == half, time, Value::Float(value)) {
            Some(result) => result.map(|_| ()),
            None => Err(AppendError::UnknownSeries(series)),
        }
    }

    fn append_refs(
        &mut self,
        samples: &[(SeriesRef, f64)],
        time: Timestamp,
        refused: &mut dyn FnMut(usize, AppendError),
    ) {
        // Everything but the usual case goes one by one, and there it is told from each other.
        let is_usual = self.head.oldest_late(self.newest).is_none() && self.out_of_bounds(time).is_none();
        let pages = self.head.pages.snapshot();
        let mut cursor = PageCursor::new(&pages);
        self.collected.reserve(samples.len());
        let mut touched = 0;
        for (at, (series, value)) in samples.iter().enumerate() {
            let (slot, half) = parts(*series);
            let fits = |state: &&mut SeriesState| {
                state.is_logged()
                    && state.reference as u32 == half
                    && state.verdict(time.as_ms(), *value) == Verdict::Fits
                    && !is_stale(*value)
            };
            if let Some(state) = cursor.get(slot).filter(|state| is_usual && fits(state)) {
                let sample = LoggedSample { series: state.reference, time, value: *value };
                self.collected.add_float(slot, sample, state.pending > 0);
                state.pending += 1;
                touched ^= state.touch();
                continue;
            }
            cursor.unlock();
            if let Err(error) = self.append_ref(*series, time, *value) {
                refused(at, error);
            }
        }
        black_box(touched);
    }

    fn append_histogram(
        &mut self,
        labels: &Labels,
        time: Timestamp,
        histogram: NativeHistogram,
    ) -> Result<SeriesRef, AppendError> {
        histogram.validate().map_err(|error| AppendError::InvalidHistogram(error.to_string()))?;
        self.append_value(labels, time, &Value::Histogram(histogram))
    }

    fn append_start(
        &mut self,
        labels: &Labels,
        start: Timestamp,
        time: Timestamp,
        zero: Value,
    ) -> Result<(), AppendError> {
        if let Value::Histogram(histogram) = &zero {
            histogram.validate().map_err(|error| AppendError::InvalidHistogram(error.to_string()))?;
        }
        // Where the head has nothing yet, its first sample says how far back it reaches.
        let reach = time.as_ms().saturating_sub(self.head.options.chunk_range_ms / 2);
        let oldest = self.head.oldest_appendable(self.newest).max(reach);
        if start.as_ms() < oldest {
            return Err(AppendError::TooOld { time: start, oldest: Timestamp::from_ms(oldest) });
        }
        if start >= time || !self.knows_history {
            return Err(AppendError::OutOfOrder);
        }
        loop {
            let place = self.head.find_or_create(labels)?;
            if let Some(result) = self.offer_start(place, start, zero.clone()) {
                return result;
            }
        }
    }

    fn append_exemplar(&mut self, series: SeriesRef, exemplar: &Exemplar) -> Result<(), AppendError> {
        exemplars::check_labels(exemplar)?;
        let (place, logged) = self.place(series)?;
        match self.head.exemplars.lock().judge(place.reference, exemplar) {
            ExemplarVerdict::Ignored => return Ok(()),
            ExemplarVerdict::OutOfOrder => return Err(AppendError::OutOfOrder),
            ExemplarVerdict::Fits => self.collected.exemplars.push((place, exemplar.clone())),
        }
        if !logged {
            self.collected.unlogged.push(place);
        }
        Ok(())
    }

    fn append_metadata(&mut self, series: SeriesRef, metadata: &Metadata) -> Result<(), AppendError> {
        let (place, logged) = self.place(series)?;
        if self.head.metadata.read().get(place.slot).is_some_and(|known| **known == *metadata) {
            return Ok(());
        }
        self.collected.metadata.push((place, metadata.clone()));
        if !logged {
            self.collected.unlogged.push(place);
        }
        Ok(())
    }

    fn set_note(&mut self, name: &str, content: &[u8]) -> Result<(), AppendError> {
        self.collected.notes.push((name.to_owned(), content.to_vec()));
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> Result<(), CommitError> {
        let head = Arc::clone(&self.head);
        let _steady = head.barrier.read();
        self.collected.set_aside_cut(&head, self.newest);
        if self.collected.is_empty() {
            return Ok(());
        }
        let mut late = (!self.collected.late.is_empty()).then(|| head.late_commit());
        let logged = self.collected.log(&head, late.as_mut());
        head.note_storing(self.collected.sample_count(), logged.is_ok());
        let end = match logged {
            Ok(end) => end,
            Err(error) => {
                head.metrics.wal_writes_failed.inc();
                let reason = format!("cannot write to the log in {}", head.wal.dir().display());
                return Err(CommitError { reason, source: Some(error) });
            }
        };
        self.collected.apply(&head, late.as_ref(), end);
        Ok(())
    }

    fn rollback(self: Box<Self>) {}
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.collected.release(&self.head);
    }
}
