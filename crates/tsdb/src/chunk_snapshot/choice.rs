//! Which snapshot a start may use.

use std::io;
use std::path::Path;

use super::basis::Basis;
use super::directory::{Snapshot, list_snapshots};
use super::error::SnapshotError;
use super::reader::check_snapshot;
use super::record::SnapshotSeries;
use crate::wal::{latest_checkpoint, list_segments};

/// What there is.
#[derive(Debug)]
pub(crate) enum Choice {
    Nothing,
    /// It is whole, and belongs to the log and the head chunks beside it.
    Use(Snapshot),
    /// What lies beside it has moved on: another program worked on the directory since.
    Outdated(Snapshot, &'static str),
    Refused(Snapshot, SnapshotError),
}

/// Looks at the newest snapshot of the data directory `dir` and reads it through. `chunks_are_whole` tells whether all head chunks
/// could be read: where one is missing, the log has what the snapshot lacks. `is_known` tells whether the log has a series under the
/// number that it has in the snapshot.
pub(crate) fn choose(
    dir: &Path,
    chunks_are_whole: bool,
    is_known: &dyn Fn(&SnapshotSeries<'_>) -> bool,
) -> io::Result<Choice> {
    let Some(snapshot) = list_snapshots(dir)?.pop() else { return Ok(Choice::Nothing) };
    let wal = dir.join("wal");
    let checkpoint = latest_checkpoint(&wal)?.map(|checkpoint| checkpoint.index);
    let first = list_segments(&wal)?.first().map_or(0, |segment| segment.index);
    if checkpoint.is_some_and(|checkpoint| checkpoint >= snapshot.at.segment) || first > snapshot.at.segment {
        return Ok(Choice::Outdated(snapshot, "the log begins after it"));
    }
    if !chunks_are_whole {
        return Ok(Choice::Outdated(snapshot, "head chunks that it relies on can't be read"));
    }
    let foreign = |snapshot: Snapshot, reason: &str| {
        let error = SnapshotError::Foreign { path: snapshot.path.clone(), reason: reason.to_owned() };
        Ok(Choice::Refused(snapshot, error))
    };
    if !snapshot.at.is_between_pages() {
        return foreign(snapshot, "it was taken in the middle of a page of the log");
    }
    let wal_page = snapshot.at.page_checksum(&wal)?;
    if wal_page.is_none() {
        return foreign(snapshot, "the log ends before it");
    }
    let basis = match Basis::read(&snapshot) {
        Ok(basis) => basis,
        Err(error) => return Ok(Choice::Refused(snapshot, error)),
    };
    let records = basis.as_ref().map(|basis| basis.records);
    if let Some(reason) = basis.and_then(|basis| basis.objection(checkpoint, wal_page, &dir.join("chunks_head"))) {
        return Ok(Choice::Outdated(snapshot, reason));
    }
    Ok(match check_snapshot(&snapshot, is_known) {
        Ok(found) if records.is_some_and(|records| records != found) => {
            let reason = "it ends before its last record";
            let error = SnapshotError::Torn { path: snapshot.path.clone(), reason };
            Choice::Refused(snapshot, error)
        }
        Ok(_) => Choice::Use(snapshot),
        Err(error) => Choice::Refused(snapshot, error),
    })
}
