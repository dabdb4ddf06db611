//! Finding, reading and checking rule files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{Errors, Report, matching_files, read_file};

use crate::definition::RuleGroup;
use crate::raw::RawFile;
use crate::validate::{GroupDefaults, check_file};

/// Rule groups from any number of files, all of them checked; ready for [`Manager::apply`](crate::manager::Manager::apply).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleSet {
    /// The groups, by file and in the order of the file.
    pub groups: Vec<Arc<RuleGroup>>,
}

impl RuleSet {
    /// Reads all files that the patterns [match](matching_files), each once.
    ///
    /// # Errors
    /// Everything that is wrong in any of the files.
    pub fn load(patterns: &[PathBuf], defaults: GroupDefaults) -> Result<Self, Errors> {
        let (mut groups, mut errors) = (Vec::new(), Vec::new());
        let files = matching_files(patterns, |none| tracing::warn!(pattern = %none.display(), "no rule file matches"))?;
        for file in files.into_iter().collect::<BTreeSet<_>>() {
            match read_file(&file).and_then(|text| Self::check(&file, &text, defaults)) {
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
