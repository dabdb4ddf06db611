//! Logs of scrapes that failed: one line of JSON for each, in Prometheus's form.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use model::Timestamp;
use serde::Serialize;

use crate::scrape_config::ScrapeConfig;

/// A file that lines are added to.
#[derive(Debug)]
pub(crate) struct FailureLog {
    file: File,
    /// Whether it was told that the file can't be written.
    is_told: AtomicBool,
}

/// The logs that are open, by path: jobs that name the same file share it.
pub(crate) type OpenLogs = BTreeMap<PathBuf, FailureLog>;

/// The logs of all jobs.
#[derive(Debug, Default)]
pub(crate) struct FailureLogs(ArcSwap<OpenLogs>);

/// A scrape that failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure<'a> {
    pub(crate) time: Timestamp,
    pub(crate) job: &'a str,
    pub(crate) target: &'a str,
    pub(crate) reason: &'a str,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    level: &'static str,
    msg: &'a str,
    job_name: &'a str,
    target: &'a str,
}

/// Opens the logs that the jobs name; what is in them stays.
///
/// # Errors
/// The first one that can't be opened.
pub(crate) fn open(configs: &[ScrapeConfig]) -> Result<OpenLogs, (PathBuf, io::Error)> {
    let mut logs = OpenLogs::new();
    for path in configs.iter().filter_map(|config| config.scrape_failure_log_file.as_ref()) {
        if !logs.contains_key(path) {
            let opened = File::options().create(true).append(true).open(path);
            let file = opened.map_err(|error| (path.clone(), error))?;
            logs.insert(path.clone(), FailureLog { file, is_told: AtomicBool::new(false) });
        }
    }
    Ok(logs)
}

impl FailureLogs {
    /// Logs there from now on. The files before are closed, so that one that was moved away is let go.
    pub(crate) fn replace(&self, logs: OpenLogs) {
        self.0.store(logs.into());
    }

    /// Adds a line to a log, in one write, so that lines don't mix.
    pub(crate) fn add(&self, path: &Path, failure: Failure<'_>) {
        let logs = self.0.load();
        let Some(log) = logs.get(path) else { return };
        let Failure { time, job, target, reason } = failure;
        let line = Line { time: time.to_rfc3339(), level: "ERROR", msg: reason, job_name: job, target };
        let written = serde_json::to_vec(&line).map_err(io::Error::from).and_then(|mut bytes| {
            bytes.push(b'\n');
            (&log.file).write_all(&bytes)
        });
        if let Err(error) = written
            && !log.is_told.swap(true, Ordering::Relaxed)
        {
            let file = path.display();
            tracing::error!(%error, %file, "cannot write the log of failed scrapes; this is told once");
        }
    }
}
