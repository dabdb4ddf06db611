//! Reading a snapshot, record by record.

use std::fs;
use std::hash::BuildHasher;
use std::path::PathBuf;

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use storage::chunk::{Chunk, ChunkError, Encoding, xor};

use super::directory::Snapshot;
use super::error::SnapshotError;
use super::record::{OpenData, SnapshotRecord, SnapshotSeries, decode_record};
use crate::binary::Corrupt;
use crate::wal::{LogPosition, SegmentReader, list_segments};

/// Hands every record to `visit`. Memory is that of one page and one record. An error ends it; what was visited before is no
/// snapshot then.
pub(crate) fn read_snapshot(
    snapshot: &Snapshot,
    mut visit: impl FnMut(SnapshotRecord<'_>) -> Result<(), Corrupt>,
) -> Result<(), SnapshotError> {
    let torn = |path: PathBuf, reason| Err(SnapshotError::Torn { path, reason });
    let dir = &snapshot.path;
    let io_error = |source| SnapshotError::Io { path: dir.clone(), source };
    let segments = list_segments(dir).map_err(io_error)?;
    let mut is_complete = false;
    for (number, segment) in (0..).zip(segments) {
        let path = segment.path;
        if segment.index != number {
            return torn(path, "the segment before it is missing");
        }
        let offset = fs::metadata(&path).map_err(io_error)?.len();
        if !(LogPosition { segment: number, offset }).is_between_pages() {
            return torn(path, "it ends in the middle of a page");
        }
        let mut reader = SegmentReader::open(&path).map_err(io_error)?;
        while let Some(record) = reader.next().map_err(io_error)? {
            let visited = decode_record(record).and_then(|record| {
                is_complete |= matches!(record, SnapshotRecord::Tombstones(_));
                visit(record)
            });
            visited.map_err(|source| SnapshotError::Record { path: path.clone(), source })?;
        }
        if let Some(damage) = reader.damages().first() {
            return Err(SnapshotError::Damaged { path, offset: damage.offset, reason: damage.reason });
        }
    }
    if is_complete { Ok(()) } else { torn(dir.clone(), "it ends before its last series") }
}

/// Reads a snapshot through without keeping anything; the answer is how many records it has.
pub(super) fn check_snapshot(
    snapshot: &Snapshot,
    is_known: &dyn Fn(&SnapshotSeries<'_>) -> bool,
) -> Result<u64, SnapshotError> {
    // Of labels the hash is enough: two series that share one by chance cost a snapshot.
    let (mut numbers, mut labels) = (HashSet::<u64, FixedState>::default(), HashSet::<u64, FixedState>::default());
    let mut records = 0;
    read_snapshot(snapshot, |record| {
        records += 1;
        let SnapshotRecord::Series(series) = record else { return Ok(()) };
        let corrupt = |reason: String| Corrupt::new("chunk snapshot", 0, format!("series {}: {reason}", series.series));
        if !numbers.insert(series.series) || !labels.insert(labels.hasher().hash_one(&series.labels)) {
            return Err(corrupt("it is there twice".to_owned()));
        }
        if !is_known(&series) {
            return Err(corrupt("the log has none with this number and these labels".to_owned()));
        }
        match series.open.map(check_open) {
            Some(Err(error)) => Err(corrupt(error.to_string())),
            Some(Ok(())) | None => Ok(()),
        }
    })?;
    Ok(records)
}

/// Whether a chunk can be read and its samples are those that its range says.
pub(super) fn check_open(open: OpenData<'_>) -> Result<(), ChunkError> {
    let (mut first, mut last, mut ascends) = (None, None, true);
    let mut visit = |time: i64| {
        ascends &= last.is_none_or(|last| last < time);
        first = first.or(Some(time));
        last = Some(time);
    };
    match open.encoding {
        Encoding::Xor => drop(xor::State::resume(open.data, &mut visit)?),
        _ => {
            let chunk: Chunk = open.into();
            let mut values = chunk.values();
            while let Some((time, _)) = values.next()? {
                visit(time);
            }
        }
    }
    let range = (open.range.min.as_ms(), open.range.max.as_ms());
    if ascends && first.zip(last) == Some(range) {
        Ok(())
    } else {
        Err(ChunkError::Corrupt("has other times than it says"))
    }
}

impl From<OpenData<'_>> for Chunk {
    fn from(open: OpenData<'_>) -> Self {
        let OpenData { range, encoding, data } = open;
        Chunk { min_time: range.min, max_time: range.max, encoding, data: data.to_vec().into() }
    }
}
