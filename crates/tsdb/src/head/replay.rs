//! Taking in the log at start-up.

mod snapshot;
mod times;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use model::{Labels, LabelsHasher};
use parking_lot::Mutex;

use super::cutting::Cutting;
use super::feed::times::CommitTimes;
use super::index::{HeadIndex, Place};
use super::late::log::LateSample;
use super::late::samples::Late;
use super::numbering::Numbering;
use super::pages::{PAGE_SERIES, PageCursor, PageList};
use super::series::SeriesState;
use super::state::Head;
use crate::failpoint;
use crate::head_chunks::{LoadedChunk, LoadedChunks};
use crate::wal::{
    LogPosition, LoggedHistogram, LoggedSample, RecordKind, Segment, SegmentReader, decode_exemplars,
    decode_histograms, decode_metadata, decode_notes, decode_samples, decode_series, decode_tombstones,
    latest_checkpoint, list_segments, repair_segment,
};

/// What a replay found.
#[derive(Debug, Default)]
pub(crate) struct ReplayReport {
    pub(crate) segments: u64,
    pub(crate) series: u64,
    pub(crate) samples: u64,
    /// Places that could not be read; each was cut out of the log.
    pub(crate) damages: u64,
    /// Samples of series whose record is missing.
    pub(crate) unknown_series: u64,
    /// Records that this version does not read, by kind.
    pub(crate) unread: BTreeMap<&'static str, u64>,
    /// Series that were taken from a chunk snapshot.
    pub(crate) snapshot_series: u64,
    /// Full chunks that were found in files.
    pub(crate) chunks: u64,
    /// Places in these files that could not be read; what followed was taken from the log.
    pub(crate) chunk_damages: u64,
    /// Chunks whose encoding this version does not read; their samples were taken from the log.
    pub(crate) chunks_refused: u64,
    /// Series that have chunks but no record in the log.
    pub(crate) chunks_unknown_series: usize,
}

impl ReplayReport {
    fn take_chunks(&mut self, loaded: &LoadedChunks) {
        self.chunks = loaded.chunks;
        self.chunk_damages = loaded.damages;
        self.chunks_refused = loaded.refused;
    }
}

/// Reads the log in two passes: what makes a series first, which is quick, and then all samples, into states that nobody else
/// sees. In the end they take over what has been appended in between.
pub(crate) struct Replay {
    head: Arc<Head>,
    /// Each with whether it is a checkpoint's.
    inputs: Vec<(Segment, bool)>,
    report: ReplayReport,
    slots: Numbering,
    hasher: LabelsHasher,
    /// How many series the log has.
    series: usize,
    /// Their states.
    history: PageList,
    /// The newest time that the log has shown of each slot so far.
    seen: Vec<i64>,
    samples: Vec<LoggedSample>,
    min_valid: i64,
    /// The times of the log's commits, and up to where they were noted.
    times: CommitTimes,
    times_until: LogPosition,
    /// The oldest time of the record that is being read.
    oldest: i64,
    /// The newest time of all that were read, `i64::MAX` where something was not.
    newest: i64,
    must_note_times: bool,
    /// Full chunks that were found in files, till their series' record comes.
    loaded: LoadedChunks,
}

/// What the first pass reads. Exemplars, metadata and notes are little, and those of now must come after those of then.
fn is_first(record_kind: u8) -> bool {
    let kind = RecordKind::of(&[record_kind]);
    matches!(kind, RecordKind::Series | RecordKind::Exemplars | RecordKind::Metadata | RecordKind::Notes)
}

impl Replay {
    /// Finds checkpoint and segments and makes their series: from now on samples can be taken.
    pub(crate) fn begin(head: Arc<Head>) -> io::Result<Self> {
        let dir = head.wal.dir();
        let checkpoint = latest_checkpoint(dir)?;
        let mut inputs: Vec<(Segment, bool)> = Vec::new();
        if let Some(checkpoint) = &checkpoint {
            inputs.extend(list_segments(&checkpoint.path)?.into_iter().map(|segment| (segment, true)));
        }
        let first = checkpoint.map_or(0, |checkpoint| checkpoint.index + 1);
        let current = head.wal.current_segment();
        let segments = list_segments(dir)?.into_iter().filter(|segment| (first..current).contains(&segment.index));
        inputs.extend(segments.map(|segment| (segment, false)));
        let loaded = std::mem::take(&mut *head.loaded.lock());
        // A number that a chunk has is never given to another series.
        head.index.write().reserve_references(loaded.last_series);
        let mut replay = Replay {
            inputs: Vec::new(),
            report: ReplayReport::default(),
            slots: Numbering::default(),
            hasher: LabelsHasher::default(),
            series: 0,
            history: PageList::new(),
            seen: Vec::new(),
            samples: Vec::new(),
            min_valid: head.min_valid(),
            times: CommitTimes::new(LogPosition { segment: first, offset: 0 }),
            times_until: LogPosition { segment: first, offset: 0 },
            oldest: i64::MAX,
            newest: i64::MIN,
            must_note_times: false,
            loaded,
            head,
        };
        for (input, _) in &inputs {
            // Damage is met again, told and repaired in the second pass.
            let mut reader = SegmentReader::open(&input.path)?.only(is_first);
            while let Some(record) = reader.next()? {
                let _ = replay.take_first(record);
            }
        }
        replay.inputs = inputs;
        if let Some((times, until)) = replay.head.noted_commit_times() {
            (replay.times, replay.times_until) = (times, until);
        }
        if let Err(error) = replay.head.begin_run() {
            tracing::warn!(%error, "cannot say in the log that a run begins: who follows it will be told everything again later");
        }
        replay.series = replay.head.index.read().len();
        replay.head.pages.extend_to(replay.series);
        replay.head.metrics.head_series_created.inc_by(replay.series as u64);
        replay.head.metrics.head_series.set(replay.series as i64);
        Ok(replay)
    }

    /// Reads the samples, those of a snapshot first. Damage is counted, told and repaired: whole records on both sides of it are
    /// kept, in this segment and in later ones.
    pub(crate) fn finish(mut self) -> io::Result<ReplayReport> {
        self.begin_history();
        let covered = self.take_snapshot()?;
        self.trust_times(covered);
        for (segment, is_of_checkpoint) in std::mem::take(&mut self.inputs) {
            if let Some(start) = Self::first_uncovered(&segment, is_of_checkpoint, covered) {
                self.read(&segment, start)?;
            }
        }
        let late = self.head.replay_late(&self.slots, &self.history, &self.loaded)?;
        self.count_unlogged_chunks();
        self.hand_over();
        self.head.replace_void_markers(&late)?;
        self.hand_over_times()?;
        let report = &mut self.report;
        report.segments += late.segments;
        report.samples += late.samples;
        report.damages += late.damages;
        report.unknown_series += late.unknown_series;
        report.take_chunks(&self.loaded);
        Ok(self.report)
    }

    /// Makes the states of all series that the log has, with the full chunks that were found.
    fn begin_history(&mut self) {
        {
            let index = self.head.index.read();
            // Those that were made since the start have slots behind them.
            let reference = |slot: usize| index.place(slot as u32).map_or(0, |place| place.reference);
            for from in (0..self.series).step_by(PAGE_SERIES as usize) {
                let slots = from..self.series.min(from + PAGE_SERIES as usize);
                let page = slots.map(|slot| SeriesState::restored(reference(slot))).collect();
                self.history.push(Arc::new(Mutex::new(page)));
            }
            self.seen = vec![i64::MIN; self.series];
        }
        let mut cursor = PageCursor::new(&self.history);
        for chunks in self.loaded.take().chunk_by(|one, next| one.series == next.series) {
            match self.slots.get(chunks[0].series).and_then(|slot| cursor.get(slot)) {
                Some(state) => self.attach(state, chunks),
                None => self.report.chunks_unknown_series += 1,
            }
        }
    }

    fn attach(&self, state: &mut SeriesState, chunks: &[LoadedChunk]) {
        state.attach(chunks);
        if let Some(late) = state.late().and_then(Late::range) {
            self.head.late.widen(late);
        }
        let in_order = || chunks.iter().filter(|chunk| !chunk.late);
        let first = in_order().map(|chunk| chunk.min_time).min();
        let last = in_order().map(|chunk| chunk.max_time).max();
        if let (Some(first), Some(last)) = (first, last) {
            self.head.widen(first, last);
        }
    }

    /// Puts the history in the place of the states that samples have been appended to since the start.
    fn hand_over(&mut self) {
        let cutting = self.head.cutting();
        let (mut older, mut more) = (Vec::new(), 0);
        for ((live, history), first) in
            self.head.pages.snapshot().iter().zip(&self.history).zip((0..).step_by(PAGE_SERIES as usize))
        {
            let mut live = live.lock();
            let mut history = std::mem::take(&mut *history.lock());
            more -= count_chunks(&live);
            history.iter_mut().for_each(|state| state.end_restoring(&cutting));
            let both = history.iter_mut().zip(live.iter_mut()).zip(first..);
            for ((history, live), slot) in both.filter(|((_, live), _)| live.reference != 0) {
                let series = live.reference;
                let late = history.continue_with(std::mem::take(live), &cutting);
                older.extend(late.into_iter().map(|(time, value)| LateSample { slot, series, time, value }));
            }
            let made_since = live.len().min(history.len());
            history.extend(live.drain(made_since..));
            more += count_chunks(&history);
            *live = history;
        }
        self.head.change_chunks(more);
        self.head.metrics.head_chunks_created.inc_by(more.max(0) as u64);
        self.head.late_after_all(older);
    }

    fn read(&mut self, input: &Segment, start: u64) -> io::Result<()> {
        failpoint::pass("replay.segment")?;
        let mut reader = SegmentReader::open_at(&input.path, start)?;
        while let Some(record) = reader.next()? {
            self.oldest = i64::MAX;
            self.take(record, input);
            self.note_time(LogPosition { segment: input.index, offset: reader.good_end() });
            if self.head.is_closing() {
                return Err(io::Error::other("the database is being closed"));
            }
        }
        self.report.segments += 1;
        for damage in reader.damages() {
            self.report.damages += 1;
            tracing::warn!(
                segment = %input.path.display(), offset = damage.offset, reason = damage.reason,
                "damaged write-ahead log: whole records before and after are kept"
            );
        }
        if reader.damages().is_empty() { Ok(()) } else { repair_segment(&input.path, &reader) }
    }

    fn take_first(&mut self, record: &[u8]) -> Result<(), crate::binary::Corrupt> {
        match RecordKind::of(record) {
            RecordKind::Series => self.take_series(record),
            RecordKind::Exemplars => self.take_exemplars(record),
            RecordKind::Metadata => self.take_metadata(record),
            RecordKind::Notes => decode_notes(record, |name, content| self.head.notes.set(name, content)),
            _ => Ok(()),
        }
    }

    fn take(&mut self, record: &[u8], input: &Segment) {
        let kind = RecordKind::of(record);
        let result = match kind {
            // Taken already: only what is broken in them is told.
            RecordKind::Series => decode_series(record, |_, _| {}),
            RecordKind::Exemplars => decode_exemplars(record, |_| {}),
            RecordKind::Metadata => decode_metadata(record, |_| {}),
            RecordKind::Notes => decode_notes(record, |_, _| {}),
            RecordKind::Samples => {
                let mut samples = std::mem::take(&mut self.samples);
                samples.clear();
                let result = decode_samples(record, &mut samples);
                self.put_floats(&samples);
                self.samples = samples;
                result
            }
            RecordKind::MmapMarker | RecordKind::MinValidTime => Ok(()),
            RecordKind::Histograms | RecordKind::FloatHistograms => self.take_histograms(record),
            RecordKind::Tombstones => self.take_tombstones(record),
            RecordKind::Unread(_) | RecordKind::Unknown(_) => {
                *self.report.unread.entry(kind.name()).or_default() += 1;
                Ok(())
            }
        };
        if let Err(error) = result {
            self.report.damages += 1;
            tracing::warn!(segment = %input.path.display(), %error, "broken record in the write-ahead log");
        }
    }

    /// Deletions count for the samples before them in the log. Those of times that are in blocks are needed, too, until the log of
    /// late samples has been read: what it has of such a time may have been deleted before the block was cut.
    fn take_tombstones(&mut self, record: &[u8]) -> Result<(), crate::binary::Corrupt> {
        let mut stones = Vec::new();
        let result = decode_tombstones(record, &mut stones);
        let index = self.head.index.read();
        for stone in &stones {
            match self.slots.get(stone.series).and_then(|slot| index.place(slot)) {
                Some(place) => self.head.tombstones.add(place.reference, stone.range),
                None => self.report.unknown_series += u64::from(stone.range.max.as_ms() >= self.min_valid),
            }
        }
        result
    }

    fn take_series(&mut self, record: &[u8]) -> Result<(), crate::binary::Corrupt> {
        let head = Arc::clone(&self.head);
        let mut index = head.index.write();
        decode_series(record, |reference, pairs| {
            self.report.series += u64::from(self.add_series(&mut index, reference, pairs));
        })
    }

    /// Takes in the number that the log has for a series, which gets it if it has none yet; tells whether it could. There may be
    /// no room or no label, and nobody's number is 0.
    fn add_series(&mut self, index: &mut HeadIndex, reference: u64, pairs: &[(&str, &str)]) -> bool {
        if reference == 0 {
            return false;
        }
        index.reserve_references(reference);
        let is_sorted =
            pairs.is_sorted_by(|one, next| one.0 < next.0) && pairs.iter().all(|(_, value)| !value.is_empty());
        let place = if is_sorted && !pairs.is_empty() {
            index.find_or_add(&mut self.hasher, pairs, reference)
        } else {
            let labels = Labels::from_pairs(pairs.iter().copied());
            let pairs: Vec<_> = labels.iter().collect();
            if pairs.is_empty() {
                return false;
            }
            index.find_or_add(&mut self.hasher, &pairs, reference)
        };
        let Some(place) = place else { return false };
        if place.reference != reference {
            self.head.aliases.lock().insert(reference, place.reference);
        }
        self.slots.set(reference, place.slot);
        true
    }

    /// Where the series is now that the log gave this number.
    fn place(&self, reference: u64) -> Option<Place> {
        self.head.index.read().place(self.slots.get(reference)?)
    }

    fn take_exemplars(&mut self, record: &[u8]) -> Result<(), crate::binary::Corrupt> {
        let mut all = Vec::new();
        let result = decode_exemplars(record, |logged| {
            all.extend(self.place(logged.series).map(|place| (place, logged.exemplar)));
        });
        self.head.add_exemplars(&all);
        result
    }

    fn take_metadata(&mut self, record: &[u8]) -> Result<(), crate::binary::Corrupt> {
        let mut all = Vec::new();
        let result = decode_metadata(record, |logged| {
            all.extend(self.place(logged.series).map(|place| (place, logged.metadata)));
        });
        self.head.set_metadata(&all);
        result
    }

    fn take_histograms(&mut self, record: &[u8]) -> Result<(), crate::binary::Corrupt> {
        let mut histograms = Vec::new();
        let result = decode_histograms(record, &mut histograms);
        let at = |logged: &LoggedHistogram| (logged.series, logged.time.as_ms());
        self.put(&histograms, at, |state, seen, LoggedHistogram { time, histogram, .. }, cutting| {
            let is_new = state.misses(time.as_ms(), seen, cutting);
            if is_new {
                state.push_histogram(time.as_ms(), histogram, cutting);
            }
            is_new
        });
        let left_out = result?;
        if left_out > 0 {
            *self.report.unread.entry("histograms_of_unknown_schema").or_default() += left_out as u64;
        }
        Ok(())
    }

    fn put_floats(&mut self, samples: &[LoggedSample]) {
        let at = |sample: &LoggedSample| (sample.series, sample.time.as_ms());
        self.put(samples, at, |state, seen, LoggedSample { time, value, .. }, cutting| {
            let is_new = state.misses(time.as_ms(), seen, cutting);
            if is_new {
                state.push(time.as_ms(), *value, cutting);
            }
            is_new
        });
    }

    /// Puts samples, of which `at` tells series and time, into their series. `append` tells whether one is new.
    fn put<S>(
        &mut self,
        samples: &[S],
        at: impl Fn(&S) -> (u64, i64),
        append: impl Fn(&mut SeriesState, &mut i64, &S, &Cutting<'_>) -> bool,
    ) {
        let (mut min, mut max) = (i64::MAX, i64::MIN);
        let cutting = self.head.cutting();
        let mut cursor = PageCursor::new(&self.history);
        for sample in samples {
            let (series, time) = at(sample);
            self.oldest = self.oldest.min(time);
            self.newest = self.newest.max(time);
            if time < self.min_valid {
                continue;
            }
            let slot = self.slots.get(series);
            let Some((state, seen)) = slot.and_then(|slot| cursor.get(slot).zip(self.seen.get_mut(slot as usize)))
            else {
                self.report.unknown_series += 1;
                continue;
            };
            if append(state, seen, sample, &cutting) {
                self.report.samples += 1;
                (min, max) = (min.min(time), max.max(time));
            }
        }
        drop(cursor);
        if min <= max {
            self.head.widen(min, max);
        }
    }
}

fn count_chunks(states: &[SeriesState]) -> i64 {
    states.iter().map(|state| state.chunk_count() as i64).sum()
}
