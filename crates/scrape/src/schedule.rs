//! When a target is scraped: at a fixed place in the interval, which depends on the target alone.

use model::Timestamp;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::target::Target;

/// So many moments in an interval at which scrapes begin. Several targets of a node share one, so that the processor wakes up once for
/// them and finds its caches warm: with 200 targets each 5 s a sample cost a third less than with a moment for each.
const MOMENTS: u64 = 32;

/// Where in its interval a target is scraped, in milliseconds. `seed` moves all targets of one replica against the other's.
pub(crate) fn offset_ms(target: &Target, seed: u64) -> i64 {
    offset_of(target.url.as_str(), target.labels.stable_hash() ^ seed, target.interval_ms)
}

fn offset_of(url: &str, seed: u64, interval_ms: i64) -> i64 {
    let (hash, interval) = (xxh3_64_with_seed(url.as_bytes(), seed), interval_ms.unsigned_abs().max(1));
    let between = (interval / MOMENTS).max(1);
    (hash % interval / between * between) as i64
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
    fn targets_are_spread_over_few_moments() {
        for interval_ms in [20, 1000, 5000, 60_000] {
            let mut counts = std::collections::BTreeMap::new();
            for at in 0..3200 {
                let offset = offset_of(&format!("http://host-{at}/metrics"), 7, interval_ms);
                assert!((0..interval_ms).contains(&offset));
                *counts.entry(offset).or_insert(0) += 1;
            }
            let moments = MOMENTS.min(interval_ms.unsigned_abs()) as usize;
            assert!((moments..=moments + 1).contains(&counts.len()), "{interval_ms} ms: {counts:?}");
            let fair = 3200 / moments;
            let most = counts.values().max().expect("some");
            assert!(*most < fair * 2, "{interval_ms} ms: {counts:?}");
        }
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
