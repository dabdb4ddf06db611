//! What a check found, and how it is shown.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    Warning,
    Error,
}

/// One broken rule, at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// Relative to the root of the repository.
    pub(crate) path: PathBuf,
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl Finding {
    pub(crate) fn error(path: &Path, line: usize, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, path: path.to_path_buf(), line, message: message.into() }
    }

    pub(crate) fn warning(path: &Path, line: usize, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, path: path.to_path_buf(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{}:{}: {severity}: {}", self.path.display(), self.line, self.message)
    }
}

/// Writes the findings, errors last (where a terminal shows them), and a count. Returns how many are errors.
pub(crate) fn print(out: &mut dyn Write, chore: &str, findings: &[Finding]) -> io::Result<usize> {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by(|a, b| (a.severity, &a.path, a.line).cmp(&(b.severity, &b.path, b.line)));
    for finding in &sorted {
        writeln!(out, "{finding}")?;
    }
    let errors = sorted.iter().filter(|finding| finding.severity == Severity::Error).count();
    writeln!(out, "{chore}: {errors} errors, {} warnings", sorted.len() - errors)?;
    Ok(errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_come_last_and_are_counted() {
        let a = Path::new("a.rs");
        let findings = [Finding::error(a, 3, "bad"), Finding::warning(Path::new("b.rs"), 1, "long")];
        let mut out = Vec::new();
        assert_eq!(print(&mut out, "tidy", &findings).unwrap(), 1);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "b.rs:1: warning: long\na.rs:3: error: bad\ntidy: 1 errors, 1 warnings\n"
        );
    }
}
