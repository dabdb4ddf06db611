//! When a replica is pulled: at the same phase of every interval, and each replica at another one.

use std::time::Duration;

use model::{Labels, Timestamp};

/// A replica's phase within the interval: the same on every node and in every run, spread evenly over replicas.
pub(super) fn phase_ms(shard: &str, url: &str, interval_ms: i64) -> i64 {
    let hash = Labels::from_pairs([("shard", shard), ("url", url)]).stable_hash();
    i64::try_from(hash % interval_ms.max(1).unsigned_abs()).unwrap_or(0)
}

/// How long to wait from `now` on for the next pull; never nothing, so a pull is not repeated at once.
pub(super) fn wait(now: Timestamp, phase_ms: i64, interval_ms: i64) -> Duration {
    let next = now.saturating_sub(phase_ms).align_down(interval_ms).saturating_add(phase_ms + interval_ms);
    Duration::from_millis(u64::try_from(next - now).unwrap_or(1).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_the_phase() {
        let check = |now: i64, phase, want: u64| {
            assert_eq!(wait(Timestamp::from_ms(now), phase, 10), Duration::from_millis(want), "{now} {phase}");
        };
        check(100, 0, 10);
        check(101, 0, 9);
        check(109, 0, 1);
        check(100, 3, 3);
        check(103, 3, 10);
        check(104, 3, 9);
        check(-1, 0, 1);
    }

    #[test]
    fn replicas_are_spread() {
        let phases: Vec<i64> = (0..100).map(|i| phase_ms("a", &format!("http://{i}"), 5000)).collect();
        assert!(phases.iter().all(|phase| (0..5000).contains(phase)));
        assert!((0..5).all(|fifth| phases.iter().filter(|phase| **phase / 1000 == fifth).count() > 8), "{phases:?}");
        assert_eq!(phase_ms("a", "http://1", 5000), phases[1]);
    }
}
