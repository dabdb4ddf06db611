//! No cycles between the modules of a crate.
//!
//! Each module is a node, each use of another module's item an arrow to the module that defines it. Declaring a child
//! and re-exporting what lies below is no arrow, so a `mod.rs` that only does this is never part of a cycle. What a
//! macro generates, and methods called on a value, are not seen.

mod arrows;
mod crate_tree;
mod cycles;
mod scope;

use std::path::{Path, PathBuf};

use crate::report::Finding;
use crate::tidy::modules::crate_tree::CrateTree;
use crate::tidy::modules::scope::Scopes;
use crate::tidy::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    crate_roots(tree).iter().flat_map(|root| check_root(tree, root)).collect()
}

/// `lib.rs`, `main.rs` and `bin/*.rs` of every crate: each is a tree of modules of its own.
fn crate_roots(tree: &Tree) -> Vec<PathBuf> {
    let is_root = |path: &Path| {
        let mut names = path.iter().rev().map(|name| name.to_string_lossy());
        let file = names.next().unwrap_or_default();
        match (names.next().as_deref(), names.next().as_deref()) {
            (Some("src"), _) => file == "lib.rs" || file == "main.rs",
            (Some("bin"), Some("src")) => file.ends_with(".rs"),
            _ => false,
        }
    };
    tree.sources.iter().map(|source| source.path.clone()).filter(|path| is_root(path)).collect()
}

fn check_root(tree: &Tree, root: &Path) -> Vec<Finding> {
    let modules = CrateTree::load(tree, root);
    let scopes = Scopes::of(&modules);
    let arrows = arrows::collect(&modules, &scopes);
    let mut findings = modules.findings.clone();
    for cycle in cycles::find(modules.len(), &arrows) {
        let names: Vec<String> = cycle.members.iter().map(|member| modules.name(*member)).collect();
        let mut message = format!("modules in a cycle: {}", names.join(", "));
        for arrow in &cycle.arrows {
            let (from, to) = (modules.name(arrow.from), modules.name(arrow.to));
            message += &format!("\n    {from} -> {to} at {}:{}", modules.file(arrow.from).display(), arrow.line);
        }
        let first = cycle.arrows.first().map_or((root, 1), |arrow| (modules.file(arrow.from), arrow.line));
        findings.push(Finding::error(first.0, first.1, message));
    }
    findings
}

#[cfg(test)]
mod tests;
