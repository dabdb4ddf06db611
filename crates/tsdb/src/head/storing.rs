//! Whether what is committed can be stored.
//!
//! A disk that is full still takes what fits into the last block of a file: the two samples of a rule, while every scrape fails. So a
//! success counts only where it is about as large as what failed.

use model::Timestamp;
use parking_lot::Mutex;

/// So long after the last failure all is well again, whatever has been committed since: the large target may be gone.
const FORGET_MS: i64 = 5 * 60 * 1000;

/// What is known of commits that failed.
#[derive(Debug, Default)]
pub(super) struct Storing(Mutex<Option<Failure>>);

#[derive(Debug, Clone, Copy)]
struct Failure {
    /// Of the largest commit that has failed since storing worked.
    samples: usize,
    /// When one failed last.
    at: Timestamp,
}

impl Storing {
    /// Takes note of a commit of so many samples. The answer is whether storing fails now.
    pub(super) fn note(&self, samples: usize, is_stored: bool, now: Timestamp) -> bool {
        let mut failure = self.0.lock();
        let before = *failure;
        *failure = if is_stored {
            before.filter(|failure| samples < failure.samples.div_ceil(2) && now - failure.at < FORGET_MS)
        } else {
            Some(Failure { samples: before.map_or(samples, |failure| failure.samples.max(samples)), at: now })
        };
        failure.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_success_takes_no_large_failure_back() {
        let storing = Storing::default();
        let mut time = Timestamp::from_ms(0);
        let mut note = |samples: usize, is_stored: bool, after_ms: i64| {
            time += after_ms;
            storing.note(samples, is_stored, time)
        };
        assert!(!note(2, true, 0));
        assert!(note(1000, false, 1000));
        assert!(note(2, true, 1000));
        assert!(note(2, false, 1000));
        assert!(note(499, true, 1000));
        assert!(!note(500, true, 1000));
        assert!(!note(2, true, 1000));
        // One without a sample, such as a note's.
        assert!(note(0, false, 1000));
        assert!(!note(0, true, 1000));
        // A target that is gone.
        assert!(note(1000, false, 1000));
        assert!(note(2, true, FORGET_MS - 1));
        assert!(!note(2, true, 1));
    }
}
