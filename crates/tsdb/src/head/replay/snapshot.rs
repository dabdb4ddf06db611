//! Taking in a chunk snapshot instead of the part of the log that it stands for.

use std::io;

use super::{Input, Part, Replay};
use crate::binary::Corrupt;
use crate::chunk_snapshot::{Choice, Snapshot, SnapshotRecord, SnapshotSeries, choose, read_snapshot};
use crate::wal::{LogPosition, LoggedExemplar, LoggedTombstone, Segment};

/// Splits the log where the snapshot was taken. Checkpoints are older than it: their segments, which come first and have numbers
/// of their own, lie before that.
pub(super) fn split(inputs: Vec<(Segment, bool)>, at: Option<LogPosition>) -> Vec<Input> {
    let mut parts = Vec::new();
    for (segment, is_of_checkpoint) in inputs {
        let covered = match at {
            Some(_) if is_of_checkpoint => u64::MAX,
            Some(at) if segment.index < at.segment => u64::MAX,
            Some(at) if segment.index == at.segment => at.offset,
            _ => 0,
        };
        if covered > 0 {
            parts.push(Input { segment: segment.clone(), part: Part::CoveredUntil(covered) });
        }
        if covered < u64::MAX {
            parts.push(Input { segment, part: Part::From(covered) });
        }
    }
    parts
}

impl Replay {
    /// Takes in the snapshot that there is, if it can be used. One that can't be read is set aside, so that nobody else stumbles
    /// over it, and the whole log is read.
    pub(super) fn take_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
        let Some(dir) = self.head.options.snapshot_dir.clone() else { return Ok(None) };
        match choose(&dir, self.loaded.is_whole())? {
            Choice::Nothing => Ok(None),
            Choice::Use(snapshot) => {
                // It was read through: what fails now is the disk.
                read_snapshot(&snapshot, |record| self.take_snapshot_record(record)).map_err(io::Error::other)?;
                Ok(Some(snapshot))
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

    fn take_snapshot_record(&mut self, record: SnapshotRecord<'_>) -> Result<(), Corrupt> {
        match record {
            SnapshotRecord::Series(series) => self.take_snapshot_series(&series)?,
            SnapshotRecord::Tombstones(stones) => self.take_snapshot_tombstones(&stones),
            SnapshotRecord::Exemplars(exemplars) => self.take_snapshot_exemplars(exemplars),
        }
        Ok(())
    }

    fn take_snapshot_series(&mut self, series: &SnapshotSeries<'_>) -> Result<(), Corrupt> {
        let Some(place) = self.add_series(series.series, &series.labels) else { return Ok(()) };
        self.report.snapshot_series += 1;
        let Some(open) = series.open else { return Ok(()) };
        let cutting = self.head.cutting();
        let restored = self.history.with(place.slot, |state| {
            let before = state.chunk_count();
            let times = state.restore_open(open, self.min_valid, &cutting)?;
            Ok((times, state.chunk_count() - before))
        });
        let restored = restored.transpose().map_err(|error: storage::chunk::ChunkError| {
            Corrupt::new("chunk snapshot", 0, format!("series {}: {error}", series.series))
        })?;
        if let Some((Some((first, last)), chunks)) = restored {
            self.head.widen(first, last);
            self.head.add_chunks(chunks as u64);
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

    fn take_snapshot_exemplars(&self, exemplars: Vec<LoggedExemplar>) {
        let of = |logged: LoggedExemplar| Some((self.place(logged.series)?, logged.exemplar));
        let all: Vec<_> = exemplars.into_iter().filter_map(of).collect();
        self.head.add_exemplars(&all);
    }
}
