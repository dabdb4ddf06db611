//! Samples after the clock: it was ahead when they came and has been put back since.
//!
//! They stay, and must not keep out what comes now. Till the clock has caught up with them, a series that has such samples takes
//! those of now as late ones, whatever the window for late samples is: these have a log that knows no order, so nothing is lost
//! by a death either. What the head cuts goes by the clock meanwhile, not by its newest sample.
//!
//! A clock that was ahead by less than samples may be (`max_future_ms`) can't be told from a target whose clock is: then
//! Prometheus's rules hold, and a series takes samples again when its newest is reached.

use std::sync::atomic::Ordering;

use model::{TimeRange, Timestamp};

use super::state::Head;

impl Head {
    /// The newest sample's time as far as it may be believed; `newest` is the newest time that an append may have now.
    pub(super) fn newest_believed(&self, newest: Timestamp) -> i64 {
        self.newest_time().min(newest.as_ms())
    }

    /// The oldest time that a sample may have which comes before one that is not to be believed; `None` where there is none
    /// such.
    pub(super) fn oldest_behind(&self, newest: Timestamp) -> Option<i64> {
        self.reaches_beyond(newest)
            .then(|| newest.as_ms().saturating_sub(self.options.max_future_ms + self.options.chunk_range_ms / 2))
    }

    /// Whether there are samples, here or in blocks, after `newest`, or were when the clock was put back that has not caught up
    /// with them yet.
    fn reaches_beyond(&self, newest: Timestamp) -> bool {
        let end = self.newest_time().max(self.min_valid());
        if end > newest.as_ms() {
            self.ahead_until.fetch_max(end, Ordering::SeqCst);
            return true;
        }
        newest.as_ms().saturating_sub(self.options.max_future_ms) < self.ahead_until.load(Ordering::SeqCst)
    }

    /// Whether there are samples that could not be appended now because they lie after the clock.
    pub(crate) fn is_ahead(&self) -> bool {
        self.reaches_beyond(self.newest_appendable())
    }

    /// The times of late samples; `None` where there are none.
    pub(crate) fn late_range(&self) -> Option<TimeRange> {
        self.late.range()
    }

    /// From when to when there are samples that may be cut by and by; `None` while there are none. Where the head is ahead of
    /// the clock, late samples belong to it and what lies after the clock does not.
    pub(crate) fn cut_range(&self) -> Option<TimeRange> {
        let (min, max) = self.time_range()?;
        if !self.is_ahead() {
            return Some(TimeRange::new(min, max));
        }
        let (now, min_valid) = (self.now(), Timestamp::from_ms(self.min_valid()));
        let min = self.first_from(min_valid)?;
        (min <= now).then(|| TimeRange::new(min, now))
    }

    /// The first time from `time` on at which there may be a sample.
    pub(crate) fn first_from(&self, time: Timestamp) -> Option<Timestamp> {
        let rest = TimeRange::new(time, Timestamp::MAX);
        let mut first: Option<Timestamp> = None;
        for page in self.pages.snapshot().iter() {
            for state in page.lock().iter().filter(|state| state.reference != 0) {
                let full = state.full_chunks(rest).next().map(|chunk| chunk.range());
                let open = || state.open_chunk(rest).map(|open| open.range);
                let in_order = full.or_else(open).map(|range| range.min.max(time));
                let late = state.late().and_then(|late| late.first_from(time));
                first = first.into_iter().chain(in_order).chain(late).min();
            }
        }
        first
    }
}
