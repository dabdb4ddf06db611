//! Deleting from a block: its files stay as they are, `tombstones` says what of them no longer counts.
//!
//! Crash: `tombstones` is replaced first, as a whole; if `meta.json` still has the old count of them afterwards, the block reads
//! right all the same, and the next deletion counts anew.

use model::{Matcher, TimeRange};

use super::reader::{Block, BlockError, at, sound};
use crate::binary::Corrupt;
use crate::durable;
use crate::matching::matching_series;
use crate::tombstones::Tombstones;

impl Block {
    /// Marks the samples of the matching series within `range` as deleted; gives back the block as it is then, `None` where
    /// nothing matches.
    pub(crate) fn delete(&self, matchers: &[Matcher], range: TimeRange) -> Result<Option<Block>, BlockError> {
        let mut stones = Tombstones::clone(&self.tombstones);
        let found = sound(&self.dir.join("index"), self.add_stones(matchers, range, &mut stones))?;
        if !found {
            return Ok(None);
        }
        let path = self.dir.join("tombstones");
        at(&path, durable::replace_file(&path, &stones.encode()))?;
        let mut changed = self.clone();
        changed.meta.stats.num_tombstones = stones.count();
        changed.tombstones = stones.into();
        changed.write_meta()?;
        Ok(Some(changed))
    }

    /// As Prometheus does it: of a series with a chunk in the range, from its first to its last sample at most.
    fn add_stones(&self, matchers: &[Matcher], range: TimeRange, stones: &mut Tombstones) -> Result<bool, Corrupt> {
        let (mut labels, mut chunks, mut found) = (Vec::new(), Vec::new(), false);
        for number in matching_series(&self.index, matchers)? {
            self.index.series_into(number, &mut labels, &mut chunks)?;
            let (Some(first), Some(last)) = (chunks.first(), chunks.last()) else { continue };
            if chunks.iter().any(|chunk| chunk.overlaps(range)) {
                stones.add(number, range.intersect(TimeRange::new(first.min_time, last.max_time)));
                found = true;
            }
        }
        Ok(found)
    }
}
