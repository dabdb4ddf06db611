//! The folders of snapshots: `chunk_snapshot.000003.0000032768` holds what the log had when its segment 3 was 32 KiB long.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::durable;
use crate::wal::LogPosition;

const PREFIX: &str = "chunk_snapshot.";
/// Of a folder that is being written; Prometheus's.
const UNFINISHED: &str = ".tmp";
/// Of a folder that could not be used. Prometheus passes over it.
const SET_ASIDE: &str = ".bad";

/// A snapshot that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) path: PathBuf,
    /// Where the log ended when it was taken.
    pub(crate) at: LogPosition,
}

impl Snapshot {
    /// The one that would be taken now in the data directory `dir`.
    pub(super) fn new(dir: &Path, at: LogPosition) -> Self {
        Snapshot { path: dir.join(format!("{PREFIX}{:06}.{:010}", at.segment, at.offset)), at }
    }

    /// Where it is written before it is complete.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.with_suffix(UNFINISHED)
    }

    fn with_suffix(&self, suffix: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        path.into()
    }

    /// Deletes it.
    pub(crate) fn remove(&self) -> io::Result<()> {
        durable::remove_dir_if_exists(&self.path)
    }

    /// Gives it a name that nobody reads, for a person to look at. Those that were set aside before go.
    pub(crate) fn set_aside(&self, dir: &Path) -> io::Result<PathBuf> {
        remove_with_suffix(dir, SET_ASIDE)?;
        let aside = self.with_suffix(SET_ASIDE);
        fs::rename(&self.path, &aside)?;
        durable::sync_dir(dir)?;
        Ok(aside)
    }
}

fn parse(name: &str) -> Option<LogPosition> {
    let (segment, offset) = name.strip_prefix(PREFIX)?.split_once('.')?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    Some(LogPosition { segment: number(segment)?, offset: number(offset)? })
}

/// The snapshots in a data directory, oldest first.
pub(super) fn list_snapshots(dir: &Path) -> io::Result<Vec<Snapshot>> {
    let mut snapshots = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if let Some(at) = entry.file_name().to_str().and_then(parse)
            && entry.file_type()?.is_dir()
        {
            snapshots.push(Snapshot { path: entry.path(), at });
        }
    }
    snapshots.sort_unstable_by_key(|snapshot| snapshot.at);
    Ok(snapshots)
}

fn remove_with_suffix(dir: &Path, suffix: &str) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let stem = entry.file_name().to_str().and_then(|name| name.strip_suffix(suffix)).map(parse);
        if stem.flatten().is_some() {
            durable::remove_dir_if_exists(&entry.path())?;
        }
    }
    Ok(())
}

/// Deletes what a crash left half written.
pub(crate) fn remove_unfinished(dir: &Path) -> io::Result<()> {
    remove_with_suffix(dir, UNFINISHED)
}

/// Deletes all snapshots but one, and those that were set aside.
pub(super) fn remove_others(dir: &Path, kept: LogPosition) -> io::Result<()> {
    for snapshot in list_snapshots(dir)?.iter().filter(|snapshot| snapshot.at != kept) {
        snapshot.remove()?;
    }
    remove_with_suffix(dir, SET_ASIDE)
}

/// Deletes all snapshots.
pub(crate) fn remove_all(dir: &Path) -> io::Result<()> {
    list_snapshots(dir)?.iter().try_for_each(Snapshot::remove)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_prometheus_s() {
        let at = LogPosition { segment: 3, offset: 65_536 };
        let name = "chunk_snapshot.000003.0000065536";
        assert_eq!(Snapshot::new(Path::new("/data"), at).path, Path::new("/data").join(name));
        assert_eq!(parse(name), Some(at));
        for other in
            ["chunk_snapshot.000003", "chunk_snapshot.3.4.tmp", "chunk_snapshot.a.1", "chunk_snapshot..", "wal"]
        {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
