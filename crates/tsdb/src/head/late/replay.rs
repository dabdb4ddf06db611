//! Taking in the log of late samples at start-up, after the write-ahead log.

use std::io;

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use model::{TimeRange, Timestamp};
use storage::chunk::Value;

use super::samples::Late;
use crate::binary::Corrupt;
use crate::head::numbering::Numbering;
use crate::head::pages::{PageCursor, PageList};
use crate::head::state::Head;
use crate::head_chunks::{ChunkPlace, LoadedChunks};
use crate::wal::{
    LoggedMarker, RecordKind, Segment, SegmentReader, decode_histograms, decode_markers, decode_samples, list_segments,
    repair_segment,
};

/// What a replay of late samples found.
#[derive(Debug, Default)]
pub(in crate::head) struct LateReplay {
    pub(in crate::head) segments: u64,
    pub(in crate::head) samples: u64,
    /// Places that could not be read; each was cut out of the log.
    pub(in crate::head) damages: u64,
    /// Samples of series whose record is missing.
    pub(in crate::head) unknown_series: u64,
    /// Markers of chunks that are not there.
    pub(in crate::head) void_markers: u64,
}

struct Replay<'a> {
    head: &'a Head,
    /// The slots of series by their numbers in the log.
    slots: &'a Numbering,
    pages: &'a PageList,
    loaded: &'a LoadedChunks,
    report: LateReplay,
    range: Option<TimeRange>,
    /// The chunks that markers name.
    marked: HashSet<u64, FixedState>,
    /// Samples before markers of chunks that are not there, with their slots.
    kept: Vec<(u32, (i64, Value))>,
}

impl Head {
    /// Reads the log of late samples into `pages`. The samples before a marker are left out if the chunk that it names was found.
    /// Chunks that no marker names are in blocks already, from which something may have been deleted since; or the log has their
    /// samples. Only where the log is damaged they stay, because nobody can tell.
    pub(in crate::head) fn replay_late(
        &self,
        slots: &Numbering,
        pages: &PageList,
        loaded: &LoadedChunks,
    ) -> io::Result<LateReplay> {
        let Some(log) = self.late.log() else { return Ok(LateReplay::default()) };
        let mut replay = Replay {
            head: self,
            slots,
            pages,
            loaded,
            report: LateReplay::default(),
            range: None,
            marked: HashSet::default(),
            kept: Vec::new(),
        };
        let current = log.current_segment();
        for segment in list_segments(log.dir())?.into_iter().filter(|segment| segment.index < current) {
            replay.read(&segment)?;
        }
        replay.put_back();
        if replay.report.damages == 0 {
            replay.drop_unmarked();
        }
        if let Some(range) = replay.range {
            self.late.widen(range);
        }
        Ok(replay.report)
    }

    /// Puts right what void markers would do. Prometheus believes a marker as soon as there is any later chunk. It writes them
    /// before the chunks, so a kill leaves void ones, and the chunks that are written from now on would make it forget the
    /// samples before them.
    pub(in crate::head) fn replace_void_markers(&self, report: &LateReplay) -> io::Result<()> {
        if report.void_markers > 0
            && let Some(sealed) = self.seal_late()?
        {
            self.shorten_late_log(&sealed).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

impl Replay<'_> {
    fn read(&mut self, input: &Segment) -> io::Result<()> {
        let mut reader = SegmentReader::open(&input.path)?;
        while let Some(record) = reader.next()? {
            if let Err(error) = self.take(record) {
                self.report.damages += 1;
                tracing::warn!(segment = %input.path.display(), %error, "broken record in the log of late samples");
            }
        }
        self.report.segments += 1;
        for damage in reader.damages() {
            self.report.damages += 1;
            tracing::warn!(
                segment = %input.path.display(), offset = damage.offset, reason = damage.reason,
                "damaged log of late samples: whole records before and after are kept"
            );
        }
        if reader.damages().is_empty() { Ok(()) } else { repair_segment(&input.path, &reader) }
    }

    fn take(&mut self, record: &[u8]) -> Result<(), Corrupt> {
        match RecordKind::of(record) {
            RecordKind::Samples => {
                let mut samples = Vec::new();
                let result = decode_samples(record, &mut samples);
                self.put(samples.into_iter().map(|sample| (sample.series, sample.time, Value::Float(sample.value))));
                result
            }
            RecordKind::Histograms | RecordKind::FloatHistograms => {
                let mut samples = Vec::new();
                let result = decode_histograms(record, &mut samples);
                let values = samples.into_iter();
                self.put(values.map(|sample| (sample.series, sample.time, Value::Histogram(sample.histogram))));
                result.map(|_| ())
            }
            RecordKind::MmapMarker => {
                let mut markers = Vec::new();
                let result = decode_markers(record, &mut markers);
                // All chunks that were made of a series' samples at once are named one after the other.
                for of_series in markers.chunk_by(|one, next| one.series == next.series) {
                    self.take_markers(of_series);
                }
                result
            }
            _ => Ok(()),
        }
    }

    fn put(&mut self, samples: impl Iterator<Item = (u64, Timestamp, Value)>) {
        let mut cursor = PageCursor::new(self.pages);
        for (series, time, value) in samples {
            let Some(state) = self.slots.get(series).and_then(|slot| cursor.get(slot)) else {
                // Its number must not go to another series as long as this stands here.
                self.head.index.write().reserve_references(series);
                self.report.unknown_series += 1;
                continue;
            };
            if state.late_mut().insert(time.as_ms(), value) {
                self.report.samples += 1;
                let range = self.range.get_or_insert(TimeRange::new(time, time));
                *range = TimeRange::new(range.min.min(time), range.max.max(time));
            }
        }
    }

    /// The samples of a series so far are in these chunks, if all of them were found. Otherwise they stay for good: later markers
    /// stand for what was not in these.
    fn take_markers(&mut self, markers: &[LoggedMarker]) {
        let mut cursor = PageCursor::new(self.pages);
        let Some(slot) = self.slots.get(markers[0].series) else { return };
        let Some(state) = cursor.get(slot) else { return };
        let full = state.late().map_or(&[][..], Late::full);
        let is_found = |marker: &&LoggedMarker| full.iter().any(|chunk| chunk.place.as_u64() == marker.chunk);
        let found: Vec<u64> = markers.iter().filter(is_found).map(|marker| marker.chunk).collect();
        let void = markers.len() - found.len();
        let samples = state.late_mut().take_samples();
        if void > 0 {
            self.kept.extend(samples.into_iter().map(|sample| (slot, sample)));
        }
        self.report.void_markers += void as u64;
        self.marked.extend(found);
    }

    /// Puts back what markers of missing chunks had to keep.
    fn put_back(&mut self) {
        let mut cursor = PageCursor::new(self.pages);
        for (slot, (time, value)) in std::mem::take(&mut self.kept) {
            let Some(state) = cursor.get(slot) else { continue };
            state.late_mut().insert(time, value);
        }
    }

    fn drop_unmarked(&self) {
        let keep = |place: ChunkPlace| !self.loaded.is_late(place) || self.marked.contains(&place.as_u64());
        for page in self.pages {
            for state in page.lock().iter_mut().filter(|state| state.late().is_some()) {
                state.late_mut().retain_full(keep);
                state.drop_rare_if_empty();
            }
        }
    }
}
