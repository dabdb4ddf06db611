//! Keeps groups of targets up to date while their files change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::board::Board;
use crate::environment::Environment;
use crate::file::{FileError, FileSdConfig, read_groups};
use crate::group::TargetGroup;

/// Writing a file raises several events; what comes within this time is one change.
const SETTLE: Duration = Duration::from_millis(50);

/// Follows the files of one configuration.
pub(crate) struct FileWatch {
    config: FileSdConfig,
    /// The groups of each file when it was last readable.
    last_good: BTreeMap<PathBuf, Vec<TargetGroup>>,
    environment: Arc<Environment>,
    board: Arc<Board>,
}

impl FileWatch {
    pub(crate) fn new(config: FileSdConfig, environment: Arc<Environment>, board: Arc<Board>) -> Self {
        FileWatch { config, last_good: BTreeMap::new(), environment, board }
    }

    /// Refreshes when the directories change, and at least every `refresh_interval`.
    pub(crate) async fn follow(mut self, stop: CancellationToken) {
        let (changed, mut changes) = mpsc::channel(1);
        let _watcher = self.watch(changed);
        let every = Duration::from_millis(self.config.refresh_interval_ms.max(1).unsigned_abs());
        // What changed before the watch was there.
        self.refresh().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(every) => {}
                Some(()) = changes.recv() => {
                    tokio::time::sleep(SETTLE).await;
                    while changes.try_recv().is_ok() {}
                }
            }
            self.refresh().await;
        }
    }

    /// Watches the directories, not the files: editors and config maps replace a file instead of writing into it.
    fn watch(&self, changed: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
        let on_event = move |event: notify::Result<notify::Event>| {
            // Reading the files raises events of its own.
            if event.is_ok_and(|event| !event.kind.is_access()) {
                let _ = changed.try_send(()); // full: a change is waiting already
            }
        };
        let mut watcher = match notify::recommended_watcher(on_event) {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!(%error, "cannot watch files of targets, they are read every refresh_interval only");
                return None;
            }
        };
        for directory in self.config.directories() {
            if let Err(error) = watcher.watch(&directory, RecursiveMode::NonRecursive) {
                tracing::warn!(%error, directory = %directory.display(), "cannot watch a directory of targets files");
            }
        }
        Some(watcher)
    }

    /// Reads all files; one that fails keeps the groups it had.
    pub(crate) async fn refresh(&mut self) {
        let config = self.config.clone();
        let read = tokio::task::spawn_blocking(move || {
            let paths = config.matching_files().into_iter();
            paths.map(|path| (read_groups(&path), path)).map(|(groups, path)| (path, groups)).collect::<Vec<_>>()
        });
        match read.await {
            Ok(read) => {
                let paths: Vec<PathBuf> = read.iter().map(|(path, _)| path.clone()).collect();
                for (path, groups) in read {
                    self.take(path, groups);
                }
                self.last_good.retain(|path, _| paths.contains(path));
            }
            Err(error) => tracing::error!(%error, "reading files of targets broke off"),
        }
        self.board.show(self.last_good.values().flatten().cloned().collect());
    }

    fn take(&mut self, path: PathBuf, groups: Result<Vec<TargetGroup>, FileError>) {
        match groups {
            Ok(groups) => {
                self.last_good.insert(path, groups);
            }
            Err(error) => {
                self.environment.metrics.file_read_errors.inc();
                let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                tracing::error!(%error, cause, file = %Path::display(&path), "targets file refused, its last good targets stay");
                self.last_good.entry(path).or_default();
            }
        }
    }
}
