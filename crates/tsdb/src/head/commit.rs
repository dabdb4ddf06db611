//! What a transaction has collected, and how it goes into the log and then into the head.

use std::io;

use model::{Exemplar, Metadata, NativeHistogram, Timestamp};
use storage::chunk::Value;

use super::feed::recent::{Followed, FollowedFloat, FollowedRare, Rare};
use super::index::Place;
use super::late::commit::{LateCommit, LateTally};
use super::late::log::LateSample;
use super::pages::PageCursor;
use super::series::{SeriesState, Verdict};
use super::state::Head;
use crate::metrics::TypeLabel;
use crate::wal::{
    Batch, LogPosition, LoggedExemplar, LoggedHistogram, LoggedSample, encode_exemplars, encode_histograms,
    encode_metadata, encode_note, encode_nothing, encode_samples, encode_series,
};

/// Everything that becomes visible together.
#[derive(Default)]
pub(super) struct Collected {
    /// Nearly always one.
    groups: Vec<Group>,
    /// Series that the log did not know when they were appended to.
    pub(super) unlogged: Vec<Place>,
    pub(super) exemplars: Vec<(Place, Exemplar)>,
    pub(super) metadata: Vec<(Place, Metadata)>,
    pub(super) late: Vec<LateSample>,
    pub(super) notes: Vec<(String, Vec<u8>)>,
}

/// Samples that are logged, and put in place, floats first and histograms then, these by their kinds. A series that
/// gets several of these begins a new group where it changes, so that its samples stay in order.
#[derive(Default)]
struct Group {
    slots: Vec<u32>,
    /// As they will be logged; parallel to `slots`.
    samples: Vec<LoggedSample>,
    histogram_slots: Vec<u32>,
    /// Parallel to `histogram_slots`.
    histograms: Vec<LoggedHistogram>,
}

/// What came of putting samples of one kind in place.
#[derive(Debug)]
struct Tally {
    appended: u64,
    refused: u64,
    new_chunks: u64,
    min: i64,
    max: i64,
}

impl Default for Tally {
    fn default() -> Self {
        Tally { appended: 0, refused: 0, new_chunks: 0, min: i64::MAX, max: i64::MIN }
    }
}

impl Tally {
    /// Counts a sample at `time`, and puts it in place with `push` if it fits.
    fn put(&mut self, verdict: Verdict, time: i64, push: impl FnOnce() -> bool) {
        match verdict {
            Verdict::Fits => {
                self.new_chunks += u64::from(push());
                self.appended += 1;
                (self.min, self.max) = (self.min.min(time), self.max.max(time));
            }
            Verdict::Repeated => {}
            _ => self.refused += 1,
        }
    }
}

impl Collected {
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
            && self.late.is_empty()
            && self.exemplars.is_empty()
            && self.metadata.is_empty()
            && self.notes.is_empty()
    }

    /// How many samples there are.
    pub(super) fn sample_count(&self) -> usize {
        let grouped: usize = self.groups.iter().map(|group| group.samples.len() + group.histograms.len()).sum();
        grouped + self.late.len()
    }

    fn group(&mut self, must_begin: impl Fn(&Group) -> bool) -> &mut Group {
        if self.groups.last().is_none_or(must_begin) {
            self.groups.push(Group::default());
        }
        self.groups.last_mut().expect("there is one, or it was just pushed")
    }

    /// Makes room for so many floats.
    pub(super) fn reserve(&mut self, floats: usize) {
        let group = self.group(|_| false);
        group.slots.reserve(floats);
        group.samples.reserve(floats);
    }

    /// Adds a float; `is_shared` where its series has other samples under way.
    pub(super) fn add_float(&mut self, slot: u32, sample: LoggedSample, is_shared: bool) {
        let group = self.group(|group| is_shared && !group.histograms.is_empty());
        group.slots.push(slot);
        group.samples.push(sample);
    }

    /// Adds a histogram; `is_shared` where its series has other samples under way.
    pub(super) fn add_histogram(&mut self, slot: u32, histogram: LoggedHistogram, is_shared: bool) {
        let kind = record_kind(&histogram);
        let is_other = |logged: &LoggedHistogram| record_kind(logged) != kind;
        let group =
            self.group(|group| is_shared && (!group.samples.is_empty() || group.histograms.iter().any(is_other)));
        group.histogram_slots.push(slot);
        group.histograms.push(histogram);
    }

    /// Logs everything; the answer is where the commit ends in the log. With late samples this takes three writes instead of one, see
    /// `late::commit`.
    pub(super) fn log(&mut self, head: &Head, late: Option<&mut LateCommit<'_>>) -> io::Result<LogPosition> {
        let Some(late) = late else { return self.log_in_order(head) };
        self.log_series(head)?;
        late.log(&self.late)?;
        self.log_in_order(head).inspect_err(|_| late.take_back())
    }

    /// Writes series that are new to the log, then everything else that isn't late, in one batch.
    fn log_in_order(&mut self, head: &Head) -> io::Result<LogPosition> {
        let mut batch = head.wal.batch();
        self.add_series(head, &mut batch)?;
        self.add_rest(&mut batch)?;
        self.write(head, &mut batch)?;
        let end = batch.end();
        head.feed.recent.lock().logged(end);
        Ok(end)
    }

    fn log_series(&mut self, head: &Head) -> io::Result<()> {
        let mut batch = head.wal.batch();
        self.add_series(head, &mut batch)?;
        self.write(head, &mut batch)
    }

    fn write(&mut self, head: &Head, batch: &mut Batch<'_>) -> io::Result<()> {
        head.metrics.wal_written_bytes.inc_by(batch.write()? as u64);
        for place in self.unlogged.drain(..) {
            head.pages.with(place.slot, SeriesState::set_logged);
        }
        Ok(())
    }

    fn add_series(&mut self, head: &Head, batch: &mut Batch<'_>) -> io::Result<()> {
        // Asked again while nobody else writes: another transaction may have logged them meanwhile.
        let is_new = |place: &Place| {
            head.pages.with(place.slot, |state| state.reference == place.reference && !state.is_logged()) == Some(true)
        };
        self.unlogged.retain(is_new);
        self.unlogged.sort_unstable_by_key(|place| place.reference);
        self.unlogged.dedup();
        if self.unlogged.is_empty() {
            return Ok(());
        }
        let mut record = Vec::new();
        let index = head.index.read();
        for place in &self.unlogged {
            encode_series(&mut record, place.reference, index.pairs(place.slot));
        }
        drop(index);
        batch.add(&record)
    }

    /// Adds metadata, samples, histograms, exemplars: the order in which Prometheus writes them.
    fn add_rest(&self, batch: &mut Batch<'_>) -> io::Result<()> {
        let mut record = Vec::new();
        for (place, metadata) in &self.metadata {
            encode_metadata(&mut record, place.reference, metadata);
        }
        add_unless_empty(batch, &mut record)?;
        for group in &self.groups {
            record.reserve(group.samples.len() * 12 + 32);
            encode_samples(&mut record, &group.samples);
            add_unless_empty(batch, &mut record)?;
            encode_histograms(&group.histograms, |record| batch.add(record))?;
        }
        let of = |(place, exemplar): &(Place, Exemplar)| LoggedExemplar {
            series: place.reference,
            exemplar: exemplar.clone(),
        };
        let exemplars: Vec<LoggedExemplar> = self.exemplars.iter().map(of).collect();
        encode_exemplars(&mut record, &exemplars);
        add_unless_empty(batch, &mut record)?;
        for (name, content) in &self.notes {
            encode_note(&mut record, name, content);
        }
        // No two commits end at one place.
        if !self.late.is_empty() && record.is_empty() {
            encode_nothing(&mut record);
        }
        add_unless_empty(batch, &mut record)
    }

    /// Puts everything in place. What no longer fits, because another transaction was quicker, is counted and left out.
    /// `end` is where the commit ends in the log.
    pub(super) fn apply(&mut self, head: &Head, late: Option<&LateCommit<'_>>, end: LogPosition) {
        let (mut floats, mut histograms) = (Tally::default(), Tally::default());
        let (mut late_floats, mut late_histograms) = (LateTally::default(), LateTally::default());
        {
            let _shared = head.gate.read();
            let mut followed = Followed::default();
            self.put(head, &mut floats, &mut histograms, &mut followed);
            if let Some(commit) = late {
                let is_float = |sample: &LateSample| matches!(sample.value, Value::Float(_));
                let (of_floats, others) = std::mem::take(&mut self.late).into_iter().partition(is_float);
                late_floats = commit.put(of_floats, &mut followed);
                late_histograms = commit.put(others, &mut followed);
            }
            // Under the gate, so that no slot changes hands.
            self.follow_rare(head, &mut followed);
            head.set_metadata(&std::mem::take(&mut self.metadata));
            head.add_exemplars(&std::mem::take(&mut self.exemplars));
            self.notes.drain(..).for_each(|(name, content)| head.notes.set(&name, &content));
            let oldest = [floats.min, histograms.min, late_floats.oldest, late_histograms.oldest].into_iter().min();
            head.feed.recent.lock().in_place(end, oldest.unwrap_or(i64::MAX), followed);
        }
        head.flush_many_chunks();
        head.add_chunks(floats.new_chunks + histograms.new_chunks);
        let kinds = [(TypeLabel::FLOAT, floats, late_floats), (TypeLabel::HISTOGRAM, histograms, late_histograms)];
        for (kind, tally, late) in kinds {
            head.metrics.samples_appended.get_or_create(&kind).inc_by(tally.appended + late.taken);
            head.metrics.out_of_order_samples_appended.get_or_create(&kind).inc_by(late.taken);
            head.metrics.out_of_order_samples.get_or_create(&kind).inc_by(tally.refused);
        }
    }

    /// Keeps exemplars and metadata of followed series for those who follow.
    fn follow_rare(&self, head: &Head, out: &mut Followed) {
        let followed_by = |place: &Place| head.pages.with(place.slot, |state| state.followed).unwrap_or(0);
        let mut add = |place: &Place, what: &dyn Fn() -> Rare| {
            let followed = followed_by(place);
            if followed != 0 {
                out.rare.push(FollowedRare { slot: place.slot, followed, what: what() });
            }
        };
        self.exemplars.iter().for_each(|(place, exemplar)| add(place, &|| Rare::Exemplar(exemplar.clone())));
        self.metadata.iter().for_each(|(place, _)| add(place, &|| Rare::Metadata));
    }

    fn put(&mut self, head: &Head, floats: &mut Tally, histograms: &mut Tally, out: &mut Followed) {
        let (pages, cutting) = (head.pages.snapshot(), head.cutting());
        let mut cursor = PageCursor::new(&pages);
        for group in self.groups.drain(..) {
            for (slot, sample) in group.slots.into_iter().zip(&group.samples) {
                let Some(state) = cursor.get(slot) else { continue };
                state.pending -= 1;
                let (time, value) = (sample.time.as_ms(), sample.value);
                let (verdict, followed) = (state.verdict(time, value), state.followed);
                floats.put(verdict, time, || state.push(time, value, &cutting));
                if followed != 0 && verdict == Verdict::Fits {
                    out.floats.push(FollowedFloat { time, value, slot, followed });
                }
            }
            for (slot, logged) in group.histogram_slots.into_iter().zip(&group.histograms) {
                let Some(state) = cursor.get(slot) else { continue };
                state.pending -= 1;
                let (time, histogram) = (logged.time.as_ms(), &logged.histogram);
                let verdict = state.verdict_histogram(time, histogram);
                let followed = state.followed;
                histograms.put(verdict, time, || state.push_histogram(time, histogram, &cutting));
                if followed != 0 && verdict == Verdict::Fits {
                    let what = Rare::Histogram(time, histogram.clone());
                    out.rare.push(FollowedRare { slot, followed, what });
                }
            }
        }
        drop(cursor);
        let (min, max) = (floats.min.min(histograms.min), floats.max.max(histograms.max));
        if min <= max {
            head.widen(min, max);
        }
    }

    /// Lets go of the series without appending.
    pub(super) fn release(&mut self, head: &Head) {
        let pages = head.pages.snapshot();
        let mut cursor = PageCursor::new(&pages);
        let mut release = |slot: u32| {
            if let Some(state) = cursor.get(slot) {
                state.pending -= 1;
            }
        };
        for group in self.groups.drain(..) {
            group.slots.into_iter().chain(group.histogram_slots).for_each(&mut release);
        }
        self.late.drain(..).for_each(|late| release(late.slot));
    }

    /// Samples whose range has been cut since they were appended are late now, or left out where none are taken that late.
    pub(super) fn set_aside_cut(&mut self, head: &Head, newest: Timestamp) {
        let oldest = head.min_valid();
        let oldest_late = head.oldest_late(newest);
        let late = &mut self.late;
        let mut take = |slot: u32, series: u64, time: i64, value: Value, kind: &TypeLabel| {
            if oldest_late.is_some_and(|oldest| time >= oldest) {
                late.push(LateSample { slot, series, time, value });
                return;
            }
            head.pages.with(slot, |state: &mut SeriesState| state.pending -= 1);
            head.metrics.out_of_bound_samples.get_or_create(kind).inc();
        };
        for Group { slots, samples, histogram_slots, histograms } in &mut self.groups {
            let is_cut = |sample: &LoggedSample| sample.time.as_ms() < oldest;
            take_pairs(slots, samples, is_cut, |slot, LoggedSample { series, time, value }| {
                take(slot, series, time.as_ms(), Value::Float(value), &TypeLabel::FLOAT);
            });
            let is_cut = |histogram: &LoggedHistogram| histogram.time.as_ms() < oldest;
            take_pairs(histogram_slots, histograms, is_cut, |slot, LoggedHistogram { series, time, histogram }| {
                take(slot, series, time.as_ms(), Value::Histogram(histogram), &TypeLabel::HISTOGRAM);
            });
        }
        self.groups.retain(|group| !group.slots.is_empty() || !group.histogram_slots.is_empty());
    }
}

/// Each kind has a record of its own.
fn record_kind(logged: &LoggedHistogram) -> (bool, bool) {
    let is_float = matches!(logged.histogram, NativeHistogram::Float(_));
    (is_float, logged.histogram.buckets().are_custom())
}

fn add_unless_empty(batch: &mut Batch<'_>, record: &mut Vec<u8>) -> io::Result<()> {
    if !record.is_empty() {
        batch.add(record)?;
        record.clear();
    }
    Ok(())
}

/// Takes out the values that `is_out` names, with their slots, which go to `taken`.
fn take_pairs<T>(
    slots: &mut Vec<u32>,
    values: &mut Vec<T>,
    is_out: impl Fn(&T) -> bool,
    mut taken: impl FnMut(u32, T),
) {
    if !values.iter().any(&is_out) {
        return;
    }
    let pairs = std::mem::take(slots).into_iter().zip(std::mem::take(values));
    for (slot, value) in pairs {
        if is_out(&value) {
            taken(slot, value);
        } else {
            slots.push(slot);
            values.push(value);
        }
    }
}
