//! The runs of a database and where in the log each began.
//!
//! A place in the log tells what came before it only as long as the log is the one in which it was given. A power cut may take the end of
//! a log, and the next run writes other commits to the same place. So a place carries its run, and one that is not before the run after
//! that counts as the end of the segment before.

use storage::Place;

use crate::binary::{Cursor, put_uvarint};
use crate::wal::LogPosition;

/// So many are remembered. A place of an older one is not known any more.
const RUNS_MAX: usize = 256;
const VERSION: u8 = 1;

/// The runs, oldest first; the last is the one that is on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::head) struct Runs {
    list: Vec<(u64, LogPosition)>,
}

impl Runs {
    /// Begins a run. Its name is the time in milliseconds, or what is next to the one before where the clock was put back.
    pub(in crate::head) fn begin(&mut self, now: i64, start: LogPosition) {
        let after_last = self.list.last().map_or(1, |(run, _)| run.saturating_add(1));
        self.list.push((after_last.max(now.max(0).unsigned_abs()), start));
        self.list.drain(..self.list.len().saturating_sub(RUNS_MAX));
    }

    /// A place of this run.
    pub(in crate::head) fn place(&self, at: LogPosition) -> Place {
        let run = self.list.last().map_or(0, |(run, _)| *run);
        Place { run, segment: at.segment, offset: at.offset }
    }

    /// Up to where the log is what it was when the place was given; `None` where its run is not known.
    pub(in crate::head) fn resolve(&self, place: Place) -> Option<LogPosition> {
        let at = LogPosition { segment: place.segment, offset: place.offset };
        let found = self.list.binary_search_by_key(&place.run, |(run, _)| *run).ok()?;
        match self.list.get(found + 1) {
            Some((_, next)) if at >= *next => {
                Some(LogPosition { segment: next.segment.checked_sub(1)?, offset: u64::MAX })
            }
            _ => Some(at),
        }
    }

    /// As they are noted in the log.
    pub(in crate::head) fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        for (run, start) in &self.list {
            [*run, start.segment, start.offset].into_iter().for_each(|number| put_uvarint(&mut out, number));
        }
        out
    }

    /// What was noted; `None` where it can't be read.
    pub(in crate::head) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        if cursor.u8()? != VERSION {
            return None;
        }
        let mut runs = Runs::default();
        while !cursor.is_empty() {
            let run = cursor.uvarint()?;
            if runs.list.last().is_some_and(|(last, _)| *last >= run) {
                return None;
            }
            runs.list.push((run, LogPosition { segment: cursor.uvarint()?, offset: cursor.uvarint()? }));
        }
        Some(runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(segment: u64, offset: u64) -> LogPosition {
        LogPosition { segment, offset }
    }

    #[test]
    fn a_place_is_followed_into_later_runs() {
        let mut runs = Runs::default();
        runs.begin(1000, at(0, 0));
        let early = runs.place(at(0, 500));
        let lost = runs.place(at(3, 700));
        runs.begin(2000, at(3, 0)); // segment 3 was not on the disk yet
        assert_eq!(runs.resolve(early), Some(at(0, 500)));
        assert_eq!(runs.resolve(lost), Some(at(2, u64::MAX)));
        runs.begin(1500, at(4, 0)); // the clock was put back
        assert_eq!(runs.place(at(4, 1)), Place { run: 2001, segment: 4, offset: 1 });
        assert_eq!(runs.resolve(Place { run: 1500, segment: 0, offset: 0 }), None);
        assert_eq!(Runs::from_bytes(&runs.to_bytes()), Some(runs));
    }

    #[test]
    fn old_runs_are_forgotten() {
        let mut runs = Runs::default();
        for run in 0..RUNS_MAX as u64 + 10 {
            runs.begin(run as i64 * 10, at(run, 0));
        }
        assert_eq!(runs.list.len(), RUNS_MAX);
        assert_eq!(runs.resolve(Place { run: 10, segment: 1, offset: 5 }), None);
        assert_eq!(Runs::from_bytes(&runs.to_bytes()), Some(runs));
        assert_eq!((Runs::from_bytes(&[]), Runs::from_bytes(&[1, 5])), (None, None));
    }
}
