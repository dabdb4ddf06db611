//! `watershed check config` beside promtool: the same configurations are good, and the same are bad.

mod case;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use case::{Case, Verdict};
use tests::{find, is_prometheus_3, watershed};

/// A folder with Prometheus's own configurations for tests (`config/testdata` in its repository).
const UPSTREAM: &str = "WATERSHED_UPSTREAM_CONFIGS";

fn check(program: &Path, file: &Path) -> Result<Output> {
    let (folder, name) = (file.parent().context("a folder")?, file.file_name().context("a name")?);
    let mut command = Command::new(program);
    command.args(["check", "config"]).arg(name).current_dir(folder);
    command.output().with_context(|| format!("cannot run {}", program.display()))
}

fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What is wrong with a verdict, if anything.
fn judged(case: &Case, ours: &Output, theirs: Option<&Output>) -> Option<String> {
    let text = printed(ours);
    let takes = case.verdict == Verdict::Good;
    if ours.status.success() != takes {
        return Some(format!("it should be {:?}:\n{text}", case.verdict));
    }
    if let Verdict::Refused(word) = &case.verdict
        && !text.contains(word)
    {
        return Some(format!("{word:?} is not named:\n{text}"));
    }
    let has_place = |line: &str| {
        let mut parts = line.split(": ").next().unwrap_or_default().rsplit(':');
        parts.next().is_some_and(|column| column.parse::<u32>().is_ok())
            && parts.next().is_some_and(|line| line.parse::<u32>().is_ok())
    };
    if !takes && !text.lines().any(has_place) && !case.is_about_a_whole_file() {
        return Some(format!("no error has a place:\n{text}"));
    }
    let theirs = theirs?;
    let expected = if case.verdict == Verdict::Bad { 1 } else { 0 };
    if theirs.status.code() != Some(expected) {
        return Some(format!("promtool says something else:\n{}", printed(theirs)));
    }
    if case.verdict == Verdict::Bad && ours.status.code() != Some(expected) {
        return Some(format!("exit code {:?}, promtool's is {expected}", ours.status.code()));
    }
    None
}

#[test]
fn the_same_configurations_are_good_and_bad_as_for_promtool() -> Result<()> {
    let promtool = find("the_same_configurations_are_good_and_bad_as_for_promtool", "promtool");
    let judges_all = promtool.as_deref().map(is_prometheus_3).transpose()?.unwrap_or_default();
    let ours = watershed()?;
    let (mut wrong, mut names) = (Vec::new(), BTreeSet::new());
    for case in case::all() {
        ensure!(names.insert((case.file, case.name.clone())), "{} has {:?} twice", case.file, case.name);
        let dir = tempfile::tempdir()?;
        let file = case.write(dir.path())?;
        let theirs = match &promtool {
            Some(promtool) if judges_all || !case.is_newer => Some(check(promtool, &file)?),
            _ => None,
        };
        if let Some(reason) = judged(&case, &check(&ours, &file)?, theirs.as_ref()) {
            wrong.push(format!("{}, {}: {reason}", case.file, case.name));
        }
    }
    ensure!(names.len() > 250, "there are only {} cases", names.len());
    ensure!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), names.len(), wrong.join("\n"));
    Ok(())
}

#[test]
fn the_configurations_of_prometheuss_own_tests_are_judged_as_by_it() -> Result<()> {
    let Some(folder) = std::env::var_os(UPSTREAM) else { return Ok(()) }; // by hand: nothing of Prometheus is in this repository
    let mut wrong = Vec::new();
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    for file in files {
        let name = file.file_name().context("a name")?.to_string_lossy().into_owned();
        let is_good = name.ends_with(".good.yml");
        if !is_good && !name.ends_with(".bad.yml") {
            continue;
        }
        let mut command = Command::new(watershed()?);
        command.args(["--log.level=error", "check", "config", "--syntax-only", &name]).current_dir(&folder);
        let output = command.output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        let is_unserved = !errors.is_empty() && errors.lines().all(|error| error.contains(" is not served: "));
        if output.status.success() != is_good && !is_unserved {
            wrong.push(format!("{name}: {}", printed(&output)));
        }
    }
    ensure!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_what_was_meant() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("shard.yml");
    fs::write(
        &file,
        "global:\n  scrape_intervall: 15s\nscrape_configs:\n- job_name: a\n  metric_path: /m\n- jobname: b\n",
    )?;
    let text = printed(&check(&watershed()?, &file)?);
    for words in [
        "shard.yml:2:3: unknown key \"scrape_intervall\", did you mean \"scrape_interval\"?",
        "shard.yml:5:3: unknown key \"metric_path\", did you mean \"metrics_path\"?",
        "shard.yml:6:3: unknown key \"jobname\", did you mean \"job_name\"?",
    ] {
        ensure!(text.contains(words), "{words} is missing in\n{text}");
    }
    Ok(())
}
