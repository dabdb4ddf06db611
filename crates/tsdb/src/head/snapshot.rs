//! Leaving a chunk snapshot behind.

use std::io;
use std::path::Path;
use std::time::Instant;

use model::TimeRange;

use super::pages::PAGE_SERIES;
use super::state::Head;
use crate::chunk_snapshot::{Basis, OpenData, Snapshot, SnapshotWriter, encode_series, remove_all};
use crate::failpoint;
use crate::wal::{LoggedExemplar, latest_checkpoint};

impl Head {
    /// Writes a snapshot of everything that was committed, where the options ask for it. Commits wait meanwhile. A failure is
    /// told and costs nothing: the next start reads the log.
    pub(crate) fn leave_snapshot(&self) {
        let Some(dir) = &self.options.snapshot_dir else { return };
        let start = Instant::now();
        match self.write_snapshot(dir) {
            Ok(snapshot) => {
                let seconds = start.elapsed().as_secs_f64();
                tracing::info!(path = %snapshot.path.display(), seconds, "chunk snapshot written");
            }
            Err(error) => {
                self.metrics.snapshots_failed.inc();
                tracing::warn!(dir = %dir.display(), %error, "no chunk snapshot: the next start reads the whole log");
            }
        }
    }

    fn write_snapshot(&self, dir: &Path) -> io::Result<Snapshot> {
        let _alone = self.barrier.write();
        // A snapshot has the open chunks: the full ones, and the log up to here, must be on disk before it.
        let head_chunks = self.chunks.sync()?;
        self.note_commit_times()?;
        let at = self.wal.end_page()?;
        self.wal.sync()?;
        let checkpoint = latest_checkpoint(self.wal.dir())?.map(|checkpoint| checkpoint.index);
        let wal_page = at.page_checksum(self.wal.dir())?;
        let wal_page = wal_page.ok_or_else(|| io::Error::other("the log is shorter than what was written to it"))?;
        let mut writer = SnapshotWriter::create(dir, at, self.options.wal_segment_bytes, self.options.wal_compression)?;
        self.add_series(&mut writer)?;
        let basis = Basis::new(checkpoint, wal_page, head_chunks);
        writer.finish(&self.tombstones.to_list(), &self.exemplar_list(), basis)
    }

    /// Adds all series that the log knows, a page of them at a time.
    fn add_series(&self, writer: &mut SnapshotWriter) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (number, page) in (0_u32..).zip(self.pages.snapshot().iter()) {
            {
                let index = self.index.read();
                let states = page.lock();
                for (at, state) in
                    (0_u32..).zip(states.iter()).filter(|(_, state)| state.reference != 0 && state.is_logged())
                {
                    let open = state.open_chunk(TimeRange::ALL).zip(state.last_open_value());
                    let open = open.as_ref().map(|(open, last)| {
                        bytes.clear();
                        open.write_to(&mut bytes);
                        (OpenData { range: open.range, encoding: open.encoding, data: &bytes }, last)
                    });
                    let labels = index.pairs(number * PAGE_SERIES + at);
                    writer.add(|out| encode_series(out, state.reference, labels, open));
                }
            }
            writer.flush_much()?;
        }
        Ok(())
    }

    /// The exemplars of series that are there, in the order in which they came.
    fn exemplar_list(&self) -> Vec<LoggedExemplar> {
        let ring = self.exemplars.lock();
        let index = self.index.read();
        let of = |(labels, exemplar): (&model::Labels, &model::Exemplar)| {
            Some(LoggedExemplar { series: index.find(labels)?.reference, exemplar: exemplar.clone() })
        };
        ring.in_order().filter_map(of).collect()
    }

    /// Deletes the snapshot that the start has used, now that everything is in memory. It would stay right for as long as the part
    /// of the log in front of it stays as it is; but that is shortened and repaired by many, who would all have to think of it.
    pub(crate) fn forget_snapshot(&self) {
        let Some(dir) = &self.options.snapshot_dir else { return };
        if let Err(error) = failpoint::pass("snapshot.forget").and_then(|()| remove_all(dir)) {
            tracing::warn!(dir = %dir.display(), %error, "cannot delete a chunk snapshot that has been used");
        }
    }
}
