//! A log: `wal/` or `wbl/`, with its checkpoints.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::consequence::{LOG_DAMAGED, LOG_GAP, LOG_TORN, LOG_UNKNOWN_SERIES, LOG_UNREAD, UNFINISHED, UNREADABLE_FILE};
use super::report::VerifyReport;
use crate::binary::Corrupt;
use crate::inspect::progress::Progress;
use crate::wal::{
    RecordKind, Segment, SegmentReader, decode_exemplars, decode_histograms, decode_markers, decode_metadata,
    decode_notes, decode_samples, decode_series, decode_tombstones, latest_checkpoint, list_segments,
};

/// The series that a log names. The log of late samples names none: it goes by those of the other.
#[derive(Default)]
pub(super) struct LogSeries {
    known: HashSet<u64, FixedState>,
}

/// Checks every record of a log that readers look at. Segments that a checkpoint has replaced are of no more use.
pub(super) fn check_log(dir: &Path, series: &mut LogSeries, report: &mut VerifyReport, progress: &mut dyn Progress) {
    if !dir.is_dir() {
        return;
    }
    let unreadable =
        |report: &mut VerifyReport, error: std::io::Error| report.add(UNREADABLE_FILE, dir, None, error.to_string());
    let (checkpoint, segments) = match latest_checkpoint(dir).and_then(|c| Ok((c, list_segments(dir)?))) {
        Ok(found) => found,
        Err(error) => return unreadable(report, error),
    };
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().ends_with(".tmp") {
            report.add(UNFINISHED, &entry.path(), None, "a checkpoint or segment that was never finished");
        }
    }
    if let Some(checkpoint) = &checkpoint {
        match list_segments(&checkpoint.path) {
            Ok(segments) => check_segments(&checkpoint.path, &segments, Some(0), false, series, report, progress),
            Err(error) => return unreadable(report, error),
        }
    }
    let first = checkpoint.as_ref().map(|checkpoint| checkpoint.index + 1);
    let wanted: Vec<Segment> =
        segments.into_iter().filter(|segment| first.is_none_or(|first| segment.index >= first)).collect();
    check_segments(dir, &wanted, first, true, series, report, progress);
}

/// Checks segments that follow each other. `first` is the number that the first must have, where that is known; the last of
/// a log may be torn.
fn check_segments(
    dir: &Path,
    segments: &[Segment],
    first: Option<u64>,
    may_be_torn: bool,
    series: &mut LogSeries,
    report: &mut VerifyReport,
    progress: &mut dyn Progress,
) {
    let mut next = first.filter(|_| !segments.is_empty());
    for (i, segment) in segments.iter().enumerate() {
        if next.is_some_and(|next| next != segment.index) {
            let problem = format!("segment {:08} follows where {:08} should", segment.index, next.unwrap_or_default());
            report.add(LOG_GAP, dir, None, problem);
        }
        next = Some(segment.index + 1);
        let is_last = may_be_torn && i + 1 == segments.len();
        if let Err(error) = check_segment(&segment.path, is_last, series, report, progress) {
            report.add(UNREADABLE_FILE, &segment.path, None, error.to_string());
        }
    }
}

fn check_segment(
    path: &Path,
    is_last: bool,
    series: &mut LogSeries,
    report: &mut VerifyReport,
    progress: &mut dyn Progress,
) -> std::io::Result<()> {
    let bytes = fs::metadata(path)?.len();
    progress.begin("log", bytes);
    report.counts.bytes += bytes;
    report.counts.log_segments += 1;
    let mut reader = SegmentReader::open(path)?;
    let mut records = Records { series, unknown: 0, unread: BTreeMap::new() };
    let mut broken = Vec::new();
    while let Some(record) = reader.next()? {
        report.counts.log_records += 1;
        if let Err(error) = records.take(record) {
            broken.push(error);
        }
    }
    progress.advance(bytes);
    for error in broken {
        report.add(LOG_DAMAGED, path, None, format!("a record whose checksum is right can't be decoded: {error}"));
    }
    let torn = is_last && !reader.good_after_damage();
    for damage in reader.damages() {
        report.add(if torn { LOG_TORN } else { LOG_DAMAGED }, path, damage.offset, damage.reason);
    }
    if records.unknown > 0 {
        let problem = format!("{} samples of series that the log does not name", records.unknown);
        report.add(LOG_UNKNOWN_SERIES, path, None, problem);
    }
    for (kind, count) in records.unread {
        report.add(LOG_UNREAD, path, None, format!("{count} records of kind {kind}"));
    }
    Ok(())
}

struct Records<'a> {
    series: &'a mut LogSeries,
    unknown: u64,
    unread: BTreeMap<&'static str, u64>,
}

impl Records<'_> {
    fn take(&mut self, record: &[u8]) -> Result<(), Corrupt> {
        match RecordKind::of(record) {
            RecordKind::Series => decode_series(record, |number, _| {
                self.series.known.insert(number);
            }),
            RecordKind::Samples => {
                let mut samples = Vec::new();
                decode_samples(record, &mut samples)?;
                self.count_unknown(samples.iter().map(|sample| sample.series));
                Ok(())
            }
            RecordKind::Histograms | RecordKind::FloatHistograms => {
                let mut histograms = Vec::new();
                decode_histograms(record, &mut histograms)?;
                self.count_unknown(histograms.iter().map(|histogram| histogram.series));
                Ok(())
            }
            RecordKind::Tombstones => decode_tombstones(record, &mut Vec::new()),
            RecordKind::Exemplars => decode_exemplars(record, drop).map(drop),
            RecordKind::Metadata => decode_metadata(record, drop).map(drop),
            RecordKind::MmapMarker => decode_markers(record, &mut Vec::new()).map(drop),
            RecordKind::Notes => decode_notes(record, |_, _| {}),
            RecordKind::MinValidTime => Ok(()),
            kind @ (RecordKind::Unread(_) | RecordKind::Unknown(_)) => {
                *self.unread.entry(kind.name()).or_default() += 1;
                Ok(())
            }
        }
    }

    fn count_unknown(&mut self, series: impl Iterator<Item = u64>) {
        self.unknown += series.filter(|number| !self.series.known.contains(number)).count() as u64;
    }
}
