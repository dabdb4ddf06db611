//! What was deleted of the head. Samples stay where they are until their range is cut into a block, which leaves them out; until
//! then nothing shows them. A deletion is logged before it counts, so it survives a crash.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use model::{Matcher, TimeRange, Timestamp};
use parking_lot::RwLock;
use storage::Series;
use storage::chunk::{Chunk, ChunkError};

use super::export::{CutError, CutSeries, HeadCut};
use super::series::SeriesState;
use super::state::Head;
use crate::matching::matching_series;
use crate::tombstones::{Intervals, is_deleted, without_deleted};
use crate::wal::{LoggedTombstone, encode_tombstones};

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

    /// The chunks of a series without what was deleted.
    fn apply(&self, series: u64, chunks: Vec<Chunk>) -> Result<Vec<Chunk>, ChunkError> {
        if !self.any.load(Ordering::Acquire) {
            return Ok(chunks);
        }
        match self.by_series.read().get(&series) {
            Some(deleted) => without_deleted(chunks, deleted.as_slice()),
            None => Ok(chunks),
        }
    }

    /// Takes what was deleted out of series that go by `references` in the log.
    pub(super) fn apply_to_all(&self, references: &[u64], mut all: Vec<Series>) -> Result<Vec<Series>, ChunkError> {
        if self.any.load(Ordering::Acquire) {
            for (reference, series) in references.iter().zip(&mut all) {
                series.chunks = self.apply(*reference, std::mem::take(&mut series.chunks))?;
            }
        }
        Ok(all)
    }

    /// Whether everything of a series is deleted.
    pub(super) fn cover(&self, state: &SeriesState) -> bool {
        self.any.load(Ordering::Acquire)
            && times(state).is_some_and(|times| {
                let by_series = self.by_series.read();
                by_series.get(&state.reference).is_some_and(|deleted| is_deleted(times, deleted.as_slice()))
            })
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
fn times(state: &SeriesState) -> Option<TimeRange> {
    let first = if state.late().is_some() { Timestamp::MIN } else { Timestamp::from_ms(state.first_time()?) };
    Some(TimeRange::new(first, Timestamp::from_ms(state.newest()?)))
}

impl Head {
    /// The chunks of a series of the cut without what was deleted.
    pub(crate) fn cut_remaining(&self, cut: &HeadCut, series: &CutSeries) -> Result<Vec<Chunk>, CutError> {
        let chunks = self.cut_chunks(cut, series)?;
        Ok(self.tombstones.apply(series.reference, chunks)?)
    }

    /// Deletes what the matching series have within `range` at this moment. As in Prometheus, from a series' first to its last
    /// sample at most, so samples to come are not touched.
    pub(crate) fn delete(&self, matchers: &[Matcher], range: TimeRange) -> io::Result<()> {
        let stones = self.stones(matchers, range);
        if stones.is_empty() {
            return Ok(());
        }
        let mut record = Vec::new();
        encode_tombstones(&mut record, &stones);
        let mut batch = self.wal.batch();
        batch.add(&record)?;
        self.metrics.wal_written_bytes.inc_by(batch.write()? as u64);
        drop(batch);
        stones.iter().for_each(|stone| self.tombstones.add(stone.series, stone.range));
        Ok(())
    }

    fn stones(&self, matchers: &[Matcher], range: TimeRange) -> Vec<LoggedTombstone> {
        let places: Vec<_> = {
            let index = self.index.read();
            let Ok(slots) = matching_series(&*index, matchers);
            slots.into_iter().filter_map(|slot| index.place(slot)).collect()
        };
        let mut stones = Vec::new();
        for place in places {
            let times = self
                .pages
                .with(place.slot, |state| (state.reference == place.reference).then(|| times(state)).flatten());
            if let Some(times) = times.flatten().filter(|times| times.overlaps(range)) {
                stones.push(LoggedTombstone { series: place.reference, range: times.intersect(range) });
            }
        }
        stones
    }
}
