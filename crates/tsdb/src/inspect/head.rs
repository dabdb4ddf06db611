//! The samples that are in no block yet, as the logs have them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use model::{Labels, Matcher, TimeRange, Timestamp};
use storage::Series;
use storage::chunk::{Chunk, ChunkError, Recoder, Value};

use super::error::InspectError;
use super::progress::Progress;
use crate::wal::{
    LoggedHistogram, LoggedSample, LoggedTombstone, RecordKind, Segment, SegmentReader, decode_histograms,
    decode_samples, decode_series, decode_tombstones, latest_checkpoint, list_segments,
};

/// So often the logs are read anew where a segment went away while they were read.
const TRIES: usize = 5;

/// What reading the logs came upon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeadReport {
    /// Segments that were read, those of checkpoints and of the log of late samples included.
    pub segments: u64,
    /// The bytes of these segments.
    pub bytes: u64,
    /// Samples that are in no block yet.
    pub samples: u64,
    /// Places that could not be read. Whole records before and after them were.
    pub damages: u64,
    /// Samples of series that the log doesn't name.
    pub unknown_series: u64,
    /// Records that hold samples and are not read by this version, by kind.
    pub unread: BTreeMap<&'static str, u64>,
}

/// The head of a directory, read from its logs.
#[derive(Debug, Default)]
pub struct HeadContent {
    series: Vec<Series>,
    report: HeadReport,
    range: Option<(Timestamp, Timestamp)>,
}

impl HeadContent {
    /// Reads `wal/` and `wbl/` in `dir`. Samples before `in_blocks` are in blocks already.
    pub(super) fn read(
        dir: &Path,
        in_blocks: Option<Timestamp>,
        progress: &mut dyn Progress,
    ) -> Result<Self, InspectError> {
        for attempt in 1.. {
            let mut reading = Reading { min_valid: in_blocks.map_or(i64::MIN, Timestamp::as_ms), ..Reading::default() };
            let logs = [(dir.join("wal"), false), (dir.join("wbl"), true)];
            match logs.iter().try_for_each(|(log, late)| reading.read_log(log, *late, progress)) {
                Ok(()) => return reading.finish().map_err(|error| InspectError::Data(error.into())),
                // The owner has just put a checkpoint in the place of old segments.
                Err(InspectError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound && attempt < TRIES => {
                }
                Err(error) => return Err(error),
            }
        }
        Ok(HeadContent::default())
    }

    /// The series, sorted by labels.
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// What reading came upon.
    pub fn report(&self) -> &HeadReport {
        &self.report
    }

    /// The times of the oldest and the newest sample; `None` where there is none.
    pub fn time_range(&self) -> Option<(Timestamp, Timestamp)> {
        self.range
    }

    /// The series that match, with the chunks that touch the range.
    pub(super) fn select(&self, matchers: &[Matcher], range: TimeRange) -> Vec<Series> {
        let matching = self.series.iter().filter(|series| matchers.iter().all(|m| m.matches_labels(&series.labels)));
        let mut found = Vec::new();
        for series in matching {
            let touches = |chunk: &&Chunk| range.overlaps(TimeRange::new(chunk.min_time, chunk.max_time));
            let chunks: Vec<Chunk> = series.chunks.iter().filter(touches).cloned().collect();
            if !chunks.is_empty() {
                found.push(Series { labels: series.labels.clone(), chunks });
            }
        }
        found
    }
}

/// A series while the logs are read.
struct Growing {
    labels: Labels,
    in_order: Recoder,
    last: Option<i64>,
    late: Vec<(i64, Value)>,
    deleted: Vec<TimeRange>,
}

#[derive(Default)]
struct Reading {
    series: Vec<Growing>,
    by_labels: HashMap<Labels, usize, FixedState>,
    by_reference: HashMap<u64, usize, FixedState>,
    report: HeadReport,
    min_valid: i64,
    samples: Vec<LoggedSample>,
    histograms: Vec<LoggedHistogram>,
    tombstones: Vec<LoggedTombstone>,
}

impl Reading {
    /// Reads a log from its newest checkpoint on.
    fn read_log(&mut self, dir: &Path, late: bool, progress: &mut dyn Progress) -> Result<(), InspectError> {
        if !dir.is_dir() {
            return Ok(());
        }
        let failed = |path: &Path, source| InspectError::Io { path: path.to_owned(), source };
        let inputs = inputs(dir).map_err(|source| failed(dir, source))?;
        let size = |segment: &Segment| std::fs::metadata(&segment.path).map_or(0, |metadata| metadata.len());
        progress.begin(if late { "log of late samples" } else { "write-ahead log" }, inputs.iter().map(size).sum());
        for input in &inputs {
            progress.advance(self.read_segment(input, late).map_err(|source| failed(&input.path, source))?);
        }
        Ok(())
    }

    fn read_segment(&mut self, input: &Segment, late: bool) -> io::Result<u64> {
        let mut reader = SegmentReader::open(&input.path)?;
        let bytes = std::fs::metadata(&input.path)?.len();
        while let Some(record) = reader.next()? {
            self.take(record, late);
        }
        self.report.segments += 1;
        self.report.bytes += bytes;
        self.report.damages += reader.damages().len() as u64;
        Ok(bytes)
    }

    fn take(&mut self, record: &[u8], late: bool) {
        let result = match RecordKind::of(record) {
            RecordKind::Series => decode_series(record, |reference, pairs| self.add_series(reference, pairs)),
            RecordKind::Samples => {
                let mut samples = std::mem::take(&mut self.samples);
                samples.clear();
                let result = decode_samples(record, &mut samples);
                for LoggedSample { series, time, value } in &samples {
                    self.add(*series, time.as_ms(), Value::Float(*value), late);
                }
                self.samples = samples;
                result
            }
            RecordKind::Histograms | RecordKind::FloatHistograms => {
                let mut histograms = std::mem::take(&mut self.histograms);
                let result = decode_histograms(record, &mut histograms).map(drop);
                for LoggedHistogram { series, time, histogram } in histograms.drain(..) {
                    self.add(series, time.as_ms(), Value::Histogram(histogram), late);
                }
                self.histograms = histograms;
                result
            }
            RecordKind::Tombstones => {
                let mut tombstones = std::mem::take(&mut self.tombstones);
                let result = decode_tombstones(record, &mut tombstones);
                for LoggedTombstone { series, range } in tombstones.drain(..) {
                    if let Some(at) = self.by_reference.get(&series) {
                        self.series[*at].deleted.push(range);
                    }
                }
                self.tombstones = tombstones;
                result
            }
            RecordKind::MmapMarker
            | RecordKind::Exemplars
            | RecordKind::Metadata
            | RecordKind::Notes
            | RecordKind::MinValidTime => Ok(()),
            kind @ (RecordKind::Unread(_) | RecordKind::Unknown(_)) => {
                *self.report.unread.entry(kind.name()).or_default() += 1;
                Ok(())
            }
        };
        self.report.damages += u64::from(result.is_err());
    }

    fn add_series(&mut self, reference: u64, pairs: &[(&str, &str)]) {
        let labels = Labels::from_pairs(pairs.iter().copied());
        let next = self.series.len();
        let at = *self.by_labels.entry(labels.clone()).or_insert(next);
        if at == next {
            let in_order = Recoder::default();
            self.series.push(Growing { labels, in_order, last: None, late: Vec::new(), deleted: Vec::new() });
        }
        self.by_reference.insert(reference, at);
    }

    fn add(&mut self, series: u64, time: i64, value: Value, late: bool) {
        let Some(at) = self.by_reference.get(&series) else {
            self.report.unknown_series += 1;
            return;
        };
        let growing = &mut self.series[*at];
        if late {
            growing.late.push((time, value));
        } else if time >= self.min_valid && growing.last.is_none_or(|last| last < time) {
            // A late sample is in this log as well, and counts as it is in the other one.
            growing.in_order.push(time, value);
            growing.last = Some(time);
        }
    }

    fn finish(self) -> Result<HeadContent, ChunkError> {
        let mut content = HeadContent { report: self.report, ..HeadContent::default() };
        for growing in self.series {
            let (labels, chunks) = (growing.labels.clone(), growing.into_chunks()?);
            if chunks.is_empty() {
                continue;
            }
            for chunk in &chunks {
                let (min, max) = content.range.unwrap_or((chunk.min_time, chunk.max_time));
                content.range = Some((min.min(chunk.min_time), max.max(chunk.max_time)));
                content.report.samples += chunk.sample_count() as u64;
            }
            content.series.push(Series { labels, chunks });
        }
        content.series.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        Ok(content)
    }
}

impl Growing {
    /// The chunks in order of their first samples, without what was deleted.
    fn into_chunks(mut self) -> Result<Vec<Chunk>, ChunkError> {
        let mut chunks = self.in_order.finish();
        if !self.late.is_empty() {
            // Of two at the same time the first stays, as when they came.
            self.late.sort_by_key(|(time, _)| *time);
            self.late.dedup_by_key(|(time, _)| *time);
            let mut late = Recoder::default();
            self.late.into_iter().for_each(|(time, value)| late.push(time, value));
            chunks.extend(late.finish());
            chunks.sort_by_key(|chunk| chunk.min_time);
        }
        if self.deleted.is_empty() {
            return Ok(chunks);
        }
        let mut left = Vec::new();
        for chunk in chunks {
            let mut recoder = Recoder::default();
            let mut values = chunk.values();
            while let Some(sample) = values.next_timed()? {
                let at = Timestamp::from_ms(sample.time);
                if !self.deleted.iter().any(|range| range.contains(at)) {
                    recoder.push_timed(sample);
                }
            }
            left.extend(recoder.finish());
        }
        Ok(left)
    }
}

/// The segments to read, in order: those of the newest checkpoint, and those after it.
fn inputs(dir: &Path) -> io::Result<Vec<Segment>> {
    let checkpoint = latest_checkpoint(dir)?;
    let mut inputs = Vec::new();
    if let Some(checkpoint) = &checkpoint {
        match list_segments(&checkpoint.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {} // replaced just now
            segments => inputs.extend(segments?),
        }
    }
    let first = checkpoint.map_or(0, |checkpoint| checkpoint.index + 1);
    inputs.extend(list_segments(dir)?.into_iter().filter(|segment| segment.index >= first));
    Ok(inputs)
}
