//! The times of a query.

/// Evenly spaced times, the first of them `first`. With a distance of 0 all of them are the same, which is how `@` looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Steps {
    /// The first time, milliseconds.
    pub(crate) first: i64,
    /// The distance, milliseconds.
    pub(crate) step: i64,
    /// How many there are.
    pub(crate) count: usize,
}

impl Steps {
    /// From `start` to `end`, both included, every `step` milliseconds.
    pub(crate) fn between(start: i64, end: i64, step: i64) -> Self {
        let step = step.max(1);
        let count = if end < start { 0 } else { end.abs_diff(start) / step.unsigned_abs() + 1 };
        Steps { first: start, step, count: usize::try_from(count).unwrap_or(usize::MAX) }
    }

    /// The time at a position.
    #[inline]
    pub(crate) fn time(&self, at: usize) -> i64 {
        self.first.saturating_add(self.step.saturating_mul(at as i64))
    }

    /// The last time.
    pub(crate) fn last(&self) -> i64 {
        self.time(self.count.saturating_sub(1))
    }

    /// The position of the first time that isn't before `time`; the last one where there is none.
    pub(crate) fn first_since(&self, time: i64) -> usize {
        let late = time.saturating_sub(self.first).max(0).unsigned_abs();
        let at = if self.step > 0 { late.div_ceil(self.step.unsigned_abs()) } else { 0 };
        usize::try_from(at).unwrap_or(usize::MAX).min(self.count.saturating_sub(1))
    }

    /// Only the first time.
    pub(crate) fn only_first(&self) -> Steps {
        Steps { count: self.count.min(1), ..*self }
    }

    /// The times to look at for a selector with this offset and fixed time.
    pub(crate) fn moved(&self, fixed: Option<i64>, offset_ms: i64) -> Steps {
        match fixed {
            Some(at) => Steps { first: at.saturating_sub(offset_ms), step: 0, count: self.count },
            None => Steps { first: self.first.saturating_sub(offset_ms), ..*self },
        }
    }

    /// All times.
    pub(crate) fn iter(&self) -> impl Iterator<Item = i64> {
        let steps = *self;
        (0..steps.count).map(move |at| steps.time(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_since_another_is_found() {
        let check = |step: i64, time: i64, want: usize| {
            let steps = Steps { first: 100, step, count: 4 };
            assert_eq!(steps.first_since(time), want, "{step} {time}");
        };
        check(10, i64::MIN, 0);
        check(10, 100, 0);
        check(10, 101, 1);
        check(10, 110, 1);
        check(10, 130, 3);
        check(10, i64::MAX, 3);
        check(0, 99, 0);
        check(0, 101, 0);
    }
}
