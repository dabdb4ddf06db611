//! When a group is evaluated.
//!
//! The evaluation for the time T, a multiple of the interval, takes place at T and a small delay. The delay spreads the
//! groups, so that not all of them ask at once; it depends on the group's name alone. Prometheus spreads the
//! groups by moving T itself, by the hash of file and name. We don't: a file may lie elsewhere on the other replica, and
//! aggregates of the same minute could then not be lined up, neither by a person nor by the global that deduplicates
//! them. With T on the multiples, both replicas of a pair give their results the same timestamps, and so do all groups
//! of the same interval.

use model::{Labels, Timestamp};

/// The delay is at most this part of the interval …
const DELAY_PART: i64 = 5;
/// … and at most this long, in milliseconds.
const DELAY_MAX_MS: i64 = 10_000;

/// When a group is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    interval_ms: i64,
    delay_ms: i64,
}

impl Schedule {
    /// The schedule of a group.
    pub(crate) fn new(group: &str, interval_ms: i64) -> Self {
        let longest = (interval_ms / DELAY_PART).clamp(1, DELAY_MAX_MS);
        let hash = Labels::from_sorted([("rule_group", group)]).stable_hash();
        Schedule { interval_ms, delay_ms: (hash % longest.unsigned_abs()) as i64 }
    }

    /// When the evaluation for `time` takes place.
    pub(crate) fn due_at(&self, time: Timestamp) -> Timestamp {
        time.saturating_add(self.delay_ms)
    }

    /// The first time whose evaluation is still to come at `now`.
    pub(crate) fn first(&self, now: Timestamp) -> Timestamp {
        self.latest(now).saturating_add(self.interval_ms)
    }

    /// The time that comes after `last` at `now`, and how many were missed in between. What is missed is not made up
    /// for: an evaluation that takes too long would never catch up. A clock that was put back by more than an interval
    /// starts the schedule anew.
    pub(crate) fn next(&self, last: Timestamp, now: Timestamp) -> (Timestamp, u64) {
        let latest = self.latest(now);
        if latest > last {
            let missed = (latest - last) / self.interval_ms - 1;
            (latest, missed.unsigned_abs())
        } else if last - latest > self.interval_ms {
            (self.first(now), 0)
        } else {
            (last.saturating_add(self.interval_ms), 0)
        }
    }

    fn latest(&self, now: Timestamp) -> Timestamp {
        now.saturating_sub(self.delay_ms).align_down(self.interval_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn the_delay_is_stable_bounded_and_spread() {
        let delays: Vec<i64> = (0..200).map(|i| Schedule::new(&format!("group {i}"), 60_000).delay_ms).collect();
        assert!(delays.iter().all(|delay| (0..DELAY_MAX_MS).contains(delay)));
        assert!(delays.iter().any(|delay| *delay < 2_000) && delays.iter().any(|delay| *delay > 8_000));
        assert_eq!(Schedule::new("group 7", 60_000).delay_ms, delays[7]);
        assert!((0..100).all(|i| Schedule::new(&format!("group {i}"), 5_000).delay_ms < 1_000));
        assert_eq!(Schedule::new("any", 1), Schedule { interval_ms: 1, delay_ms: 0 });
    }

    #[test]
    fn times_are_multiples_of_the_interval() {
        let schedule = Schedule { interval_ms: 1000, delay_ms: 100 };
        let check = |now: i64, want: i64| assert_eq!(schedule.first(ms(now)), ms(want), "{now}");
        check(5000, 5000);
        check(5099, 5000);
        check(5100, 6000);
        check(5999, 6000);
        assert_eq!(schedule.due_at(ms(6000)), ms(6100));
    }

    #[test]
    fn what_is_missed_is_counted_and_left_out() {
        let schedule = Schedule { interval_ms: 1000, delay_ms: 100 };
        let check = |last: i64, now: i64, next: i64, missed: u64| {
            assert_eq!(schedule.next(ms(last), ms(now)), (ms(next), missed), "{last} {now}");
        };
        check(5000, 5150, 6000, 0);
        check(5000, 6099, 6000, 0);
        check(5000, 6100, 6000, 0);
        check(5000, 7100, 7000, 1);
        check(5000, 9600, 9000, 3);
        // Evaluated ahead of the clock: a step.
        check(5000, 4200, 6000, 0);
        // The clock was put back.
        check(50_000, 7300, 8000, 0);
    }
}
