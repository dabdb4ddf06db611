//! Deleted intervals: a block's `tombstones` file, and chunks without what was deleted. See `docs/format/tombstones.md`.

use std::collections::BTreeMap;

use model::{TimeRange, Timestamp};
use storage::chunk::{Chunk, ChunkError, Recoder};

use crate::binary::{Corrupt, Cursor, put_uvarint, put_varint};

const MAGIC: u32 = 0x0130_BA30;
const VERSION: u8 = 1;
pub(crate) const HEADER_BYTES: usize = 5;

/// The deleted intervals of one series, ascending; between two of them is at least a millisecond that isn't deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Intervals(Vec<TimeRange>);

impl Intervals {
    /// Adds an interval and joins it with those that it touches.
    pub(crate) fn add(&mut self, new: TimeRange) {
        let begin = self.0.partition_point(|old| old.max.saturating_add(1) < new.min);
        let end = begin + self.0[begin..].partition_point(|old| old.min <= new.max.saturating_add(1));
        let joined = self.0[begin..end]
            .iter()
            .fold(new, |joined, old| TimeRange::new(joined.min.min(old.min), joined.max.max(old.max)));
        self.0.splice(begin..end, [joined]);
    }

    /// The intervals, ascending.
    pub(crate) fn as_slice(&self) -> &[TimeRange] {
        &self.0
    }

    /// Forgets what ends before `time`.
    pub(crate) fn drop_before(&mut self, time: Timestamp) {
        self.0.retain(|interval| interval.max >= time);
    }
}

/// Deleted intervals by series number.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tombstones {
    by_series: BTreeMap<u32, Intervals>,
}

fn corrupt(offset: usize, reason: &str) -> Corrupt {
    Corrupt::new("tombstones", offset, reason)
}

impl Tombstones {
    /// Reads a file.
    pub(crate) fn decode(file: &[u8]) -> Result<Self, Corrupt> {
        let end =
            file.len().checked_sub(4).filter(|end| *end >= HEADER_BYTES).ok_or_else(|| corrupt(0, "file too short"))?;
        let (body, crc) = file.split_at(end);
        let mut cursor = Cursor::new(body);
        if cursor.be32() != Some(MAGIC) {
            return Err(corrupt(0, "the magic number is missing"));
        }
        if cursor.u8() != Some(VERSION) {
            return Err(corrupt(4, "unknown version"));
        }
        // The checksum leaves the header out.
        if crc32c::crc32c(&body[HEADER_BYTES..]).to_be_bytes() != crc {
            return Err(corrupt(end, "checksum is wrong"));
        }
        let mut stones = Tombstones::default();
        while !cursor.is_empty() {
            let at = cursor.position();
            let (number, range) = read_stone(&mut cursor).ok_or_else(|| corrupt(at, "broken entry"))?;
            if range.min <= range.max {
                stones.add(number, range);
            }
        }
        Ok(stones)
    }

    /// The file's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_be_bytes().to_vec();
        out.push(VERSION);
        for (series, intervals) in &self.by_series {
            for interval in intervals.as_slice() {
                put_uvarint(&mut out, u64::from(*series));
                put_varint(&mut out, interval.min.as_ms());
                put_varint(&mut out, interval.max.as_ms());
            }
        }
        let crc = crc32c::crc32c(&out[HEADER_BYTES..]);
        out.extend_from_slice(&crc.to_be_bytes());
        out
    }

    /// Marks an interval of a series as deleted.
    pub(crate) fn add(&mut self, series: u32, interval: TimeRange) {
        self.by_series.entry(series).or_default().add(interval);
    }

    /// The deleted intervals of a series, ascending.
    pub(crate) fn of(&self, series: u32) -> &[TimeRange] {
        self.by_series.get(&series).map_or(&[], Intervals::as_slice)
    }

    /// How many intervals there are.
    pub(crate) fn count(&self) -> u64 {
        self.by_series.values().map(|intervals| intervals.as_slice().len() as u64).sum()
    }

    /// All series with deleted intervals, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &[TimeRange])> {
        self.by_series.iter().map(|(series, ranges)| (*series, ranges.as_slice()))
    }
}

fn read_stone(cursor: &mut Cursor<'_>) -> Option<(u32, TimeRange)> {
    let number = u32::try_from(cursor.uvarint()?).ok()?;
    let (min, max) = (cursor.varint()?, cursor.varint()?);
    Some((number, TimeRange { min: Timestamp::from_ms(min), max: Timestamp::from_ms(max) }))
}

/// Whether all of `range` is deleted.
pub(crate) fn is_deleted(range: TimeRange, deleted: &[TimeRange]) -> bool {
    deleted.iter().any(|deleted| deleted.min <= range.min && range.max <= deleted.max)
}

/// Chunks without the samples of deleted intervals; only what is touched is encoded anew.
pub(crate) fn without_deleted(chunks: Vec<Chunk>, deleted: &[TimeRange]) -> Result<Vec<Chunk>, ChunkError> {
    if deleted.is_empty() {
        return Ok(chunks);
    }
    let mut out = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        let range = TimeRange::new(chunk.min_time, chunk.max_time);
        if is_deleted(range, deleted) {
            continue;
        }
        if !deleted.iter().any(|deleted| deleted.overlaps(range)) {
            out.push(chunk);
            continue;
        }
        let mut recoder = Recoder::default();
        let mut values = chunk.values();
        while let Some(sample) = values.next_timed()? {
            if !deleted.iter().any(|deleted| deleted.contains(Timestamp::from_ms(sample.time))) {
                recoder.push_timed(sample);
            }
        }
        out.extend(recoder.finish());
    }
    out.sort_by_key(|chunk| chunk.min_time); // what overlaps may begin later now
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use storage::Samples;
    use storage::chunk::xor;

    use super::*;

    fn range(min: i64, max: i64) -> TimeRange {
        TimeRange::new(Timestamp::from_ms(min), Timestamp::from_ms(max))
    }

    #[test]
    fn reads_what_it_wrote_and_refuses_damage() {
        assert_eq!(Tombstones::decode(&Tombstones::default().encode()), Ok(Tombstones::default()));
        let mut stones = Tombstones::default();
        stones.add(7, range(-5, 10));
        stones.add(300, range(20, 20));
        stones.add(7, range(20, 30));
        let file = stones.encode();
        let read = Tombstones::decode(&file).expect("valid");
        assert_eq!(read.of(7), [range(-5, 10), range(20, 30)]);
        assert!(read.of(8).is_empty());
        assert_eq!((read.count(), &read), (3, &stones));
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 0x10;
            assert!(Tombstones::decode(&damaged).is_err(), "byte {at}");
            assert!(Tombstones::decode(&file[..at]).is_err(), "cut at {at}");
        }
    }

    proptest! {
        #[test]
        fn intervals_are_what_a_set_of_milliseconds_would_be(
            intervals in proptest::collection::vec((0..60_i64, 0..8_i64), 0..12), cut in 0..70_i64,
        ) {
            let (mut got, mut want) = (Intervals::default(), std::collections::BTreeSet::new());
            for (min, len) in intervals {
                got.add(range(min, min + len));
                want.extend(min..=min + len);
            }
            let slice = got.as_slice();
            prop_assert!(slice.windows(2).all(|pair| pair[0].max.saturating_add(1) < pair[1].min), "{slice:?}");
            for time in 0..70 {
                let within = slice.iter().any(|interval| interval.contains(Timestamp::from_ms(time)));
                prop_assert_eq!(within, want.contains(&time));
            }
            got.drop_before(Timestamp::from_ms(cut));
            let kept = |time: i64| got.as_slice().iter().any(|interval| interval.contains(Timestamp::from_ms(time)));
            prop_assert!(want.iter().filter(|time| **time >= cut).all(|time| kept(*time)));
        }
    }

    #[test]
    fn chunks_lose_what_is_deleted_and_nothing_else() {
        let chunk = |times: std::ops::Range<i64>| {
            let mut writer = xor::Writer::default();
            times.for_each(|time| assert!(writer.push(time, time as f64)));
            writer.finish().expect("not empty")
        };
        let chunks = vec![chunk(0..10), chunk(10..20), chunk(20..30)];
        let untouched = chunks[2].data.clone();
        let left = without_deleted(chunks, &[range(-5, 9), range(12, 13)]).expect("readable");
        assert_eq!(left.len(), 2);
        assert_eq!(left[1].data.as_ptr(), untouched.as_ptr(), "not copied");
        let mut samples = Samples::default();
        left.iter().for_each(|chunk| chunk.decode(TimeRange::ALL, &mut samples).expect("readable"));
        let want: Vec<i64> = (10..30).filter(|time| !(12..=13).contains(time)).collect();
        assert_eq!(samples.times, want);
    }
}
