//! The files of the repository that the checks read, loaded once.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Folders that hold what was built or fetched, not what we wrote.
const FOLDERS_SKIPPED: &[&str] = &["target", "node_modules", "demo-data"];

/// Files that are read; of others only the name is known.
const EXTENSIONS_READ: &[&str] = &["rs", "ts", "tsx", "sh", "md", "toml"];

/// A text file of the repository.
pub(crate) struct Source {
    /// Relative to the root.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// Set for Rust files.
    pub(crate) syntax: Option<syn::Result<syn::File>>,
}

/// Every file and folder, and the text of those we wrote by hand.
#[derive(Default)]
pub(crate) struct Tree {
    pub(crate) sources: Vec<Source>,
    /// Files and folders, read or not.
    pub(crate) paths: BTreeSet<PathBuf>,
}

impl Tree {
    /// Walks the folder `root`.
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.walk(root, Path::new(""))?;
        Ok(tree)
    }

    fn walk(&mut self, root: &Path, folder: &Path) -> Result<()> {
        let absolute = root.join(folder);
        let mut names = Vec::new();
        for entry in fs::read_dir(&absolute).with_context(|| format!("reading the folder {}", absolute.display()))? {
            let entry = entry?;
            names.push((entry.file_name(), entry.file_type()?.is_dir()));
        }
        names.sort();
        for (name, is_dir) in names {
            let path = folder.join(&name);
            let name = name.to_string_lossy();
            if !is_dir {
                let text = is_read(&path).then(|| fs::read_to_string(root.join(&path)));
                // A file that isn't UTF-8 (a font, a binary fixture) is known by name only.
                self.insert(path, text.and_then(Result::ok));
            } else if !FOLDERS_SKIPPED.contains(&&*name) && (!name.starts_with('.') || name == ".ci") {
                self.paths.insert(path.clone());
                self.walk(root, &path)?;
            }
        }
        Ok(())
    }

    fn insert(&mut self, path: PathBuf, text: Option<String>) {
        self.paths.insert(path.clone());
        let Some(text) = text else { return };
        let syntax = has_extension(&path, &["rs"]).then(|| syn::parse_file(&text));
        self.sources.push(Source { path, text, syntax });
    }

    pub(crate) fn source(&self, path: &Path) -> Option<&Source> {
        self.sources.iter().find(|source| source.path == path)
    }

    /// Rust files that parse, with their syntax.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&Source, &syn::File)> {
        self.sources.iter().filter_map(|source| Some((source, source.syntax.as_ref()?.as_ref().ok()?)))
    }

    /// The manifests of the crates: every `Cargo.toml` below the root's own, but for workspaces of their own.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = &Source> {
        let is_manifest = |path: &Path| path.ends_with("Cargo.toml") && path != Path::new("Cargo.toml");
        let is_workspace = |text: &str| text.lines().any(|line| line == "[workspace]");
        self.sources.iter().filter(move |source| is_manifest(&source.path) && !is_workspace(&source.text))
    }

    /// A tree in memory, for the checks' own tests.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.paths.extend(Path::new(path).ancestors().skip(1).map(Path::to_path_buf));
            tree.insert(PathBuf::from(path), Some((*text).to_owned()));
        }
        tree
    }
}

pub(crate) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|found| extensions.iter().any(|wanted| found == *wanted))
}

/// Scripts carry no extension, so everything in `scripts` and `.ci` counts.
pub(crate) fn is_script(path: &Path) -> bool {
    path.extension().is_none() && (path.starts_with("scripts") || path.starts_with(".ci"))
}

fn is_read(path: &Path) -> bool {
    let built = path.starts_with("ui/dist");
    !built && (has_extension(path, EXTENSIONS_READ) || is_script(path))
}
