//! Keeps a job's groups of targets up to date while its files change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::discovery::file::{FileError, FileSdConfig, read_groups};
use crate::discovery::group::TargetGroup;
use crate::metrics::Metrics;

/// Writing a file raises several events; what comes within this time is one change.
const SETTLE: Duration = Duration::from_millis(50);

/// The groups of one job: static ones, and those of its files as they are now. Dropping it ends the watching.
#[derive(Debug)]
pub(crate) struct Discovery {
    groups: watch::Receiver<Arc<Vec<TargetGroup>>>,
    stop: CancellationToken,
}

impl Discovery {
    /// Reads all files once, then watches them in the background.
    pub(crate) async fn start(fixed: Vec<TargetGroup>, files: Vec<FileSdConfig>, metrics: Arc<Metrics>) -> Discovery {
        let stop = CancellationToken::new();
        let mut source = Source { fixed, files, last_good: BTreeMap::new(), metrics };
        let (sender, groups) = watch::channel(Arc::new(source.refresh().await));
        if !source.files.is_empty() {
            tokio::spawn(source.follow(sender, stop.clone()));
        }
        Discovery { groups, stop }
    }

    /// The groups as they are now.
    pub(crate) fn groups(&self) -> Arc<Vec<TargetGroup>> {
        Arc::clone(&self.groups.borrow())
    }

    /// Waits for the groups to change; for ever where they can't.
    pub(crate) async fn changed(&mut self) {
        if self.groups.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Source {
    fixed: Vec<TargetGroup>,
    files: Vec<FileSdConfig>,
    /// The groups of each file when it was last readable.
    last_good: BTreeMap<PathBuf, Vec<TargetGroup>>,
    metrics: Arc<Metrics>,
}

impl Source {
    /// Refreshes when the directories change, and at least every `refresh_interval`.
    async fn follow(mut self, groups: watch::Sender<Arc<Vec<TargetGroup>>>, stop: CancellationToken) {
        let (changed, mut changes) = mpsc::channel(1);
        let _watcher = self.watch(changed);
        let every_ms = self.files.iter().map(|file| file.refresh_interval_ms).min().unwrap_or(i64::MAX).max(1);
        let every = Duration::from_millis(every_ms.unsigned_abs());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(every) => {}
                Some(()) = changes.recv() => {
                    tokio::time::sleep(SETTLE).await;
                    while changes.try_recv().is_ok() {}
                }
            }
            let fresh = self.refresh().await;
            groups.send_if_modified(|current| {
                let is_new = **current != fresh;
                if is_new {
                    *current = Arc::new(fresh);
                }
                is_new
            });
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
        for directory in self.files.iter().flat_map(FileSdConfig::directories) {
            if let Err(error) = watcher.watch(&directory, RecursiveMode::NonRecursive) {
                tracing::warn!(%error, directory = %directory.display(), "cannot watch a directory of targets files");
            }
        }
        Some(watcher)
    }

    /// Reads all files; one that fails keeps the groups it had.
    async fn refresh(&mut self) -> Vec<TargetGroup> {
        let files = self.files.clone();
        let read = tokio::task::spawn_blocking(move || {
            let paths = files.iter().flat_map(FileSdConfig::matching_files);
            paths.map(|path| (read_groups(&path), path)).map(|(groups, path)| (path, groups)).collect::<Vec<_>>()
        });
        let read = match read.await {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(%error, "reading files of targets broke off");
                return self.current();
            }
        };
        let paths: Vec<PathBuf> = read.iter().map(|(path, _)| path.clone()).collect();
        for (path, groups) in read {
            self.take(path, groups);
        }
        self.last_good.retain(|path, _| paths.contains(path));
        self.current()
    }

    fn take(&mut self, path: PathBuf, groups: Result<Vec<TargetGroup>, FileError>) {
        match groups {
            Ok(groups) => {
                self.last_good.insert(path, groups);
            }
            Err(error) => {
                self.metrics.file_read_errors.inc();
                let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                tracing::error!(%error, cause, file = %Path::display(&path), "targets file refused, its last good targets stay");
                self.last_good.entry(path).or_default();
            }
        }
    }

    fn current(&self) -> Vec<TargetGroup> {
        self.fixed.iter().chain(self.last_good.values().flatten()).cloned().collect()
    }
}
