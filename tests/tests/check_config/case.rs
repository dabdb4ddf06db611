//! Configurations with what is to be said of them, one file for each subject. A line `=== VERDICT: NAME` begins a case, `+++ FILE` a file
//! beside the configuration. The verdict is `good`, `bad`, or `refused` (what follows a `|` is in the error) for what Prometheus
//! does and Watershed doesn't; with `newer` before it, Debian's promtool can't be asked: it is too old, or built without that discovery.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const FILES: [(&str, &str); 10] = [
    ("global", include_str!("cases/global.txt")),
    ("scrape", include_str!("cases/scrape.txt")),
    ("http", include_str!("cases/http.txt")),
    ("relabel", include_str!("cases/relabel.txt")),
    ("discovery", include_str!("cases/discovery.txt")),
    ("kubernetes", include_str!("cases/kubernetes.txt")),
    ("rules", include_str!("cases/rules.txt")),
    ("alerting", include_str!("cases/alerting.txt")),
    ("storage", include_str!("cases/storage.txt")),
    ("refused", include_str!("cases/refused.txt")),
];

/// What is to be said of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
    /// Prometheus takes it; the error here has this in it.
    Refused(String),
}

/// A configuration.
#[derive(Debug)]
pub(crate) struct Case {
    /// The subject.
    pub(crate) file: &'static str,
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    /// Debian's promtool can't be asked.
    pub(crate) is_newer: bool,
    files: Vec<(String, String)>,
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = Case> {
    FILES.into_iter().flat_map(|(file, text)| {
        let mut cases: Vec<Case> = Vec::new();
        for line in text.lines() {
            if let Some(head) = line.strip_prefix("=== ") {
                cases.push(Case::begin(file, head));
                continue;
            }
            let case = cases.last_mut().expect("a file begins with a case");
            match line.strip_prefix("+++ ") {
                Some(name) => case.files.push((name.to_owned(), String::new())),
                None => case.files.last_mut().expect("a case has a file").1.extend([line, "\n"]),
            }
        }
        cases
    })
}

impl Case {
    fn begin(file: &'static str, head: &str) -> Case {
        let (verdict, name) = head.split_once(": ").expect("a verdict and a name");
        let (is_newer, verdict) = match verdict.strip_prefix("newer ") {
            Some(verdict) => (true, verdict),
            None => (false, verdict),
        };
        let (name, word) = name.split_once(" | ").unwrap_or((name, ""));
        let verdict = match verdict {
            "good" => Verdict::Good,
            "bad" => Verdict::Bad,
            "refused" => Verdict::Refused(word.to_owned()),
            other => panic!("{other:?} is no verdict"),
        };
        let files = vec![("prometheus.yml".to_owned(), String::new())];
        Case { file, name: name.to_owned(), verdict, is_newer, files }
    }

    /// Writes it into a folder; the path is that of the configuration.
    pub(crate) fn write(&self, dir: &Path) -> Result<PathBuf> {
        for (name, text) in &self.files {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().context("a folder")?)?;
            fs::write(&path, text)?;
        }
        Ok(dir.join(&self.files[0].0))
    }

    /// Whether what is wrong with it has no line: a file that isn't there, a pattern that is none.
    pub(crate) fn is_about_a_whole_file(&self) -> bool {
        self.name.contains("isn't there") || self.name.contains("pattern that is none")
    }
}
