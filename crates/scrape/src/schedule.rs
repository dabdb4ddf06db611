//! When a target is scraped: at a fixed place in the interval, which depends on the target alone.

use model::Timestamp;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::target::Target;

/// Where in its interval a target is scraped, in milliseconds. `seed` moves all targets of one replica against the other's.
pub(crate) fn offset_ms(target: &Target, seed: u64) -> i64 {
    let hash = xxh3_64_with_seed(target.url.as_str().as_bytes(), target.labels.stable_hash()) ^ seed;
    (hash % target.interval_ms.unsigned_abs().max(1)) as i64
}

/// The first planned time after `after`.
pub(crate) fn next(after: Timestamp, interval_ms: i64, offset_ms: i64) -> Timestamp {
    let interval_ms = interval_ms.max(1);
    (after - offset_ms).align_down(interval_ms) + interval_ms + offset_ms
}

/// The timestamp of a scrape that was planned for one time and began at another: the planned one where the difference is
/// small, so that timestamps advance by exactly the interval, which compresses best.
pub(crate) fn timestamp(planned: Timestamp, now: Timestamp, interval_ms: i64, tolerance_ms: i64) -> Timestamp {
    if (now - planned).abs() <= tolerance_ms.min(interval_ms / 100) { planned } else { now }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_its_place_in_the_interval() {
        let t = Timestamp::from_ms;
        let check = |after: i64, want: i64| assert_eq!(next(t(after), 1000, 300), t(want));
        check(0, 300);
        check(299, 300);
        check(300, 1300);
        check(301, 1300);
        check(-800, -700);
    }

    #[test]
    fn forgives_small_delays() {
        let t = Timestamp::from_ms;
        let check = |now: i64, interval: i64, want: i64| assert_eq!(timestamp(t(5000), t(now), interval, 2), t(want));
        check(5000, 1000, 5000);
        check(5002, 1000, 5000);
        check(5003, 1000, 5003);
        check(4999, 1000, 5000);
        check(5002, 100, 5002);
    }
}
