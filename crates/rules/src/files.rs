//! Finding, reading and checking rule files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{Error, Errors, Report};

use crate::definition::RuleGroup;
use crate::raw::RawFile;
use crate::validate::{GroupDefaults, check_file};

/// The largest rule file that is read.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Rule groups from any number of files, all of them checked; ready for [`Manager::apply`](crate::manager::Manager::apply).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleSet {
    /// The groups, by file and in the order of the file.
    pub groups: Vec<Arc<RuleGroup>>,
}

impl RuleSet {
    /// Reads all files that the patterns match, each once. A pattern is a path with `*`, `?` and `[…]`; relative ones start
    /// at the working directory, so resolve them against the configuration file first. A pattern that matches nothing
    /// is fine, as in Prometheus, and logged.
    ///
    /// # Errors
    /// Everything that is wrong in any of the files.
    pub fn load(patterns: &[PathBuf], defaults: GroupDefaults) -> Result<Self, Errors> {
        let (mut files, mut errors) = (BTreeSet::new(), Vec::new());
        for pattern in patterns {
            match matching_files(pattern) {
                Ok(found) if found.is_empty() => tracing::warn!(pattern = %pattern.display(), "no rule file matches"),
                Ok(found) => files.extend(found),
                Err(message) => errors.push(whole_file(pattern, message)),
            }
        }
        let mut groups = Vec::new();
        for file in files {
            let checked = read(&file)
                .map_err(|m| Errors(vec![whole_file(&file, m)]))
                .and_then(|text| Self::check(&file, &text, defaults));
            match checked {
                Ok(set) => groups.extend(set.groups),
                Err(found) => errors.extend(found.0),
            }
        }
        if errors.is_empty() { Ok(RuleSet { groups }) } else { Err(Errors(errors)) }
    }

    /// Checks the text of one file; `file` names it in errors and in the API.
    ///
    /// # Errors
    /// Everything that is wrong, or the first thing where the text is no YAML or has an unknown key.
    pub fn check(file: &Path, text: &str, defaults: GroupDefaults) -> Result<Self, Errors> {
        let raw: RawFile = config::load(text, file)?;
        let mut report = Report::new(file);
        let groups = check_file(raw, text, defaults, &mut report);
        report.finish(RuleSet { groups: groups.into_iter().map(Arc::new).collect() })
    }
}

/// The files that a pattern matches.
fn matching_files(pattern: &Path) -> Result<Vec<PathBuf>, String> {
    let text = pattern.to_str().ok_or("the pattern is no UTF-8")?;
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::default() };
    let paths = glob::glob_with(text, options).map_err(|e| format!("invalid pattern: {e}"))?;
    paths.map(|path| path.map_err(|e| e.to_string())).collect()
}

fn read(file: &Path) -> Result<String, String> {
    let bytes = fs::metadata(file).map_err(|e| e.to_string())?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(format!("the file has {bytes} bytes, more than the limit of {FILE_BYTES_MAX} for rule files"));
    }
    fs::read_to_string(file).map_err(|e| e.to_string())
}

fn whole_file(file: &Path, message: String) -> Error {
    Error { file: file.to_owned(), line: 0, column: 0, message }
}
