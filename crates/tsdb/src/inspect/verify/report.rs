//! What was found.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::consequence::{Consequence, Severity};

/// So many findings of one file are listed; the rest is counted.
pub const FINDINGS_PER_FILE_MAX: u64 = 20;

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file or folder.
    pub file: PathBuf,
    /// Where in the file, in bytes from its beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// What is wrong.
    pub problem: String,
    /// What follows from it.
    pub meaning: &'static str,
    /// What to do.
    pub advice: &'static str,
}

/// How much was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyCounts {
    /// Blocks.
    pub blocks: u64,
    /// Series of blocks.
    pub series: u64,
    /// Lists of series by label.
    pub postings_lists: u64,
    /// Chunks of blocks.
    pub chunks: u64,
    /// Samples of blocks.
    pub samples: u64,
    /// Deleted intervals.
    pub tombstones: u64,
    /// Segments of logs and their checkpoints.
    pub log_segments: u64,
    /// Records in them.
    pub log_records: u64,
    /// Mapped chunks of the head.
    pub head_chunks: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// The outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyReport {
    /// What was found, at most [`FINDINGS_PER_FILE_MAX`] of each file.
    pub findings: Vec<Finding>,
    /// How much was looked at.
    pub counts: VerifyCounts,
    /// All damages, listed or not.
    pub damages: u64,
    /// All notes, listed or not.
    pub notes: u64,
    #[serde(skip)]
    by_file: HashMap<PathBuf, u64>,
}

impl VerifyReport {
    /// Findings that are counted and not listed.
    pub fn left_out(&self) -> u64 {
        self.damages + self.notes - self.findings.len() as u64
    }

    pub(super) fn add(
        &mut self,
        consequence: Consequence,
        file: &Path,
        offset: impl Into<Option<u64>>,
        problem: impl Into<String>,
    ) {
        let Consequence { severity, meaning, advice } = consequence;
        match severity {
            Severity::Damage => self.damages += 1,
            Severity::Note => self.notes += 1,
        }
        let count = self.by_file.entry(file.to_owned()).or_default();
        *count += 1;
        if *count <= FINDINGS_PER_FILE_MAX {
            let (file, offset, problem) = (file.to_owned(), offset.into(), problem.into());
            self.findings.push(Finding { severity, file, offset, problem, meaning, advice });
        }
    }
}
