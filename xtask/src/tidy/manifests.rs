//! What every crate has: the workspace's lints, no publishing, its folder's name, a sentence about itself.

use std::path::Path;

use crate::report::Finding;
use crate::tidy::tree::{Source, Tree};
use crate::toml_text::Document;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.manifests().flat_map(|manifest| check_crate(tree, manifest)).collect()
}

fn check_crate(tree: &Tree, manifest: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Ok(document) = Document::parse(&manifest.text) else { return findings };
    for path in [["lints", "workspace"].as_slice(), &["package", "publish", "workspace"]] {
        if !document.get(path).is_some_and(|entry| entry.is_true()) {
            findings.push(Finding::error(&manifest.path, 1, format!("{} = true is missing", path.join("."))));
        }
    }
    let folder = manifest.path.parent().unwrap_or(Path::new(""));
    let folder_name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match document.get(&["package", "name"]) {
        Some(name) if name.value.as_str() == Some(folder_name) => {}
        Some(name) => {
            let message = format!("the crate has another name than its folder {folder_name}");
            findings.push(Finding::error(&manifest.path, name.line, message));
        }
        None => findings.push(Finding::error(&manifest.path, 1, "package.name is missing")),
    }
    findings.extend(check_doc(tree, folder));
    findings
}

fn check_doc(tree: &Tree, folder: &Path) -> Option<Finding> {
    let root = ["src/lib.rs", "src/main.rs"].iter().find_map(|root| tree.source(&folder.join(root)));
    let Some(root) = root else {
        return Some(Finding::error(&folder.join("Cargo.toml"), 1, "neither src/lib.rs nor src/main.rs exists"));
    };
    let documented = root.text.lines().any(|line| line.starts_with("//!"));
    (!documented).then(|| Finding::error(&root.path, 1, "the crate has no //! doc: what it is for, what it doesn't do"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"a\"\npublish.workspace = true\n[lints]\nworkspace = true\n";

    #[track_caller]
    fn check_one(manifest: &str, root: &str, expected: &[&str]) {
        let tree = Tree::of(&[("crates/a/Cargo.toml", manifest), ("crates/a/src/lib.rs", root)]);
        let found: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found} lacks {expected}");
        }
    }

    #[test]
    fn each_rule_can_be_broken() {
        check_one(GOOD, "//! A.\n", &[]);
        check_one(
            &GOOD.replace("workspace = true\n[", "[").replace("publish.", ""),
            "//! A.\n",
            &["package.publish.work"],
        );
        check_one(&GOOD.replace("[lints]\nworkspace = true\n", ""), "//! A.\n", &["lints.workspace = true is missing"]);
        check_one(&GOOD.replace("\"a\"", "\"b\""), "//! A.\n", &["Cargo.toml:2: error: the crate has another name"]);
        check_one(GOOD, "/// Not the crate's.\nfn f() {}\n", &["src/lib.rs:1: error: the crate has no //! doc"]);
    }

    #[test]
    fn a_crate_without_a_root_is_reported() {
        let tree = Tree::of(&[("crates/a/Cargo.toml", GOOD)]);
        assert!(check(&tree)[0].message.contains("neither src/lib.rs nor src/main.rs"));
    }
}
