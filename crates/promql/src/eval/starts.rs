//! Start timestamps: what they tell of a counter between two of its samples.
//!
//! A start that isn't known is 0. One that is not before its sample is as good as that: the sample's own time means, in OpenTelemetry, that
//! nobody knows, and a later one can't be.

/// The time of a sample and its start timestamp, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) time: i64,
    pub(crate) start: i64,
}

impl Sample {
    /// Whether the counter began anew between the sample before and this one.
    pub(crate) fn is_reset_after(self, before: Sample) -> bool {
        if self.start == 0 || self.start >= self.time || self.start < before.time {
            return false;
        }
        // The same moment is a reset in a series of deltas. A counter of which nobody knows when it began has its first sample there, which
        // has no start of its own.
        self.start > before.time || before.start != 0 && before.start < before.time
    }

    /// Whether this sample counts from before the last one, and not from where that did.
    pub(crate) fn overlaps(self, before: Sample) -> bool {
        self.start != 0 && self.start < before.time && self.start != before.start
    }

    /// Whether the counter began within a range that begins at this time (not included) and has this sample as its first.
    pub(crate) fn begins_after(self, range_start: i64) -> bool {
        self.start != 0 && self.start > range_start && self.start < self.time
    }
}

/// The start timestamps of a series' floats; empty where it has none, or where nobody looks at them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Starts<'a> {
    pub(crate) times: &'a [i64],
    pub(crate) starts: &'a [i64],
}

impl Starts<'_> {
    /// Whether there are none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The times of a float.
    pub(crate) fn of(&self, at: usize) -> Sample {
        Sample { time: self.times[at], start: self.starts.get(at).copied().unwrap_or(0) }
    }

    /// Whether the starts tell of a reset between a float and the one before it.
    #[inline]
    pub(crate) fn is_reset(&self, at: usize) -> bool {
        at < self.starts.len() && self.of(at).is_reset_after(self.of(at - 1))
    }

    /// Whether a float's start lies before the float before it without being that one's.
    pub(crate) fn is_overlap(&self, at: usize) -> bool {
        at < self.starts.len() && self.of(at).overlaps(self.of(at - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resets_overlaps_and_beginnings() {
        // The sample before is at 100, this one at 200.
        let check = |starts: (i64, i64), reset: bool, overlaps: bool| {
            let (before, sample) = (Sample { time: 100, start: starts.0 }, Sample { time: 200, start: starts.1 });
            assert_eq!((sample.is_reset_after(before), sample.overlaps(before)), (reset, overlaps), "{starts:?}");
        };
        check((0, 0), false, false);
        check((50, 50), false, false);
        check((50, 60), false, true);
        check((0, 60), false, true);
        check((50, 0), false, false);
        check((50, 101), true, false);
        check((0, 150), true, false);
        check((0, 200), false, false);
        check((0, 300), false, false);
        // Deltas, and counters of which nobody knows when they began.
        check((50, 100), true, false);
        check((0, 100), false, false);
        check((100, 100), false, false);
        check((150, 100), false, false);
        let begins = |start: i64| Sample { time: 200, start }.begins_after(100);
        assert_eq!([0, 100, 101, 199, 200, 201].map(begins), [false, false, true, true, false, false]);
    }
}
