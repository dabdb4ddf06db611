//! How long to wait before asking again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(800);
const LONGEST: Duration = Duration::from_secs(30);
/// A watch is asked for this long, or up to twice as long.
const WATCH: Duration = Duration::from_secs(5 * 60);

/// The wait after the n-th failure in a row, from 1: twice as long each time, up to half a minute and at most half as long again, so that
/// those who failed together don't ask together.
pub(crate) fn after_failures(failures: u32, who: &impl Hash) -> Duration {
    let wait = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST);
    wait + wait.mul_f64(spread(&(who, failures)) / 2.0)
}

/// How long a watch shall last, in whole seconds; not the same for all, so that they don't end together.
pub(crate) fn of_watch(who: &impl Hash) -> Duration {
    let wait = WATCH + WATCH.mul_f64(spread(who));
    Duration::from_secs(wait.as_secs())
}

/// A number from 0 up to 1, always the same one for the same asker: what matters is that askers differ.
fn spread(who: &impl Hash) -> f64 {
    let mut hasher = DefaultHasher::new();
    who.hash(&mut hasher);
    f64::from(u32::try_from(hasher.finish() >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound_and_differ() {
        for who in 0..100 {
            let waits: Vec<Duration> = (1..20).map(|failures| after_failures(failures, &who)).collect();
            assert!(waits[0] >= FIRST && waits[0] <= FIRST * 3 / 2, "{waits:?}");
            assert!(waits.iter().all(|wait| *wait <= LONGEST * 3 / 2), "{waits:?}");
            assert!(waits[10] >= LONGEST && after_failures(u32::MAX, &who) >= LONGEST);
            assert!((WATCH..=2 * WATCH).contains(&of_watch(&who)));
        }
        assert_ne!(after_failures(3, &"a"), after_failures(3, &"b"));
    }
}
