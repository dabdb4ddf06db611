//! Records of tombstones: which times of a series are deleted.

use model::{TimeRange, Timestamp};

use super::broken::broken;
use super::kind::TOMBSTONES;
use crate::binary::{Corrupt, Cursor, put_varint};

/// A deleted range of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LoggedTombstone {
    /// The series' number in the log.
    pub(crate) series: u64,
    /// Both ends are deleted as well.
    pub(crate) range: TimeRange,
}

/// Appends a whole record of tombstones to `out`; nothing where there are none.
pub(crate) fn encode_tombstones(out: &mut Vec<u8>, stones: &[LoggedTombstone]) {
    if !stones.is_empty() {
        out.push(TOMBSTONES);
    }
    for stone in stones {
        out.extend_from_slice(&stone.series.to_be_bytes());
        put_varint(out, stone.range.min.as_ms());
        put_varint(out, stone.range.max.as_ms());
    }
}

/// Appends the tombstones of a record to `out`; ranges that end before they begin are left out.
pub(crate) fn decode_tombstones(record: &[u8], out: &mut Vec<LoggedTombstone>) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(record);
    cursor.u8();
    while !cursor.is_empty() {
        let at = cursor.position();
        let (Some(series), Some(min), Some(max)) = (cursor.be64(), cursor.varint(), cursor.varint()) else {
            return Err(broken(at, "broken tombstone"));
        };
        if min <= max {
            let range = TimeRange::new(Timestamp::from_ms(min), Timestamp::from_ms(max));
            out.push(LoggedTombstone { series, range });
        }
    }
    Ok(())
}
