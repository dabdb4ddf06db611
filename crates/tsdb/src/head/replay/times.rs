//! From when the samples are that a log's commits have, for those who follow, see `head::feed`.

use std::io;

use model::TimeRange;

use super::Replay;
use crate::head::feed::times::CommitTimes;
use crate::wal::LogPosition;

/// The note that was made for a snapshot stands right in front of the end of the page behind which the snapshot's part ends.
const NOTE_DISTANCE_MAX: u64 = 64 << 10;

impl Replay {
    /// The times that were noted are of use if they are complete up to where reading begins. Where they aren't, nothing is known of what
    /// is not read.
    pub(super) fn trust_times(&mut self, covered: Option<LogPosition>) {
        let Some(covered) = covered else { return };
        self.newest = i64::MAX;
        let is_close = self.times_until.segment == covered.segment
            && covered.offset.saturating_sub(self.times_until.offset) < NOTE_DISTANCE_MAX;
        if !is_close {
            (self.times, self.times_until) = (CommitTimes::new(covered), covered);
        }
    }

    /// Takes note of the record that was read, which ends here.
    pub(super) fn note_time(&mut self, end: LogPosition) {
        if self.oldest < i64::MAX && end > self.times_until {
            self.times.add(end, self.oldest);
        }
    }

    /// A power cut may have taken the end of the log and left chunks that were full by then. Nobody knows who was told of them.
    pub(super) fn count_unlogged_chunks(&mut self) {
        let mut oldest = i64::MAX;
        for page in &self.history {
            for state in page.lock().iter() {
                let unlogged = state.full_chunks(TimeRange::ALL).filter(|chunk| chunk.max_time > self.newest);
                oldest = unlogged.map(|chunk| chunk.min_time).min().unwrap_or(i64::MAX).min(oldest);
            }
        }
        if oldest < i64::MAX {
            self.times.add(self.head.feed.start, oldest);
            self.must_note_times = true;
        }
    }

    /// Puts the times in front of those of the run that is on. Late samples count as the last before it: their log doesn't tell when
    /// they came. What the next start could not find out any more is noted.
    pub(super) fn hand_over_times(&mut self) -> io::Result<()> {
        let start = self.head.feed.start;
        if let Some(late) = self.head.late.range() {
            self.times.add(start, late.min.as_ms());
        }
        let times = std::mem::replace(&mut self.times, CommitTimes::new(start));
        self.head.feed.recent.lock().times.follow(times);
        // A segment that was repaired has its records elsewhere now.
        if self.must_note_times || self.report.damages > 0 { self.head.note_commit_times() } else { Ok(()) }
    }
}
