//! `file_sd_configs`: groups of targets in YAML and JSON files, named by patterns.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{DurationMs, Errors, Report, Spanned};
use model::{Labels, LabelsBuilder};
use serde::Deserialize;

use crate::group::TargetGroup;

const DEFAULT_REFRESH_MS: i64 = 5 * 60_000;
const EXTENSIONS: [&str; 3] = ["json", "yml", "yaml"];
/// A list of targets larger than this is not read.
const FILE_BYTES_MAX: u64 = 256 << 20;
const FILE_PATH_LABEL: &str = "__meta_filepath";

/// `file_sd_configs` as written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawFileSdConfig {
    /// Files; the last part of a path may have one `*`.
    pub files: Spanned<Vec<Spanned<String>>>,
    /// How often the files are read even if nothing tells of a change, 5m by default.
    pub refresh_interval: Option<Spanned<DurationMs>>,
}

/// `file_sd_configs`, validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSdConfig {
    /// Files; the last part of a path may have one `*`.
    pub files: Vec<PathBuf>,
    /// How often the files are read even if nothing tells of a change, in milliseconds.
    pub refresh_interval_ms: i64,
}

/// Why a file of targets was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot read the targets file {path:?}")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the targets file {path:?} has {bytes} bytes, more than {FILE_BYTES_MAX}")]
    TooLarge { path: PathBuf, bytes: u64 },
    #[error("{path}: {source}", path = path.display())]
    Json { path: PathBuf, source: serde_json::Error },
    #[error(transparent)]
    Yaml(#[from] config::Errors),
}

impl FileError {
    /// The same with its place in the file.
    pub(crate) fn errors(self) -> Errors {
        let message = config::chain(&self);
        let (file, line, column) = match self {
            FileError::Yaml(errors) => return errors,
            FileError::Read { path, .. } | FileError::TooLarge { path, .. } => (path, 0, 0),
            FileError::Json { path, source } => {
                let at = (source.line() as u64, source.column() as u64);
                return config::Error { file: path, line: at.0, column: at.1, message: source.to_string() }.into();
            }
        };
        config::Error { file, line, column, message }.into()
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileGroup {
    #[serde(default)]
    targets: Vec<String>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

impl FileSdConfig {
    pub(crate) fn validate(raw: RawFileSdConfig, position: config::Position, report: &mut Report) -> FileSdConfig {
        if raw.files.is_empty() {
            report.error(position, "file service discovery config must contain at least one path name");
        }
        for file in raw.files.iter().filter(|file| !is_valid_pattern(file)) {
            report.error(
                file,
                format_args!(
                    "path name {:?} is not valid for file discovery: it must end in .json, .yml or .yaml and may have \
                     one * in its last part",
                    file.value
                ),
            );
        }
        let refresh = raw.refresh_interval.map_or(DEFAULT_REFRESH_MS, |interval| {
            if interval.0 <= 0 {
                report.error(&interval, "refresh_interval must be longer than 0");
            }
            interval.0
        });
        let files = raw.files.iter().map(|file| report.resolve(file)).collect();
        FileSdConfig { files, refresh_interval_ms: refresh }
    }

    /// The files that the patterns name now, sorted.
    pub(crate) fn matching_files(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = self.files.iter().flat_map(|pattern| matches_of(pattern)).collect();
        found.sort();
        found.dedup();
        found
    }

    /// The directories in which a change may matter, without repetition.
    pub(crate) fn directories(&self) -> Vec<PathBuf> {
        let mut directories: Vec<PathBuf> = self.files.iter().map(|file| directory_of(file)).collect();
        directories.sort();
        directories.dedup();
        directories
    }
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn is_valid_pattern(pattern: &str) -> bool {
    let (directory, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let known = EXTENSIONS.iter().any(|e| *e == extension || e.to_uppercase() == extension);
    known && !directory.contains('*') && name.matches('*').count() <= 1
}

fn matches_of(pattern: &Path) -> Vec<PathBuf> {
    let name = pattern.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let Some((prefix, suffix)) = name.split_once('*') else {
        return if pattern.exists() { vec![pattern.to_owned()] } else { Vec::new() };
    };
    let directory = directory_of(pattern);
    let Ok(entries) = std::fs::read_dir(&directory) else { return Vec::new() };
    let fits =
        |name: &str| name.len() >= prefix.len() + suffix.len() && name.starts_with(prefix) && name.ends_with(suffix);
    entries
        .flatten()
        .filter(|entry| fits(&entry.file_name().to_string_lossy()))
        .map(|entry| pattern.with_file_name(entry.file_name()))
        .collect()
}

/// Reads one file; every group also gets the label `__meta_filepath`.
pub(crate) fn read_groups(path: &Path) -> Result<Vec<TargetGroup>, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(FileError::TooLarge { path: path.to_owned(), bytes });
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let groups: Vec<FileGroup> = if is_json {
        serde_json::from_str(&text).map_err(|source| FileError::Json { path: path.to_owned(), source })?
    } else {
        config::load(&text, path)?
    };
    let with_path = |labels: Option<BTreeMap<String, String>>| {
        let mut labels = LabelsBuilder::new(&Labels::from_pairs(labels.iter().flatten()));
        labels.set(FILE_PATH_LABEL, &path.to_string_lossy());
        labels.build()
    };
    Ok(groups.into_iter().map(|g| TargetGroup { targets: g.targets, labels: with_path(g.labels) }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_patterns_of_prometheus() {
        let check = |pattern: &str, want: bool| assert_eq!(is_valid_pattern(pattern), want, "{pattern}");
        check("a.json", true);
        check("dir/*.yml", true);
        check("/abs/tg_*.yaml", true);
        check("x.JSON", true);
        check("a.txt", false);
        check("*/a.json", false);
        check("a*b*.json", false);
        check("json", false);
    }

    #[test]
    fn reads_both_formats_and_refuses_with_the_place() {
        let dir = tempfile::tempdir().unwrap();
        let read = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            read_groups(&path).map_err(|e| e.to_string().replace(&dir.path().display().to_string(), ""))
        };
        let yaml = read("a.yml", "- targets: [a:1, b:2]\n  labels: {env: prod}\n- targets: ['c:3']\n").unwrap();
        assert_eq!((yaml.len(), yaml[0].targets.len(), yaml[0].labels.value("env")), (2, 2, "prod"));
        assert!(yaml[1].labels.value(FILE_PATH_LABEL).ends_with("a.yml"));
        let json = read("a.json", r#"[{"targets": ["a:1"], "labels": {"env": "prod"}}]"#).unwrap();
        assert_eq!(json[0].targets, ["a:1"]);
        assert_eq!(
            read("b.yml", "- target: [a:1]\n"),
            Err("/b.yml:1:3: unknown key \"target\", did you mean \"targets\"?".into())
        );
        assert!(read("b.json", "[{]").unwrap_err().starts_with("/b.json: "));
    }

    #[test]
    fn finds_files_by_pattern() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a1.yml", "a2.yml", "b.yml", "a3.json"] {
            std::fs::write(dir.path().join(name), "[]").unwrap();
        }
        let config = FileSdConfig {
            files: vec![dir.path().join("a*.yml"), dir.path().join("none.yml")],
            refresh_interval_ms: 1,
        };
        let names: Vec<_> = config.matching_files().iter().map(|p| p.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["a1.yml", "a2.yml"]);
    }
}
