//! Folders with the name of a block that can't be opened: still being copied, or damaged for good. Who copies changes files from one
//! look to the next; who doesn't has damaged ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The files of a folder: their names, lengths and times of change.
type Files = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// What such folders were like at the last look.
#[derive(Debug, Default)]
pub(super) struct Unopened(BTreeMap<PathBuf, Files>);

/// How a folder compares to the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// It was not there.
    First,
    /// Something in it is different.
    Changed,
    /// Everything is as it was.
    Same,
}

impl Unopened {
    /// Compares a folder with the last look at it and remembers how it is now.
    pub(super) fn look(&mut self, folder: &Path) -> Look {
        let mut files = Files::new();
        list(folder, &mut files);
        match self.0.insert(folder.to_owned(), files) {
            None => Look::First,
            Some(before) if self.0.get(folder) == Some(&before) => Look::Same,
            Some(_) => Look::Changed,
        }
    }

    /// Forgets all but these.
    pub(super) fn keep(&mut self, folders: &[PathBuf]) {
        self.0.retain(|folder, _| folders.contains(folder));
    }
}

/// What can't be read has no files.
fn list(folder: &Path, files: &mut Files) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            list(&entry.path(), files);
        } else {
            files.insert(entry.path(), (metadata.len(), metadata.modified().ok()));
        }
    }
}
