//! Whether files have changed since they were read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

/// Files that a configuration was read from, by what was in them. A file that can't be read is as one that is empty: to load it tells
/// what is wrong.
#[derive(Debug, Clone, Default)]
pub(crate) struct FilesRead {
    patterns: Vec<PathBuf>,
    hashes: BTreeMap<PathBuf, u64>,
}

impl FilesRead {
    /// Takes note of what is in the files now.
    pub(crate) fn of(patterns: Vec<PathBuf>) -> FilesRead {
        let mut read = FilesRead { patterns, hashes: BTreeMap::new() };
        read.look();
        read
    }

    /// Takes note of what is in the files now.
    pub(crate) fn look(&mut self) {
        self.hashes = self.hashes_now();
    }

    /// Follows another file, which has been read with this text.
    pub(crate) fn add(&mut self, file: &Path, text: &str) {
        self.patterns.push(file.to_owned());
        self.hashes.insert(file.to_owned(), hash(text));
    }

    /// Whether there are other files than at the last look, or other words in them.
    pub(crate) fn has_changed(&self) -> bool {
        self.hashes_now() != self.hashes
    }

    fn hashes_now(&self) -> BTreeMap<PathBuf, u64> {
        let mut hashes = BTreeMap::new();
        for pattern in &self.patterns {
            for file in config::matching_files(std::slice::from_ref(pattern), |_| {}).unwrap_or_default() {
                let hash = config::read_file(&file).map_or(0, |text| hash(&text));
                hashes.insert(file, hash);
            }
        }
        hashes
    }
}

fn hash(text: &str) -> u64 {
    xxh3_64(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("a file");
        write("shard.yml", "a");
        write("rules-1.yml", "b");
        let mut read = FilesRead::of(vec![dir.path().join("rules-*.yml")]);
        assert!(!read.has_changed());
        read.add(&dir.path().join("shard.yml"), "a");
        assert!(!read.has_changed());
        read.add(&dir.path().join("shard.yml"), "as it was when it was loaded");
        assert!(read.has_changed(), "it changed in between");
        read.look();
        let mut check = |name: &str, text: Option<&str>| {
            match text {
                Some(text) => write(name, text),
                None => std::fs::remove_file(dir.path().join(name)).expect("was there"),
            }
            assert!(read.has_changed(), "{name}: {text:?}");
            read.look();
            assert!(!read.has_changed());
        };
        check("rules-1.yml", Some("c"));
        check("rules-2.yml", Some(""));
        check("rules-1.yml", None);
        check("shard.yml", None);
        check("shard.yml", Some("a"));
    }
}
