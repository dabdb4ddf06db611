//! Chores of the repository, run as `cargo xtask CHORE`.
//!
//! A small program instead of shell scripts or a lint framework: the rules it enforces (which crate may know which, no
//! cycle between modules) are ours alone, and no published tool states them. It only reads and reports; it formats
//! nothing, builds nothing and never edits a file.

mod licences;
mod report;
mod tidy;
mod toml_text;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::report::Finding;

struct Chore {
    name: &'static str,
    about: &'static str,
    run: fn(&Path) -> Result<Vec<Finding>>,
}

const CHORES: &[Chore] = &[
    Chore {
        name: "tidy",
        about: "layers of crates, cycles of modules, sizes, manifests, names, links, leftover notes",
        run: tidy::run,
    },
    Chore {
        name: "licences",
        about: "licences, banned crates and sources of every dependency, as deny.toml allows them",
        run: licences::run,
    },
];

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut out = std::io::stdout().lock();
    let name = match arguments.as_slice() {
        [] => {
            list(&mut out)?;
            return Ok(ExitCode::SUCCESS);
        }
        [name] => name,
        [_, surplus, ..] => {
            writeln!(std::io::stderr(), "xtask: a chore takes no arguments, found {surplus:?}")?;
            return Ok(ExitCode::from(2));
        }
    };
    let Some(chore) = CHORES.iter().find(|chore| chore.name == name) else {
        writeln!(std::io::stderr(), "xtask: there is no chore {name:?}")?;
        list(&mut std::io::stderr())?;
        return Ok(ExitCode::from(2));
    };
    let findings = (chore.run)(&repository_root()?)?;
    let errors = report::print(&mut out, chore.name, &findings)?;
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn list(out: &mut dyn Write) -> Result<()> {
    writeln!(out, "usage: cargo xtask CHORE")?;
    for chore in CHORES {
        writeln!(out, "  {:<10} {}", chore.name, chore.about)?;
    }
    Ok(())
}

fn repository_root() -> Result<PathBuf> {
    let manifest_dir = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest_dir.parent().map(Path::to_path_buf).context("the folder of xtask has no parent")
}
