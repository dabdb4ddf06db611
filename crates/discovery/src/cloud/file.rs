//! Small files that others leave for this process: tokens, keys, profiles.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A larger file isn't read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot read {path:?}")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{0:?} is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge(PathBuf),
}

impl FileError {
    /// Whether the file isn't there.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, FileError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> Result<String, FileError> {
    let mut text = String::new();
    let reading = std::fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    let read = reading.map_err(|source| FileError::Read { path: path.to_owned(), source })?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(FileError::TooLarge(path.to_owned()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_small_files_only() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("token");
        assert!(read(&path).is_err_and(|error| error.is_missing()));
        let most = usize::try_from(FILE_BYTES_MAX).expect("small");
        std::fs::write(&path, "x".repeat(most)).expect("a file");
        assert_eq!(read(&path).expect("text").len(), most);
        std::fs::write(&path, "x".repeat(most + 1)).expect("a file");
        assert!(read(&path).is_err_and(|error| error.to_string().ends_with("larger than 1048576 bytes")));
    }
}
