//! The records of a snapshot. Whatever the bytes are, reading ends with values or with an error, and takes memory in proportion to
//! them.

use model::{TimeRange, Timestamp};
use storage::chunk::{Encoding, Value};

use crate::binary::{Corrupt, Cursor, put_uvarint, put_varint};
use crate::wal::{LoggedExemplar, LoggedTombstone, decode_exemplars, encode_exemplars, put_histogram, read_labels};

const SERIES: u8 = 1;
const TOMBSTONES: u8 = 2;
const EXEMPLARS: u8 = 3;
/// The first byte of a list of tombstones.
const TOMBSTONES_VERSION: u8 = 1;
/// A Prometheus before 2.47 reads so many bytes behind a chunk, whatever its encoding: four samples, of which the value of the
/// last one counts.
const OLD_LAST_SAMPLES_BYTES: usize = 4 * 16;

/// One record.
#[derive(Debug, PartialEq)]
pub(crate) enum SnapshotRecord<'a> {
    Series(SnapshotSeries<'a>),
    Tombstones(Vec<LoggedTombstone>),
    Exemplars(Vec<LoggedExemplar>),
}

/// A series.
#[derive(Debug, PartialEq)]
pub(crate) struct SnapshotSeries<'a> {
    /// Its number in the log.
    pub(crate) series: u64,
    pub(crate) labels: Vec<(&'a str, &'a str)>,
    pub(crate) open: Option<OpenData<'a>>,
}

/// The chunk that a series' samples go into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenData<'a> {
    /// The times of the first and the last sample.
    pub(crate) range: TimeRange,
    pub(crate) encoding: Encoding,
    pub(crate) data: &'a [u8],
}

fn corrupt(at: usize, reason: impl Into<String>) -> Corrupt {
    Corrupt::new("chunk snapshot record", at, reason)
}

/// Appends the record of a series. With an open chunk comes the value of its last sample.
pub(crate) fn encode_series<'a>(
    out: &mut Vec<u8>,
    series: u64,
    labels: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
    open: Option<(OpenData<'_>, &Value)>,
) {
    let mut head = Vec::new();
    crate::wal::encode_series(&mut head, series, labels);
    head[0] = SERIES;
    out.append(&mut head);
    out.extend_from_slice(&0_u64.to_be_bytes()); // was the width of blocks once
    let Some((open, last)) = open else { return out.push(0) };
    out.push(1);
    out.extend_from_slice(&open.range.min.as_ms().to_be_bytes());
    out.extend_from_slice(&open.range.max.as_ms().to_be_bytes());
    out.push(open.encoding.byte());
    put_uvarint(out, open.data.len() as u64);
    out.extend_from_slice(open.data);
    put_last(out, last);
}

fn put_last(out: &mut Vec<u8>, last: &Value) {
    let end = out.len() + OLD_LAST_SAMPLES_BYTES;
    match last {
        Value::Float(value) => {
            out.resize(end - 8, 0);
            out.extend_from_slice(&value.to_bits().to_be_bytes());
        }
        Value::Histogram(histogram) => {
            put_histogram(out, histogram);
            out.resize(end.max(out.len()), 0);
        }
    }
}

/// Appends a record of tombstones, of which there is one even where nothing is deleted: it tells that all series are there.
pub(super) fn encode_tombstones(out: &mut Vec<u8>, stones: &[LoggedTombstone]) {
    let mut list = vec![TOMBSTONES_VERSION];
    for stone in stones {
        put_uvarint(&mut list, stone.series);
        put_varint(&mut list, stone.range.min.as_ms());
        put_varint(&mut list, stone.range.max.as_ms());
    }
    out.push(TOMBSTONES);
    put_uvarint(out, list.len() as u64);
    out.append(&mut list);
}

/// Appends a record of exemplars, of which there must be some.
pub(super) fn encode_exemplar_list(out: &mut Vec<u8>, exemplars: &[LoggedExemplar]) {
    let at = out.len();
    encode_exemplars(out, exemplars);
    out[at] = EXEMPLARS; // otherwise it is the log's
}

/// Reads a record. One that isn't known, or a chunk in an encoding that isn't, is an error: the rest can't be relied on then.
pub(crate) fn decode_record(record: &[u8]) -> Result<SnapshotRecord<'_>, Corrupt> {
    match record.first() {
        Some(&SERIES) => decode_series(record).map(SnapshotRecord::Series),
        Some(&TOMBSTONES) => decode_tombstones(record).map(SnapshotRecord::Tombstones),
        Some(&EXEMPLARS) => {
            let mut exemplars = Vec::new();
            decode_exemplars(record, |exemplar| exemplars.push(exemplar))?;
            Ok(SnapshotRecord::Exemplars(exemplars))
        }
        Some(other) => Err(corrupt(0, format!("a record of kind {other}, which this version doesn't know"))),
        None => Err(corrupt(0, "an empty record")),
    }
}

fn decode_series(record: &[u8]) -> Result<SnapshotSeries<'_>, Corrupt> {
    let mut cursor = Cursor::new(record);
    let mut labels = Vec::new();
    let head = cursor.u8().and_then(|_| cursor.be64()).filter(|series| *series > 0);
    let (Some(series), Some(()), Some(_)) = (head, read_labels(&mut cursor, &mut labels), cursor.be64()) else {
        return Err(corrupt(cursor.position(), "broken series"));
    };
    let open = match cursor.uvarint() {
        Some(0) => None,
        Some(_) => Some(decode_open(&mut cursor)?),
        None => return Err(corrupt(cursor.position(), "broken series")),
    };
    Ok(SnapshotSeries { series, labels, open })
}

/// The value of the last sample, which comes behind, is in the chunk as well and not read: how it is written differs between
/// versions of Prometheus.
fn decode_open<'a>(cursor: &mut Cursor<'a>) -> Result<OpenData<'a>, Corrupt> {
    let at = cursor.position();
    let (Some(min), Some(max), Some(encoding)) = (cursor.be64(), cursor.be64(), cursor.u8()) else {
        return Err(corrupt(at, "broken open chunk"));
    };
    let (min, max) = (Timestamp::from_ms(min as i64), Timestamp::from_ms(max as i64));
    let encoding = Encoding::from_byte(encoding).map_err(|error| corrupt(at, error.to_string()))?;
    let data = cursor.text().filter(|_| min <= max).ok_or_else(|| corrupt(at, "broken open chunk"))?;
    Ok(OpenData { range: TimeRange::new(min, max), encoding, data })
}

fn decode_tombstones(record: &[u8]) -> Result<Vec<LoggedTombstone>, Corrupt> {
    let mut outer = Cursor::new(record);
    outer.u8();
    let list = outer.text().ok_or_else(|| corrupt(1, "broken list of tombstones"))?;
    let mut cursor = Cursor::new(list);
    if cursor.u8() != Some(TOMBSTONES_VERSION) {
        return Err(corrupt(1, "a list of tombstones in a form that this version doesn't know"));
    }
    let mut stones = Vec::new();
    while !cursor.is_empty() {
        let (Some(series), Some(min), Some(max)) = (cursor.uvarint(), cursor.varint(), cursor.varint()) else {
            return Err(corrupt(cursor.position(), "broken tombstone"));
        };
        if min <= max {
            let range = TimeRange::new(Timestamp::from_ms(min), Timestamp::from_ms(max));
            stones.push(LoggedTombstone { series, range });
        }
    }
    Ok(stones)
}
