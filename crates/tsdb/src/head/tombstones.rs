//! What was deleted of the head. Samples stay where they are until their range is cut into a block, which leaves them out; until
//! then nothing shows them. A deletion is logged before it counts, so it survives a crash.

use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use model::{TimeRange, Timestamp};
use parking_lot::RwLock;
use storage::chunk::{Chunk, ChunkError};

use super::series::SeriesState;
use crate::tombstones::{Intervals, is_deleted, without_deleted};
use crate::wal::LoggedTombstone;

/// Deleted intervals by the series' number in the log. Mostly there are none, and asking costs one look at a flag.
#[derive(Debug, Default)]
pub(super) struct HeadTombstones {
    any: AtomicBool,
    by_series: RwLock<HashMap<u64, Intervals, FixedState>>,
}

impl HeadTombstones {
    /// Marks an interval as deleted.
    pub(super) fn add(&self, series: u64, interval: TimeRange) {
        self.by_series.write().entry(series).or_default().add(interval);
        self.any.store(true, Ordering::Release);
    }

    /// Whether anything is deleted.
    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// The chunks of a series without what was deleted.
    pub(super) fn apply(&self, series: u64, chunks: Vec<Chunk>) -> Result<Vec<Chunk>, ChunkError> {
        if !self.any.load(Ordering::Acquire) {
            return Ok(chunks);
        }
        match self.by_series.read().get(&series) {
            Some(deleted) => without_deleted(chunks, deleted.as_slice()),
            None => Ok(chunks),
        }
    }

    /// Whether everything of a series is deleted.
    pub(super) fn cover(&self, state: &SeriesState) -> bool {
        self.any.load(Ordering::Acquire)
            && times(state).is_some_and(|times| {
                let by_series = self.by_series.read();
                by_series.get(&state.reference).is_some_and(|deleted| is_deleted(times, deleted.as_slice()))
            })
    }

    /// All deleted intervals, by series.
    pub(super) fn to_list(&self) -> Vec<LoggedTombstone> {
        let by_series = self.by_series.read();
        let of = |(series, deleted): (&u64, &Intervals)| {
            let series = *series;
            deleted.as_slice().iter().map(move |range| LoggedTombstone { series, range: *range }).collect::<Vec<_>>()
        };
        by_series.iter().flat_map(of).collect()
    }

    /// Forgets what was before `time`, and series that are gone.
    pub(super) fn drop_before(&self, time: Timestamp, lives: impl Fn(u64) -> bool) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut by_series = self.by_series.write();
        by_series.retain(|series, deleted| {
            deleted.drop_before(time);
            !deleted.as_slice().is_empty() && lives(*series)
        });
        self.any.store(!by_series.is_empty(), Ordering::Release);
    }
}

/// From a series' first to its last sample; of late ones it isn't known which is the first.
pub(super) fn times(state: &SeriesState) -> Option<TimeRange> {
    let newest = state.newest().map(Timestamp::from_ms);
    let Some(late) = state.late() else {
        return Some(TimeRange::new(Timestamp::from_ms(state.first_time()?), newest?));
    };
    let newest_late = late.range().map(|late| late.max);
    Some(TimeRange::new(Timestamp::MIN, newest.into_iter().chain(newest_late).max()?))
}
