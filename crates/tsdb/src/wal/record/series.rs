//! Records of series: the labels behind a number.

use super::broken::broken;
use super::kind::SERIES;
use crate::binary::{Corrupt, Cursor, put_str, put_uvarint};

/// Appends one series to a record of series, and the record's first byte if it is empty.
pub(crate) fn encode_series<'a>(
    out: &mut Vec<u8>,
    series: u64,
    labels: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
) {
    if out.is_empty() {
        out.push(SERIES);
    }
    out.extend_from_slice(&series.to_be_bytes());
    put_labels(out, labels);
}

/// Hands each series of a record to `visit`.
pub(crate) fn decode_series<'a>(
    record: &'a [u8],
    mut visit: impl FnMut(u64, &[(&'a str, &'a str)]),
) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(record);
    cursor.u8();
    let mut labels = Vec::new();
    while !cursor.is_empty() {
        let at = cursor.position();
        let series = read_series(&mut cursor, &mut labels).ok_or_else(|| broken(at, "broken series"))?;
        visit(series, &labels);
    }
    Ok(())
}

fn read_series<'a>(cursor: &mut Cursor<'a>, labels: &mut Vec<(&'a str, &'a str)>) -> Option<u64> {
    let series = cursor.be64()?;
    read_labels(cursor, labels)?;
    Some(series)
}

/// Appends labels behind their count.
pub(super) fn put_labels<'a>(out: &mut Vec<u8>, labels: impl ExactSizeIterator<Item = (&'a str, &'a str)>) {
    put_uvarint(out, labels.len() as u64);
    for (name, value) in labels {
        put_str(out, name);
        put_str(out, value);
    }
}

/// Reads labels in the place of those of the series before, which are mostly the same: they need not be checked again. A count
/// that the bytes don't bear out ends the walk early.
pub(crate) fn read_labels<'a>(cursor: &mut Cursor<'a>, out: &mut Vec<(&'a str, &'a str)>) -> Option<()> {
    let count = cursor.uvarint_usize()?;
    out.truncate(count);
    for at in 0..count {
        let before = out.get(at).copied().unwrap_or_default();
        let pair = (text_like(cursor, before.0)?, text_like(cursor, before.1)?);
        match out.get_mut(at) {
            Some(place) => *place = pair,
            None => out.push(pair),
        }
    }
    Some(())
}

fn text_like<'a>(cursor: &mut Cursor<'a>, other: &'a str) -> Option<&'a str> {
    let bytes = cursor.text()?;
    if bytes == other.as_bytes() { Some(other) } else { std::str::from_utf8(bytes).ok() }
}
