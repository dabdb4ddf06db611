//! Errors with their place in a file, and the list that validation collects them in.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::proxy_environment::ProxyEnvironment;
use crate::spanned::{Position, Spanned};

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The file, as it was named.
    pub file: PathBuf,
    /// The line, from 1; 0 where the error belongs to the file as a whole.
    pub line: u64,
    /// The column, from 1; 0 where the error belongs to the file as a whole.
    pub column: u64,
    /// What is wrong, and where possible what to do.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.file.display(), self.message)
        } else {
            write!(f, "{}:{}:{}: {}", self.file.display(), self.line, self.column, self.message)
        }
    }
}

impl std::error::Error for Error {}

/// Everything that is wrong with a file, in the order of the file; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors(pub Vec<Error>);

impl fmt::Display for Errors {
    /// One error per line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for error in &self.0 {
            write!(f, "{separator}{error}")?;
            separator = "\n";
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        Errors(vec![error])
    }
}

/// Collects what validation finds wrong with one file, so that a person sees all of it at once. It also knows what the file is
/// read against: its directory, where relative paths start, and the proxies of the environment.
#[derive(Debug)]
pub struct Report {
    file: PathBuf,
    errors: Vec<Error>,
    notes: Vec<Error>,
    proxies: ProxyEnvironment,
}

impl Report {
    /// A report on a file, without errors so far.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Report { file: file.into(), errors: Vec::new(), notes: Vec::new(), proxies: ProxyEnvironment::default() }
    }

    /// The same with the proxies of the environment, for what the file leaves to it.
    #[must_use]
    pub fn with_proxies(self, proxies: ProxyEnvironment) -> Self {
        Report { proxies, ..self }
    }

    /// The proxies of the environment.
    pub fn proxy_environment(&self) -> &ProxyEnvironment {
        &self.proxies
    }

    /// The file that is reported on.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Notes an error at a place in the file.
    pub fn error(&mut self, at: impl Into<Position>, message: impl fmt::Display) {
        let Position { line, column } = at.into();
        self.errors.push(Error { file: self.file.clone(), line, column, message: message.to_string() });
    }

    /// Takes what was read from another file that this one names; notes what is wrong with it otherwise.
    pub fn take<T>(&mut self, result: Result<T, Errors>) -> Option<T> {
        result.map_err(|errors| self.errors.extend(errors.0)).ok()
    }

    /// Takes what was said of another file that this one names.
    pub fn absorb(&mut self, other: Report) {
        self.errors.extend(other.errors);
        self.notes.extend(other.notes);
    }

    /// Notes something that is no error, and that its author would want to know: what is taken and has no meaning here.
    pub fn note(&mut self, at: impl Into<Position>, message: impl fmt::Display) {
        let Position { line, column } = at.into();
        self.notes.push(Error { file: self.file.clone(), line, column, message: message.to_string() });
    }

    /// What was noted that is no error.
    pub fn notes(&self) -> &[Error] {
        &self.notes
    }

    /// Takes the good value; notes an error at a place in the file otherwise.
    pub fn check<T, E: fmt::Display>(&mut self, at: impl Into<Position>, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(e) => {
                self.error(at, e);
                None
            }
        }
    }

    /// Notes that a key is known but not served, where it is set.
    pub fn unsupported<T>(&mut self, key: &str, value: Option<&Spanned<T>>) {
        if let Some(value) = value {
            self.error(value, format_args!("{key} is not supported yet"));
        }
    }

    /// Notes that a key is known and not served, where it is set, and what to do instead.
    pub fn unserved<T>(&mut self, key: &str, value: Option<&Spanned<T>>, instead: &str) {
        if let Some(value) = value {
            self.error(value, format_args!("{key} is not served: {instead}"));
        }
    }

    /// Refuses the name of a secret in a secret manager, where it is set; `key` is the word for the secret itself.
    pub(crate) fn refuse_reference(&mut self, key: &str, value: Option<&Spanned<String>>) {
        if let Some(value) = value {
            let message =
                format!("{key}_ref is not supported, because there is no secret manager: write {key} or {key}_file");
            self.error(value, message);
        }
    }

    /// Resolves a path in the file: a relative one starts at the file's directory.
    pub fn resolve(&self, path: &str) -> PathBuf {
        match self.file.parent() {
            Some(directory) => directory.join(path),
            None => PathBuf::from(path),
        }
    }

    /// How many errors there are so far.
    pub fn error_count(&self) -> usize {
        self.errors.len()
    }

    /// The validated value, or all errors: those of this file in its order, then those of others.
    pub fn finish<T>(mut self, value: T) -> Result<T, Errors> {
        if self.errors.is_empty() {
            return Ok(value);
        }
        let own = self.file;
        self.errors.sort_by(|a, b| {
            let place = |e: &Error| (e.file != own, e.line, e.column);
            (place(a).0, &a.file, place(a)).cmp(&(place(b).0, &b.file, place(b)))
        });
        Err(Errors(self.errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_errors_in_the_order_of_the_file() {
        let mut report = Report::new("/etc/shard/shard.yml");
        report.error(Position::new(7, 3), "second");
        report.error(Position::new(2, 9), "first");
        assert_eq!(report.resolve("rules/*.yml"), PathBuf::from("/etc/shard/rules/*.yml"));
        assert_eq!(report.resolve("/abs"), PathBuf::from("/abs"));
        let errors = report.finish(()).unwrap_err();
        assert_eq!(errors.to_string(), "/etc/shard/shard.yml:2:9: first\n/etc/shard/shard.yml:7:3: second");
    }

    #[test]
    fn what_is_said_of_another_file_keeps_its_name() {
        let (mut own, mut other) = (Report::new("a.yml"), Report::new("jobs/b.yml"));
        own.error(Position::new(9, 1), "own");
        other.error(Position::new(1, 1), "other");
        other.note(Position::new(2, 2), "taken");
        own.absorb(other);
        assert_eq!(own.notes()[0].to_string(), "jobs/b.yml:2:2: taken");
        assert_eq!(own.finish(()).unwrap_err().to_string(), "a.yml:9:1: own\njobs/b.yml:1:1: other");
    }

    #[test]
    fn an_error_without_a_place_names_the_file_only() {
        let mut report = Report::new("a.yml");
        report.error(Position::default(), "empty");
        assert_eq!(report.finish(()).unwrap_err().to_string(), "a.yml: empty");
        assert_eq!(Report::new("a.yml").finish(3), Ok(3));
    }
}
