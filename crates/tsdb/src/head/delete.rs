//! Deleting what the head has.

use std::io;

use model::{Matcher, TimeRange};
use storage::chunk::Chunk;

use super::export::{CutError, CutSeries, HeadCut};
use super::state::Head;
use super::tombstones::times;
use crate::matching::matching_series;
use crate::wal::{LoggedTombstone, encode_tombstones};

impl Head {
    /// The chunks of a series of the cut without what was deleted.
    pub(crate) fn cut_remaining(&self, cut: &HeadCut, series: &CutSeries) -> Result<Vec<Chunk>, CutError> {
        let chunks = self.cut_chunks(cut, series)?;
        Ok(self.tombstones.apply(series.reference, chunks)?)
    }

    /// Deletes what the matching series have within `range` at this moment. As in Prometheus, from a series' first to its last
    /// sample at most, so samples to come are not touched.
    pub(crate) fn delete(&self, matchers: &[Matcher], range: TimeRange) -> io::Result<()> {
        let _steady = self.barrier.read(); // a snapshot has all of a deletion or nothing
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
