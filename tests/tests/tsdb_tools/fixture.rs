//! Running the programs, and folders with blocks that promtool and we made of the same text.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::{find, watershed};

pub(crate) const START: i64 = 1_700_000_000;

pub(crate) fn run(program: &Path, arguments: &[&str]) -> Result<Output> {
    Command::new(program).args(arguments).output().with_context(|| format!("cannot start {}", program.display()))
}

/// What a command prints; it must end well.
pub(crate) fn printed(program: &Path, arguments: &[&str]) -> Result<String> {
    let out = run(program, arguments)?;
    let error = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success(), "{} {arguments:?}: {}: {error}", program.display(), out.status);
    Ok(String::from_utf8(out.stdout)?)
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("the temporary folder's name is text")
}

/// Gauges, counters and a histogram over a day, in order of time, then one series of another day.
pub(crate) fn exposition(series: i64) -> String {
    let mut out = String::from("# HELP m A \\\\ help.\n# TYPE m gauge\n");
    for step in 0..200 {
        for i in 0..series {
            let value = match i % 5 {
                0 => "1".to_owned(),
                1 => step.to_string(),
                2 => format!("{}", (step as f64 * 0.1).sin() * 1e9),
                3 => ["NaN", "+Inf", "-Inf", "1e-300"][step as usize % 4].to_owned(),
                _ => format!("-{step}.5"),
            };
            let time = START + step * 432;
            let _ = writeln!(
                out,
                "m{{i=\"{i}\",text=\"ä \\\"quoted\\\" \\\\ line\\nend\"}} {value} {time}.{:03}",
                i % 4 * 250
            );
        }
    }
    let _ = write!(
        out,
        "# TYPE h histogram\n# UNIT h_seconds seconds\nh_bucket{{le=\"1.0\"}} 5 {START} # {{trace_id=\"x\"}} 0.5 {START}\n"
    );
    let _ = write!(
        out,
        "h_created 1 {START}\nlate{{}} 7 {}\nalone 1 {}\nodd 1 {START}.001\n# EOF\n",
        START + 300_000,
        START - 100_000
    );
    out
}

/// A folder with blocks that promtool and we made of the same text.
pub(crate) struct Pair {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) promtool: PathBuf,
    pub(crate) watershed: PathBuf,
    pub(crate) theirs: PathBuf,
    pub(crate) ours: PathBuf,
}

pub(crate) fn pair(test: &str, input: &str) -> Result<Option<Pair>> {
    let Some(promtool) = find(test, "promtool") else { return Ok(None) };
    let watershed = watershed()?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("input");
    fs::write(&file, input)?;
    let (theirs, ours) = (dir.path().join("theirs"), dir.path().join("ours"));
    let create = ["tsdb", "create-blocks-from", "openmetrics", text(&file)];
    printed(&promtool, &[&create[..], &[text(&theirs)]].concat())?;
    printed(&watershed, &[&create[..], &[text(&ours)]].concat())?;
    // promtool wants a log.
    fs::create_dir_all(theirs.join("wal"))?;
    fs::create_dir_all(ours.join("wal"))?;
    Ok(Some(Pair { dir, promtool, watershed, theirs, ours }))
}

pub(crate) fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

pub(crate) fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)?.flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// What `verify --json` says of a path, and whether it ended well.
pub(crate) fn verify(watershed: &Path, path: &Path) -> Result<(Value, bool)> {
    let out = run(watershed, &["tsdb", "verify", "--json", text(path)])?;
    let report =
        serde_json::from_slice(&out.stdout).with_context(|| format!("{}", String::from_utf8_lossy(&out.stderr)))?;
    ensure!(matches!(out.status.code(), Some(0 | 1)), "{}", out.status);
    Ok((report, out.status.success()))
}
