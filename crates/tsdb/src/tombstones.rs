//! A block's `tombstones` file: which intervals of which series were deleted. We write it empty and honour what others wrote.

use std::collections::HashMap;

use model::{TimeRange, Timestamp};

use crate::binary::{Corrupt, Cursor};

const MAGIC: u32 = 0x0130_BA30;
const VERSION: u8 = 1;

/// Deleted intervals by series number.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tombstones {
    by_series: HashMap<u32, Vec<TimeRange>>,
}

fn corrupt(offset: usize, reason: &str) -> Corrupt {
    Corrupt::new("tombstones", offset, reason)
}

impl Tombstones {
    /// A file without tombstones: magic number, version, and the checksum of nothing.
    pub(crate) fn empty_file() -> Vec<u8> {
        let mut out = MAGIC.to_be_bytes().to_vec();
        out.push(VERSION);
        out.extend_from_slice(&crc32c::crc32c(&[]).to_be_bytes());
        out
    }

    /// Reads a file.
    pub(crate) fn decode(file: &[u8]) -> Result<Self, Corrupt> {
        let end = file.len().checked_sub(4).filter(|end| *end >= 5).ok_or_else(|| corrupt(0, "file too short"))?;
        let (body, crc) = file.split_at(end);
        let mut cursor = Cursor::new(body);
        if cursor.be32() != Some(MAGIC) {
            return Err(corrupt(0, "the magic number is missing"));
        }
        if cursor.u8() != Some(VERSION) {
            return Err(corrupt(4, "unknown version"));
        }
        // The checksum leaves the version out.
        if crc32c::crc32c(&body[5..]).to_be_bytes() != crc {
            return Err(corrupt(end, "checksum is wrong"));
        }
        let mut by_series: HashMap<u32, Vec<TimeRange>> = HashMap::new();
        while !cursor.is_empty() {
            let at = cursor.position();
            let (number, range) = read_stone(&mut cursor).ok_or_else(|| corrupt(at, "broken entry"))?;
            by_series.entry(number).or_default().push(range);
        }
        Ok(Tombstones { by_series })
    }

    /// The deleted intervals of a series.
    pub(crate) fn of(&self, series: u32) -> &[TimeRange] {
        self.by_series.get(&series).map_or(&[], Vec::as_slice)
    }

    /// All series with deleted intervals, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &[TimeRange])> {
        self.by_series.iter().map(|(series, ranges)| (*series, ranges.as_slice()))
    }
}

fn read_stone(cursor: &mut Cursor<'_>) -> Option<(u32, TimeRange)> {
    let number = u32::try_from(cursor.uvarint()?).ok()?;
    let (min, max) = (cursor.varint()?, cursor.varint()?);
    Some((number, TimeRange::new(Timestamp::from_ms(min), Timestamp::from_ms(max))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary::{put_uvarint, put_varint};

    #[test]
    fn reads_intervals_and_refuses_damage() {
        assert_eq!(Tombstones::decode(&Tombstones::empty_file()), Ok(Tombstones::default()));
        let mut body = Vec::new();
        put_uvarint(&mut body, 7);
        put_varint(&mut body, -5);
        put_varint(&mut body, 10);
        let mut file = MAGIC.to_be_bytes().to_vec();
        file.push(VERSION);
        file.extend_from_slice(&body);
        file.extend_from_slice(&crc32c::crc32c(&body).to_be_bytes());
        let read = Tombstones::decode(&file).expect("valid");
        assert_eq!(read.of(7), [TimeRange::new(Timestamp::from_ms(-5), Timestamp::from_ms(10))]);
        assert!(read.of(8).is_empty());
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 0x10;
            assert!(Tombstones::decode(&damaged).is_err(), "byte {at}");
            assert!(Tombstones::decode(&file[..at]).is_err(), "cut at {at}");
        }
    }
}
