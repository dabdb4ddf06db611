//! What is noted of commits in the log, so that it is known after a start.

use std::io;

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
