//! One process per data directory.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Why the directory can't be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{path} is locked: another process works on this data directory")]
    Held {
        /// The lock file.
        path: PathBuf,
    },
    /// The lock file can't be used.
    #[error("cannot lock {path}")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Held as long as this lives; the system lets go of it when the process dies, however it dies.
#[derive(Debug)]
pub(crate) struct DirLock {
    path: PathBuf,
    file: File,
    found: bool,
    clean: AtomicBool,
}

impl DirLock {
    /// Locks `dir` by Prometheus's file in it.
    pub(crate) fn take(dir: &Path) -> Result<Self, LockError> {
        let path = dir.join("lock");
        loop {
            let lock = DirLock::take_file(path.clone())?;
            // Whoever held the lock before may have deleted the file between our opening and our locking it.
            match fs::metadata(&path).and_then(|here| Ok(here.ino() == lock.file.metadata()?.ino())) {
                Ok(true) => return Ok(lock),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(LockError::Io { path, source }),
            }
        }
    }

    /// Whether a lock file was there: whoever had the directory before did not close it.
    pub(crate) fn found_file(&self) -> bool {
        self.found
    }

    /// From now on the directory counts as closed cleanly: the file goes with the lock, as in Prometheus.
    pub(crate) fn mark_clean(&self) {
        self.clean.store(true, Ordering::Relaxed);
    }

    fn take_file(path: PathBuf) -> Result<Self, LockError> {
        let found = path.exists();
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(source) => return Err(LockError::Io { path, source }),
        };
        match file.try_lock() {
            Ok(()) => Ok(DirLock { path, file, found, clean: AtomicBool::new(false) }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held { path }),
            Err(TryLockError::Error(source)) => Err(LockError::Io { path, source }),
        }
    }
}

impl Drop for DirLock {
    /// Closing alone would not do where another thread is just starting a process: the child holds the file till it is on
    /// its own.
    fn drop(&mut self) {
        if self.clean.load(Ordering::Relaxed)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, "cannot delete the lock file");
        }
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "cannot unlock the data directory");
        }
    }
}
