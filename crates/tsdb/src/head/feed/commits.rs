//! What a head knows of its commits.

use parking_lot::{Mutex, RwLock};

use super::following::Following;
use super::recent::Recent;
use super::runs::Runs;
use crate::wal::LogPosition;

/// Who follows, what was committed last, and where a place of an earlier run is now. `recent` is locked behind everything else.
#[derive(Debug)]
pub(in crate::head) struct CommitFeed {
    pub(in crate::head) following: Following,
    pub(in crate::head) recent: Mutex<Recent>,
    /// Where the run began.
    pub(in crate::head) start: LogPosition,
    pub(super) runs: RwLock<Runs>,
}

impl CommitFeed {
    /// Of a head whose log goes on here.
    pub(in crate::head) fn new(start: LogPosition) -> Self {
        CommitFeed {
            following: Following::default(),
            recent: Mutex::new(Recent::new(start)),
            start,
            runs: RwLock::default(),
        }
    }
}
