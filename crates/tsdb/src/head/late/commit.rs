//! Late samples on their way into the head.
//!
//! Order of a commit that has late samples: the records of series that are new (to the write-ahead log), then the late samples (to
//! their own), then everything else (to the write-ahead log), then all of it into memory under one gate. If the last
//! write fails, the late samples are taken back. A death between the writes leaves late samples of a commit that never
//! returned, which nobody was promised to be without.

use std::io;

use model::{TimeRange, Timestamp};
use parking_lot::MutexGuard;
use storage::chunk::Value;

use super::log::{LatePart, LateSample, widen};
use crate::head::feed::recent::Followed;
use crate::head::pages::PageCursor;
use crate::head::series::{SeriesState, Verdict};
use crate::head::state::Head;
use crate::metrics::TypeLabel;
use crate::wal::{LoggedMarker, Wal};

/// A commit that has late samples, from before they are logged until they are in place.
pub(in crate::head) struct LateCommit<'a> {
    head: &'a Head,
    written: usize,
    _alone: MutexGuard<'a, ()>,
}

/// What came of putting late samples in place.
#[derive(Debug)]
pub(in crate::head) struct LateTally {
    /// How many were new.
    pub(in crate::head) taken: u64,
    /// The time of the oldest of these.
    pub(in crate::head) oldest: i64,
}

impl Default for LateTally {
    fn default() -> Self {
        LateTally { taken: 0, oldest: i64::MAX }
    }
}

impl Head {
    /// Begins the late part of a commit; waits for those of others.
    pub(in crate::head) fn late_commit(&self) -> LateCommit<'_> {
        LateCommit { head: self, written: 0, _alone: self.late.lock() }
    }

    /// The log of late samples, if there is one.
    pub(crate) fn late_log(&self) -> Option<&Wal> {
        self.late.log()
    }

    /// The oldest time that a late sample may have; `None` where none are taken. `newest` is the newest time that any may have.
    pub(in crate::head) fn oldest_late(&self, newest: Timestamp) -> Option<i64> {
        let window = Some(self.out_of_order_window_ms()).filter(|window| *window > 0);
        // What is in blocks counts as well: after a start the head may be empty.
        let oldest = |window| self.newest_believed(newest).max(self.min_valid()).saturating_sub(window);
        window.map(oldest).into_iter().chain(self.oldest_behind(newest)).min()
    }

    /// What becomes of a sample that can't be appended because it is older than the newest.
    pub(in crate::head) fn judge_late(
        &self,
        state: &SeriesState,
        time: i64,
        value: &Value,
        oldest_late: Option<i64>,
    ) -> Verdict {
        match oldest_late {
            None => Verdict::OutOfOrder,
            Some(oldest) if time < oldest => Verdict::BeyondWindow,
            Some(_) => match state.late_verdict(time, value, &self.chunks) {
                Verdict::Fits => Verdict::Late,
                verdict => verdict,
            },
        }
    }

    /// Takes samples in that came while the history was being read, and turned out to be older than what it has. They were committed, so
    /// they are late samples from now on; where none are taken, they are out of order, as they would have been at any other time.
    pub(in crate::head) fn late_after_all(&self, mut samples: Vec<LateSample>) {
        if samples.is_empty() {
            return;
        }
        let oldest_late = self.oldest_late(self.newest_appendable());
        let mut late = self.late_commit();
        let before = samples.len();
        samples.retain(|LateSample { slot, series, time, value }| {
            let judge = |state: &mut SeriesState| {
                let is_late =
                    state.reference == *series && self.judge_late(state, *time, value, oldest_late) == Verdict::Late;
                state.pending += u32::from(is_late);
                is_late
            };
            self.pages.with(*slot, judge) == Some(true)
        });
        let refused = (before - samples.len()) as u64;
        self.metrics.out_of_order_samples.get_or_create(&TypeLabel::FLOAT).inc_by(refused);
        if samples.is_empty() {
            return;
        }
        if let Err(error) = late.log(&samples) {
            tracing::error!(%error, samples = samples.len(), "late samples that came while the history was being read can't be logged: they are lost");
            samples.iter().for_each(|sample| {
                self.pages.with(sample.slot, |state| state.pending -= 1);
            });
            return;
        }
        let _shared = self.gate.read();
        late.put(samples, &mut Followed::default());
    }

    /// The times of all samples, late ones included; `None` while there is none.
    pub(crate) fn whole_range(&self) -> Option<TimeRange> {
        let mut range = self.time_range().map(|(min, max)| TimeRange::new(min, max));
        if let Some(late) = self.late.range() {
            widen(&mut range, late);
        }
        range
    }
}

impl LateCommit<'_> {
    /// Logs late samples. Series that have enough of them for a chunk get it first, with a marker for those that are logged
    /// so far.
    pub(in crate::head) fn log(&mut self, samples: &[LateSample]) -> io::Result<()> {
        let markers = self.fill(samples);
        let flushed = if markers.is_empty() { Ok(()) } else { self.head.chunks.flush() };
        let markers = match flushed {
            Ok(()) => &markers[..],
            Err(error) => {
                tracing::warn!(%error, "cannot write head chunks: late samples stay in their log");
                &[]
            }
        };
        self.written = self.head.late.write(&[LatePart::Markers(markers), LatePart::Samples(samples)])?;
        self.head.metrics.wbl_written_bytes.inc_by(self.written as u64);
        Ok(())
    }

    fn fill(&self, samples: &[LateSample]) -> Vec<LoggedMarker> {
        let pages = self.head.pages.snapshot();
        let mut cursor = PageCursor::new(&pages);
        let (mut markers, mut more) = (Vec::new(), 0);
        for sample in samples {
            let Some(state) = cursor.get(sample.slot) else { continue };
            let series = state.reference;
            let before = state.chunk_count();
            if state.late().is_some_and(|late| late.is_full()) {
                let late = state.late_mut();
                late.fill(series, &self.head.cutting());
                // All of them: chunks that were made before, without a marker because they couldn't be written, have samples that
                // this marker stands for.
                markers.extend(late.full().iter().map(|chunk| LoggedMarker { series, chunk: chunk.place.as_u64() }));
                more += (state.chunk_count() - before) as u64;
            }
        }
        self.head.add_chunks(more);
        markers
    }

    /// Takes the logged samples back, because another part of the commit could not be logged.
    pub(in crate::head) fn take_back(&mut self) {
        let taken = self.head.late.log().map_or(Ok(()), |log| log.batch().take_back(self.written));
        if let Err(error) = taken {
            tracing::error!(%error, "late samples of a commit that failed stay in their log");
        }
    }

    /// Puts the samples in place; the caller holds the gate.
    pub(in crate::head) fn put(&self, samples: Vec<LateSample>, out: &mut Followed) -> LateTally {
        let pages = self.head.pages.snapshot();
        let mut cursor = PageCursor::new(&pages);
        let (mut range, mut tally, mut chunks) = (None, LateTally::default(), 0);
        for LateSample { slot, time, value, .. } in samples {
            let Some(state) = cursor.get(slot) else { continue };
            state.pending -= 1;
            let (before, followed) = (state.chunk_count(), state.followed);
            let kept = (followed != 0).then(|| value.clone());
            if state.late_mut().insert(time, value) {
                out.add_late(slot, followed, time, kept);
                tally.oldest = tally.oldest.min(time);
                let time = Timestamp::from_ms(time);
                widen(&mut range, TimeRange::new(time, time));
                tally.taken += 1;
                chunks += (state.chunk_count() - before) as u64;
            }
        }
        drop(cursor);
        if let Some(range) = range {
            self.head.late.widen(range);
        }
        self.head.add_chunks(chunks);
        tally
    }
}
