//! From when the samples are that were committed after some moment of the log.
//!
//! Who was away for longer than commits are remembered reads by time, and has to know from when on. Most samples are of the moment in
//! which they are committed, but nobody promised that: a target may give its own times, and late samples may be hours old. So the
//! oldest time of each commit is noted, exactly for the newest commits and together for more and more of them the older they are.

use crate::binary::{Cursor, put_uvarint, put_varint};
use crate::wal::LogPosition;

/// Where there are so many entries, neighbours in the older half become one.
const ENTRIES_MAX: usize = 4096;
const VERSION: u8 = 1;

/// The commits that end after the entry before and not after `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    end: LogPosition,
    /// The time of their oldest sample.
    oldest: i64,
}

/// The oldest time of the commits of each stretch of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::head) struct CommitTimes {
    /// Nothing is known of what was committed before.
    begin: LogPosition,
    entries: Vec<Entry>,
}

impl CommitTimes {
    /// Of a log of which nothing is known before `begin`.
    pub(in crate::head) fn new(begin: LogPosition) -> Self {
        CommitTimes { begin, entries: Vec::new() }
    }

    /// Takes note of a commit that ends at `end`. Commits may come a little out of the log's order.
    pub(in crate::head) fn add(&mut self, end: LogPosition, oldest: i64) {
        if self.entries.len() == ENTRIES_MAX {
            self.thin_out();
        }
        let at = self.entries.partition_point(|entry| entry.end < end);
        match self.entries.get_mut(at) {
            Some(entry) if entry.end == end => entry.oldest = entry.oldest.min(oldest),
            _ => self.entries.insert(at, Entry { end, oldest }),
        }
    }

    fn thin_out(&mut self) {
        let newer = self.entries.split_off(self.entries.len() / 2);
        let older = self.entries.chunks(2).map(|both| Entry {
            end: both[both.len() - 1].end,
            oldest: both.iter().map(|entry| entry.oldest).min().unwrap_or(i64::MAX),
        });
        self.entries = older.chain(newer).collect();
    }

    /// No sample of the commits that end after `after` is older than this: `i64::MIN` where nothing is known of some of them,
    /// `i64::MAX` where there are none.
    pub(in crate::head) fn oldest_after(&self, after: LogPosition) -> i64 {
        if after < self.begin {
            return i64::MIN;
        }
        let at = self.entries.partition_point(|entry| entry.end <= after);
        self.entries[at..].iter().map(|entry| entry.oldest).min().unwrap_or(i64::MAX)
    }

    /// Puts what was found of an earlier part of the log in front.
    pub(in crate::head) fn follow(&mut self, mut earlier: CommitTimes) {
        earlier.entries.retain(|entry| entry.end <= self.begin);
        self.begin = earlier.begin;
        earlier.entries.append(&mut self.entries);
        self.entries = earlier.entries;
        while self.entries.len() > ENTRIES_MAX {
            self.thin_out();
        }
    }

    /// As it is noted in the log. All commits that end at `until` or before are here.
    pub(in crate::head) fn to_bytes(&self, until: LogPosition) -> Vec<u8> {
        let mut out = vec![VERSION];
        for place in [until, self.begin] {
            put_uvarint(&mut out, place.segment);
            put_uvarint(&mut out, place.offset);
        }
        let (mut segment, mut oldest) = (self.begin.segment, 0_i64);
        for entry in &self.entries {
            put_uvarint(&mut out, entry.end.segment - segment);
            put_uvarint(&mut out, entry.end.offset);
            put_varint(&mut out, entry.oldest.wrapping_sub(oldest));
            (segment, oldest) = (entry.end.segment, entry.oldest);
        }
        out
    }

    /// What was noted, and until where; `None` where it can't be read.
    pub(in crate::head) fn from_bytes(bytes: &[u8]) -> Option<(Self, LogPosition)> {
        let mut cursor = Cursor::new(bytes);
        if cursor.u8()? != VERSION {
            return None;
        }
        let until = LogPosition { segment: cursor.uvarint()?, offset: cursor.uvarint()? };
        let begin = LogPosition { segment: cursor.uvarint()?, offset: cursor.uvarint()? };
        let mut times = CommitTimes::new(begin);
        let (mut segment, mut oldest) = (begin.segment, 0_i64);
        while !cursor.is_empty() {
            segment = segment.checked_add(cursor.uvarint()?)?;
            let end = LogPosition { segment, offset: cursor.uvarint()? };
            oldest = oldest.wrapping_add(cursor.varint()?);
            let is_in_order = times.entries.last().is_none_or(|last| last.end < end);
            if times.entries.len() >= ENTRIES_MAX || !is_in_order {
                return None;
            }
            times.entries.push(Entry { end, oldest });
        }
        Some((times, until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> LogPosition {
        LogPosition { segment: offset / 1000, offset: offset % 1000 + 1 }
    }

    #[test]
    fn tells_the_oldest_after_a_place() {
        let mut times = CommitTimes::new(at(10));
        assert_eq!((times.oldest_after(at(9)), times.oldest_after(at(10))), (i64::MIN, i64::MAX));
        for (end, oldest) in [(20, 100), (40, 90), (30, 200), (1050, 300)] {
            times.add(at(end), oldest);
        }
        let found: Vec<i64> = [10, 19, 20, 30, 39, 40, 1049, 1050].map(|after| times.oldest_after(at(after))).into();
        assert_eq!(found, [90, 90, 90, 90, 90, 300, 300, i64::MAX]);
        assert_eq!(CommitTimes::from_bytes(&times.to_bytes(at(7))), Some((times, at(7))));
    }

    /// However much is thinned out, and in whatever order commits end, the answer is never newer than the truth.
    #[test]
    fn is_never_too_new() {
        let mut times = CommitTimes::new(at(0));
        let mut all: Vec<(u64, i64)> = Vec::new();
        let mut state = 7_u64;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % below
        };
        for i in 0..20_000_u64 {
            let (end, oldest) =
                (i * 10 + random(40), (i * 10) as i64 - if random(500) == 0 { 30_000 } else { random(50) as i64 });
            times.add(at(end), oldest);
            all.push((end, oldest));
        }
        assert!(times.entries.len() <= ENTRIES_MAX);
        assert_eq!(CommitTimes::from_bytes(&times.to_bytes(at(7))), Some((times.clone(), at(7))));
        for after in (0..200_040).step_by(331) {
            let truth = all.iter().filter(|(end, _)| *end > after).map(|(_, oldest)| *oldest).min();
            let told = times.oldest_after(at(after));
            assert!(told <= truth.unwrap_or(i64::MAX), "{after}: {told} {truth:?}");
        }
        // The newest are told exactly.
        let truth = all.iter().filter(|(end, _)| *end > 199_000).map(|(_, oldest)| *oldest).min();
        assert_eq!(Some(times.oldest_after(at(199_000))), truth);
    }

    #[test]
    fn goes_on_from_an_earlier_part() {
        let (mut earlier, mut later) = (CommitTimes::new(at(0)), CommitTimes::new(at(100)));
        earlier.add(at(50), 1);
        earlier.add(at(150), 2); // not of the earlier part
        later.add(at(120), 30);
        later.follow(earlier);
        let found: Vec<i64> = [0, 49, 50, 119, 120].map(|after| later.oldest_after(at(after))).into();
        assert_eq!(found, [1, 1, 30, 30, i64::MAX]);
    }

    #[test]
    fn broken_bytes_are_nothing() {
        let mut times = CommitTimes::new(at(1));
        times.add(at(20), 100);
        let bytes = times.to_bytes(at(20));
        assert_eq!(CommitTimes::from_bytes(&[]), None);
        assert_eq!(CommitTimes::from_bytes(&bytes[..bytes.len() - 1]), None);
        assert_eq!(CommitTimes::from_bytes(&[&[9], &bytes[1..]].concat()), None);
    }
}
