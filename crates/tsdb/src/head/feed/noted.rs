//! The times of commits: what was committed since, and what is noted of them in the log, so that it is known after a start.

use std::io;

use model::Timestamp;
use storage::Place;

use super::runs::Runs;
use super::times::CommitTimes;
use crate::head::state::Head;
use crate::wal::LogPosition;

/// The note that has the runs.
const RUNS: &str = "runs";
/// The note that has the times of commits. What it has of the log need not be read again.
const COMMIT_TIMES: &str = "commit-times";

impl Head {
    /// Says in the log that a run begins, now that the notes of those before are known.
    pub(in crate::head) fn begin_run(&self) -> io::Result<()> {
        let mut runs = self.note(RUNS).and_then(|bytes| Runs::from_bytes(&bytes)).unwrap_or_default();
        runs.begin(self.now().as_ms(), self.feed.start);
        let noted = self.set_note_now(RUNS, &runs.to_bytes());
        *self.feed.runs.write() = runs;
        noted
    }

    /// No sample that was committed after a place is older than this: [`Timestamp::MIN`] where nothing is known of the place,
    /// [`Timestamp::MAX`] where nothing was committed. And the place that commits have come to.
    pub(crate) fn committed_since(&self, place: Place) -> (Timestamp, Place) {
        let runs = self.feed.runs.read();
        let after = runs.resolve(place);
        let recent = self.feed.recent.lock();
        let oldest = after.map_or(i64::MIN, |after| recent.times.oldest_after(after));
        (Timestamp::from_ms(oldest), runs.place(recent.settled()))
    }

    /// The times of the commits of earlier runs as far as they were noted, and up to where they were.
    pub(in crate::head) fn noted_commit_times(&self) -> Option<(CommitTimes, LogPosition)> {
        CommitTimes::from_bytes(&self.note(COMMIT_TIMES)?)
    }

    /// Notes the times of all commits, before the log is shortened or need not be read again.
    pub(in crate::head) fn note_commit_times(&self) -> io::Result<()> {
        let bytes = {
            let recent = self.feed.recent.lock();
            recent.times.to_bytes(recent.settled())
        };
        self.set_note_now(COMMIT_TIMES, &bytes)
    }
}
