//! The files of a log: segments `00000000`, `00000001`, … and folders `checkpoint.00000003`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A segment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) index: u64,
    pub(crate) path: PathBuf,
}

/// The path of a segment.
pub(super) fn segment_path(dir: &Path, index: u64) -> PathBuf {
    dir.join(format!("{index:08}"))
}

/// The path of the checkpoint that replaces the segments up to and with `index`.
pub(super) fn checkpoint_path(dir: &Path, index: u64) -> PathBuf {
    dir.join(format!("checkpoint.{index:08}"))
}

/// The segments of a folder in order; other files are none of our business.
pub(crate) fn list_segments(dir: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if let Some(index) =
            name.to_str().filter(|n| n.bytes().all(|b| b.is_ascii_digit())).and_then(|n| n.parse().ok())
        {
            segments.push(Segment { index, path: entry.path() });
        }
    }
    segments.sort_unstable_by_key(|segment| segment.index);
    Ok(segments)
}

/// All checkpoints with the last segment each replaces, oldest first.
pub(super) fn list_checkpoints(dir: &Path) -> io::Result<Vec<Segment>> {
    let mut checkpoints = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let index = name.to_str().and_then(|n| n.strip_prefix("checkpoint.")).and_then(|n| n.parse().ok());
        if let Some(index) = index
            && entry.file_type()?.is_dir()
        {
            checkpoints.push(Segment { index, path: entry.path() });
        }
    }
    checkpoints.sort_unstable_by_key(|checkpoint| checkpoint.index);
    Ok(checkpoints)
}

/// The newest checkpoint, if there is one.
pub(crate) fn latest_checkpoint(dir: &Path) -> io::Result<Option<Segment>> {
    Ok(list_checkpoints(dir)?.pop())
}
