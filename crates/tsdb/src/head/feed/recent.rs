//! The newest commits, as far as they have samples of followed series.

use std::collections::VecDeque;
use std::mem::size_of;

use model::{Exemplar, NativeHistogram};
use storage::chunk::Value;

use super::times::CommitTimes;
use crate::wal::LogPosition;

/// So much memory the commits may take, give or take one commit.
const BYTES_MAX: usize = 8 << 20;

/// A float of a followed series. There may be hundreds of thousands: see the size in the tests.
#[derive(Debug, Clone, Copy)]
pub(in crate::head) struct FollowedFloat {
    pub(in crate::head) time: i64,
    pub(in crate::head) value: f64,
    pub(in crate::head) slot: u32,
    /// By whom.
    pub(in crate::head) followed: u8,
}

/// What few commits have.
#[derive(Debug, Clone)]
pub(in crate::head) enum Rare {
    Histogram(i64, NativeHistogram),
    Exemplar(Exemplar),
    Metadata,
}

/// What few commits have, of a followed series.
#[derive(Debug, Clone)]
pub(in crate::head) struct FollowedRare {
    pub(in crate::head) slot: u32,
    pub(in crate::head) followed: u8,
    pub(in crate::head) what: Rare,
}

/// What a commit has of followed series.
#[derive(Debug, Default)]
pub(in crate::head) struct Followed {
    pub(in crate::head) floats: Vec<FollowedFloat>,
    pub(in crate::head) rare: Vec<FollowedRare>,
}

impl Followed {
    /// Adds a late sample, if there is one to add.
    pub(in crate::head) fn add_late(&mut self, slot: u32, followed: u8, time: i64, value: Option<Value>) {
        match value {
            None => {}
            Some(Value::Float(value)) => self.floats.push(FollowedFloat { time, value, slot, followed }),
            Some(Value::Histogram(histogram)) => {
                self.rare.push(FollowedRare { slot, followed, what: Rare::Histogram(time, histogram) });
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.floats.is_empty() && self.rare.is_empty()
    }

    /// An estimate for what lies behind pointers.
    fn bytes(&self) -> usize {
        let rare = |rare: &FollowedRare| match &rare.what {
            Rare::Histogram(_, histogram) => 200 + histogram.buckets().positive_spans.len() * 32,
            Rare::Exemplar(exemplar) => exemplar.labels.iter().map(|(n, v)| n.len() + v.len() + 16).sum(),
            Rare::Metadata => 0,
        };
        size_of::<Commit>()
            + self.floats.len() * size_of::<FollowedFloat>()
            + self.rare.iter().map(|one| size_of::<FollowedRare>() + rare(one)).sum::<usize>()
    }

    fn has_slot(&self, is_meant: impl Fn(u32) -> bool) -> bool {
        self.floats.iter().any(|one| is_meant(one.slot)) || self.rare.iter().any(|one| is_meant(one.slot))
    }
}

#[derive(Debug)]
pub(in crate::head) struct Commit {
    pub(in crate::head) end: LogPosition,
    pub(in crate::head) what: Followed,
}

/// A commit that is logged and not in place yet.
#[derive(Debug, Clone, Copy)]
struct InFlight {
    /// Where the commit before it ends.
    after: LogPosition,
    end: LogPosition,
}

/// Which commits are in place, and what the newest of them brought.
#[derive(Debug)]
pub(in crate::head) struct Recent {
    /// The commits that are logged and not in place yet, in the log's order.
    in_flight: Vec<InFlight>,
    /// Where the newest commit ends.
    last: LogPosition,
    pub(in crate::head) times: CommitTimes,
    /// Of commits that end behind it, those with samples of followed series are all here.
    begin: LogPosition,
    commits: VecDeque<Commit>,
    bytes: usize,
}

impl Recent {
    /// Of a run that begins here.
    pub(in crate::head) fn new(start: LogPosition) -> Self {
        Recent {
            in_flight: Vec::new(),
            last: start,
            times: CommitTimes::new(start),
            begin: start,
            commits: VecDeque::new(),
            bytes: 0,
        }
    }

    /// A commit is in the log. Must be said before the next commit gets there.
    pub(in crate::head) fn logged(&mut self, end: LogPosition) {
        self.in_flight.push(InFlight { after: self.last, end });
        self.last = end;
    }

    /// A commit is in place; `oldest` is the time of its oldest sample, `i64::MAX` if it has none.
    pub(in crate::head) fn in_place(&mut self, end: LogPosition, oldest: i64, mut what: Followed) {
        self.in_flight.retain(|commit| commit.end != end);
        if oldest < i64::MAX {
            self.times.add(end, oldest);
        }
        if what.is_empty() {
            return;
        }
        what.floats.shrink_to_fit();
        self.bytes += what.bytes();
        let at = self.commits.iter().rposition(|commit| commit.end < end).map_or(0, |before| before + 1);
        self.commits.insert(at, Commit { end, what });
        while self.bytes > BYTES_MAX && self.commits.len() > 1 {
            self.forget(1);
        }
    }

    /// Forgets the oldest commits.
    fn forget(&mut self, count: usize) {
        for commit in self.commits.drain(..count) {
            self.bytes -= commit.what.bytes();
            self.begin = self.begin.max(commit.end);
        }
    }

    /// Forgets everything, because nobody follows any more.
    pub(in crate::head) fn clear(&mut self) {
        self.forget(self.commits.len());
    }

    /// Forgets commits with samples of these slots, which are about to be given away, and all before these.
    pub(in crate::head) fn forget_slots(&mut self, is_meant: impl Fn(u32) -> bool) {
        let newest = self.commits.iter().rposition(|commit| commit.what.has_slot(&is_meant));
        self.forget(newest.map_or(0, |newest| newest + 1));
    }

    /// All commits that end here or before are in place. It is the end of a commit always, and never within one: a commit may be several
    /// records, of which the next run would take those before the place for told.
    pub(in crate::head) fn settled(&self) -> LogPosition {
        self.in_flight.first().map_or(self.last, |commit| commit.after)
    }

    /// Behind this place nothing is missing.
    pub(in crate::head) fn begin(&self) -> LogPosition {
        self.begin
    }

    /// The commits that end behind `after` and are in place, as all before them are.
    pub(in crate::head) fn since(&self, after: LogPosition) -> impl Iterator<Item = &Commit> {
        let from = self.commits.partition_point(|commit| commit.end <= after);
        let settled = self.settled();
        self.commits.range(from..).take_while(move |commit| commit.end <= settled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> LogPosition {
        LogPosition { segment: 0, offset }
    }

    fn floats(slot: u32, count: usize) -> Followed {
        let float = FollowedFloat { time: 1, value: 1.0, slot, followed: 1 };
        Followed { floats: vec![float; count], rare: Vec::new() }
    }

    fn ends(recent: &Recent, after: u64) -> Vec<u64> {
        recent.since(at(after)).map(|commit| commit.end.offset).collect()
    }

    #[test]
    fn a_followed_float_is_small() {
        assert_eq!(size_of::<FollowedFloat>(), 24);
    }

    #[test]
    fn what_is_behind_a_commit_under_way_waits_for_it() {
        let mut recent = Recent::new(at(0));
        (1..=3).for_each(|end| recent.logged(at(end * 10)));
        recent.in_place(at(30), 3, floats(3, 1));
        recent.in_place(at(10), 1, floats(1, 1));
        assert_eq!((recent.settled(), ends(&recent, 0)), (at(10), vec![10]));
        recent.in_place(at(20), 2, floats(2, 1));
        assert_eq!((recent.settled(), ends(&recent, 0), ends(&recent, 10)), (at(30), vec![10, 20, 30], vec![20, 30]));
    }

    #[test]
    fn what_is_forgotten_is_known_to_be() {
        let mut recent = Recent::new(at(0));
        for end in 1..=4 {
            recent.logged(at(end));
            recent.in_place(at(end), 1, floats(end as u32, BYTES_MAX / 24 / 3));
        }
        assert_eq!((recent.begin(), ends(&recent, 2)), (at(2), vec![3, 4]));
        recent.forget_slots(|slot| slot == 3);
        assert_eq!((recent.begin(), ends(&recent, 3)), (at(3), vec![4]));
        recent.clear();
        assert_eq!((recent.begin(), recent.bytes), (at(4), 0));
    }
}
