//! Making changes of a folder last through a power cut.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::failpoint;

/// Syncs a folder, so that names that appeared or went away in it stay so.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Writes a whole file and syncs it.
pub(crate) fn write_file(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Gives a file new content: after a crash it has the old or the new one, whole.
pub(crate) fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    failpoint::pass("file.replace.before")?;
    write_file(&temporary, content)?;
    failpoint::pass("file.replace.written")?;
    fs::rename(&temporary, path)?;
    failpoint::pass("file.replace.after")?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Deletes a folder with everything in it, if it is there.
pub(crate) fn remove_dir_if_exists(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
