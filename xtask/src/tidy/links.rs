//! Links between documents, and mentions of the format documents: both must lead to a file.

use std::path::{Component, Path, PathBuf};

use crate::report::Finding;
use crate::tidy::tree::{Source, Tree, has_extension};

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in &tree.sources {
        if has_extension(&source.path, &["md"]) {
            findings.extend(check_links(tree, source));
            findings.extend(check_formats(tree, source, |_| true));
        } else if has_extension(&source.path, &["rs"]) {
            findings.extend(check_formats(tree, source, |line| line.trim_start().starts_with("//")));
        }
    }
    findings
}

fn check_links(tree: &Tree, source: &Source) -> Vec<Finding> {
    let folder = source.path.parent().unwrap_or(Path::new(""));
    let mut findings = Vec::new();
    let mut fenced = false;
    for (index, line) in source.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for target in targets(&without_code(line)) {
            let Some(path) = local_path(folder, &target) else { continue };
            if !tree.paths.contains(&path) && path != Path::new("") {
                findings.push(Finding::error(&source.path, index + 1, format!("the link {target} leads nowhere")));
            }
        }
    }
    findings
}

/// Drops what stands between backticks: code isn't a link.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// What a line links to: `](x)`, `[name]: x`, `src="x"`, `href="x"`.
fn targets(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (opening, closing) in [("](", &[')', ' '][..]), ("src=\"", &['"']), ("href=\"", &['"'])] {
        found.extend(line.split(opening).skip(1).filter_map(|rest| rest.split(closing).next()));
    }
    if let Some((name, target)) = line.split_once("]: ")
        && name.starts_with('[')
    {
        found.extend(target.split_whitespace().next());
    }
    found.into_iter().map(|target| target.trim_matches(['<', '>']).to_owned()).collect()
}

/// The file a target names, relative to the root; `None` for another site or a place in the same document.
fn local_path(folder: &Path, target: &str) -> Option<PathBuf> {
    let path = target.split(['#', '?']).next().unwrap_or_default();
    if path.is_empty() || path.contains(':') {
        return None;
    }
    let joined = match path.strip_prefix('/') {
        Some(from_root) => PathBuf::from(from_root),
        None => folder.join(path),
    };
    let mut plain = PathBuf::new();
    for component in joined.components() {
        match component {
            Component::ParentDir if plain.pop() => {}
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    Some(plain)
}

fn check_formats(tree: &Tree, source: &Source, is_prose: fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in source.text.lines().enumerate().filter(|(_, line)| is_prose(line)) {
        for rest in line.split("docs/format/").skip(1) {
            let end =
                rest.find(|letter: char| !letter.is_alphanumeric() && !"-_.".contains(letter)).unwrap_or(rest.len());
            let name = rest[..end].trim_end_matches('.');
            let path = Path::new("docs/format").join(name);
            if has_extension(&path, &["md"]) && !tree.paths.contains(&path) {
                findings.push(Finding::error(&source.path, index + 1, format!("{} doesn't exist", path.display())));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_one(path: &str, text: &str, expected: &[&str]) {
        let tree = Tree::of(&[(path, text), ("docs/format/wal.md", ""), ("deploy/a.service", ""), ("ui/logo.svg", "")]);
        let found: Vec<String> =
            check(&tree).into_iter().map(|finding| format!("{}: {}", finding.line, finding.message)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn links_that_lead_somewhere() {
        for text in [
            "[a](docs/format/wal.md) and [b](docs/format/wal.md#layout \"title\")",
            "[a](https://example.org/x.md), [b](#here), <mailto:a@example.org>, ![c](ui/logo.svg)",
            "[a](docs), [b](./deploy/a.service), [c](/ui/logo.svg)",
            "`[a](gone.md)`\n```\n[b](gone.md)\n```",
            "<img src=\"ui/logo.svg\">",
        ] {
            check_one("README.md", text, &[]);
        }
        check_one("docs/b.md", "[a](format/wal.md), [b](../deploy/a.service), [c](..)", &[]);
    }

    #[test]
    fn links_that_lead_nowhere() {
        check_one("README.md", "a\n[b](gone.md)", &["2: the link gone.md leads nowhere"]);
        check_one("README.md", "<img src=\"gone.svg\">", &["1: the link gone.svg leads nowhere"]);
        check_one("README.md", "[b]: gone.md", &["1: the link gone.md leads nowhere"]);
        check_one("docs/b.md", "[a](../../docs/b.md)", &["1: the link ../../docs/b.md leads nowhere"]);
    }

    #[test]
    fn formats() {
        check_one("crates/a/src/lib.rs", "//! See docs/format/wal.md.\nconst A: &str = \"docs/format/gone.md\";", &[]);
        check_one("crates/a/src/lib.rs", "//! See docs/format/gone.md.", &["1: docs/format/gone.md doesn't exist"]);
        check_one(
            "docs/b.md",
            "One of `docs/format/*.md`: `docs/format/gone.md`",
            &["1: docs/format/gone.md doesn't exist"],
        );
    }
}
