//! Taking in a chunk snapshot instead of the samples of the part of the log that it stands for.

use std::cmp::Ordering;
use std::io;

use super::Replay;
use crate::binary::Corrupt;
use crate::chunk_snapshot::{Choice, SnapshotRecord, SnapshotSeries, choose, read_snapshot};
use crate::head::pages::PageCursor;
use crate::wal::{LogPosition, LoggedTombstone, Segment};

impl Replay {
    /// Where the samples of a segment begin that the snapshot doesn't stand for; `None` where there are none. Checkpoints are older
    /// than a snapshot that is used.
    pub(in crate::head) fn first_uncovered(
        segment: &Segment,
        is_of_checkpoint: bool,
        covered: Option<LogPosition>,
    ) -> Option<u64> {
        let Some(covered) = covered else { return Some(0) };
        match segment.index.cmp(&covered.segment) {
            _ if is_of_checkpoint => None,
            Ordering::Less => None,
            Ordering::Equal => Some(covered.offset),
            Ordering::Greater => Some(0),
        }
    }

    /// Takes in the snapshot that there is, if it can be used; the answer is how far it stands for the log. One that can't be read
    /// is set aside, so that nobody else stumbles over it, and the whole log is read.
    pub(super) fn take_snapshot(&mut self) -> io::Result<Option<LogPosition>> {
        let Some(dir) = self.head.options.snapshot_dir.clone() else { return Ok(None) };
        match choose(&dir, self.loaded.is_whole(), &|series| self.knows(series))? {
            Choice::Nothing => Ok(None),
            Choice::Use(snapshot) => {
                // It was read through: what fails now is the disk.
                read_snapshot(&snapshot, |record| self.take_snapshot_record(record)).map_err(io::Error::other)?;
                Ok(Some(snapshot.at))
            }
            Choice::Outdated(snapshot, reason) => {
                tracing::info!(
                    path = %snapshot.path.display(), reason,
                    "the chunk snapshot is out of date: it is deleted, and the whole log is read"
                );
                snapshot.remove()?;
                Ok(None)
            }
            Choice::Refused(snapshot, error) => {
                self.head.metrics.snapshot_replay_errors.inc();
                let aside = snapshot.set_aside(&dir)?;
                tracing::warn!(
                    %error, set_aside = %aside.display(),
                    "the chunk snapshot can't be used: it is set aside, and the whole log is read"
                );
                Ok(None)
            }
        }
    }

    /// Whether the log has this series under this number.
    fn knows(&self, series: &SnapshotSeries<'_>) -> bool {
        let index = self.head.index.read();
        let slot = self.slots.get(series.series).filter(|slot| index.place(*slot).is_some());
        slot.is_some_and(|slot| index.pairs(slot).eq(series.labels.iter().copied()))
    }

    fn take_snapshot_record(&mut self, record: SnapshotRecord<'_>) -> Result<(), Corrupt> {
        match record {
            SnapshotRecord::Series(series) => self.take_snapshot_series(&series)?,
            SnapshotRecord::Tombstones(stones) => self.take_snapshot_tombstones(&stones),
            // The first pass had them from the log.
            SnapshotRecord::Exemplars(_) => {}
        }
        Ok(())
    }

    fn take_snapshot_series(&mut self, series: &SnapshotSeries<'_>) -> Result<(), Corrupt> {
        self.report.snapshot_series += 1;
        let (Some(open), Some(slot)) = (series.open, self.slots.get(series.series)) else { return Ok(()) };
        let cutting = self.head.cutting();
        let mut cursor = PageCursor::new(&self.history);
        let Some(state) = cursor.get(slot) else { return Ok(()) };
        let restored = state.restore_open(open, self.min_valid, &cutting);
        let restored = restored
            .map_err(|error| Corrupt::new("chunk snapshot", 0, format!("series {}: {error}", series.series)))?;
        if let Some((first, last)) = restored {
            self.head.widen(first, last);
        }
        Ok(())
    }

    fn take_snapshot_tombstones(&self, stones: &[LoggedTombstone]) {
        for stone in stones {
            if let Some(place) = self.place(stone.series) {
                self.head.tombstones.add(place.reference, stone.range);
            }
        }
    }
}
