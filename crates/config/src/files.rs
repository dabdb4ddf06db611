//! Finding and reading files that a configuration names.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Errors};

/// The largest file that is read.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The text of a configuration file.
///
/// # Errors
/// The file can't be read, or is larger than any configuration.
pub fn read_file(file: &Path) -> Result<String, Errors> {
    let error = |message: String| Errors::from(Error { file: file.to_owned(), line: 0, column: 0, message });
    let bytes = fs::metadata(file).map_err(|e| error(e.to_string()))?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(error(format!("the file has {bytes} bytes, more than the limit of {FILE_BYTES_MAX}")));
    }
    fs::read_to_string(file).map_err(|e| error(e.to_string()))
}

/// The files that the patterns match: pattern by pattern, sorted; what two of them match is there twice. A pattern is a path with
/// `*`, `?` and `[…]`; relative ones start at the working directory, so resolve them against the configuration file first. A pattern
/// that matches nothing is fine, as in Prometheus; `on_none` is told of it.
///
/// # Errors
/// Every pattern that is none, and every folder that can't be read.
pub fn matching_files(patterns: &[PathBuf], on_none: impl Fn(&Path)) -> Result<Vec<PathBuf>, Errors> {
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    for pattern in patterns {
        match matches_of(pattern) {
            Ok(found) if found.is_empty() => on_none(pattern),
            Ok(found) => files.extend(found),
            Err(message) => errors.push(Error { file: pattern.clone(), line: 0, column: 0, message }),
        }
    }
    if errors.is_empty() { Ok(files) } else { Err(Errors(errors)) }
}

fn matches_of(pattern: &Path) -> Result<Vec<PathBuf>, String> {
    let text = pattern.to_str().ok_or("the pattern is no UTF-8")?;
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::default() };
    let paths = glob::glob_with(text, options).map_err(|e| format!("invalid pattern: {e}"))?;
    paths.map(|path| path.map_err(|e| e.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_patterns_match() {
        let dir = tempfile::tempdir().expect("a folder");
        for name in ["a.yml", "b.yml", "c.txt"] {
            fs::write(dir.path().join(name), name).expect("a file");
        }
        let found = |patterns: &[&str]| {
            let patterns: Vec<PathBuf> = patterns.iter().map(|pattern| dir.path().join(pattern)).collect();
            matching_files(&patterns, |_| {})
                .map(|files| files.iter().map(|file| read_file(file).expect("readable")).collect::<Vec<_>>())
        };
        assert_eq!(found(&["*.yml", "a.*", "none-*"]), Ok(["a.yml", "b.yml", "a.yml"].map(str::to_owned).to_vec()));
        let error = found(&["[", "a***"]).expect_err("no patterns").to_string();
        assert_eq!(error.matches("invalid pattern").count(), 2, "{error}");
        let missing = read_file(&dir.path().join("none")).expect_err("no such file").to_string();
        assert!(missing.ends_with("none: No such file or directory (os error 2)"), "{missing}");
    }
}
