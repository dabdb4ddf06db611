//! `cargo xtask tidy`: what the compiler doesn't check about the plan of the house.

mod layers;
mod links;
mod manifests;
mod modules;
mod names;
mod sizes;
mod syntax;
mod test_code;
mod tree;
mod words;

use std::path::Path;

use anyhow::Result;

use crate::report::Finding;
use crate::tidy::tree::Tree;

type Check = fn(&Tree) -> Vec<Finding>;

const CHECKS: &[Check] = &[
    syntax::check,
    layers::check,
    manifests::check,
    modules::check,
    sizes::check,
    names::check,
    links::check,
    words::check,
];

/// Runs every check on the repository at `root` and returns all that they found.
pub(crate) fn run(root: &Path) -> Result<Vec<Finding>> {
    let tree = Tree::load(root)?;
    Ok(CHECKS.iter().flat_map(|check| check(&tree)).collect())
}
