//! `watershed test rules` beside promtool: the same files pass, and the same fail.

mod cases;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use cases::{CASES, Case, NEWER};
use tests::{find, watershed};

/// Writes a case into a folder; the file with the tests is `test.yml`.
fn write(dir: &Path, case: &Case) -> Result<()> {
    fs::write(dir.join("rules.yml"), case.rules)?;
    Ok(fs::write(dir.join("test.yml"), case.test)?)
}

fn run(program: &Path, dir: &Path, flags: &[&str]) -> Result<Output> {
    let mut command = Command::new(program);
    command.args(["test", "rules"]).args(flags).arg("test.yml").current_dir(dir);
    command.output().with_context(|| format!("cannot run {}", program.display()))
}

fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_same_tests_pass_and_fail_as_with_promtool() -> Result<()> {
    let Some(promtool) = find("the_same_tests_pass_and_fail_as_with_promtool", "promtool") else { return Ok(()) };
    let ours = watershed()?;
    for case in CASES {
        let dir = tempfile::tempdir()?;
        write(dir.path(), case)?;
        let (theirs, ours) = (run(&promtool, dir.path(), &[])?, run(&ours, dir.path(), &[])?);
        let both = format!("{}:\npromtool: {}\nwatershed: {}", case.name, printed(&theirs), printed(&ours));
        ensure!(theirs.status.success() == case.passes, "promtool differs from what was expected of {both}");
        ensure!(ours.status.success() == case.passes, "{both}");
    }
    Ok(())
}

#[test]
fn what_newer_versions_of_promtool_take_is_taken() -> Result<()> {
    for case in NEWER {
        let dir = tempfile::tempdir()?;
        write(dir.path(), case)?;
        let ours = run(&watershed()?, dir.path(), &[])?;
        ensure!(ours.status.success() == case.passes, "{}: {}", case.name, printed(&ours));
    }
    Ok(())
}

fn case(name: &str) -> Result<&'static Case> {
    CASES.iter().chain(NEWER).find(|case| case.name == name).with_context(|| format!("there is no case {name:?}"))
}

#[test]
fn a_failure_has_a_place_and_shows_what_differs() -> Result<()> {
    let dir = tempfile::tempdir()?;
    write(dir.path(), case("another annotation")?)?;
    let output = run(&watershed()?, dir.path(), &[])?;
    let want = "test.yml:10:9: test \"down\": alert Down at 5m\n      labels:\n        alertname: Down\n        instance: a\n        \
                severity: page\n      annotations:\n    -   summary: a is away\n    +   summary: a is down\n\
                test.yml: 0 passed, 1 failed\n0 passed, 1 failed\n";
    ensure!(String::from_utf8(output.stdout.clone())? == want, "{}", printed(&output));
    ensure!(output.status.code() == Some(1), "{}", output.status);

    write(dir.path(), case("another value")?)?;
    let output = run(&watershed()?, dir.path(), &[])?;
    let want = "test.yml:9:9: test \"unnamed#0\": expr sum by (job) (x) at 1m\n      {job=\"a\"} 2e0\n    - {job=\"b\"} 5e0\n    \
                + {job=\"b\"} 4e0\ntest.yml: 0 passed, 1 failed\n0 passed, 1 failed\n";
    ensure!(String::from_utf8(output.stdout.clone())? == want, "{}", printed(&output));
    Ok(())
}

#[test]
fn what_cannot_be_run_has_a_place_and_exit_code_2() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let check = |case_name: &str, place: &str| -> Result<()> {
        write(dir.path(), case(case_name)?)?;
        let output = run(&watershed()?, dir.path(), &[])?;
        ensure!(output.status.code() == Some(2), "{}", output.status);
        let told = String::from_utf8(output.stderr.clone())?;
        ensure!(told.lines().any(|line| line.starts_with(place)), "{case_name}: {told}");
        let counted = String::from_utf8(output.stdout)?;
        ensure!(counted == "0 passed, 0 failed; 1 file could not be run\n", "{counted}");
        Ok(())
    };
    check("values that are none", "test.yml:5:26: ")?;
    check("an unknown key", "test.yml:3:5: unknown key \"inputs\"")?;
    check("an expression that is none", "rules.yml:6:1: ")?;
    check("an alert without a name", "test.yml:6:9: ")?;
    Ok(())
}

#[test]
fn tests_are_chosen_by_name_and_reported_to_build_servers() -> Result<()> {
    let dir = tempfile::tempdir()?;
    write(dir.path(), case("one of two tests fails")?)?;
    let ours = watershed()?;
    let check = |flags: &[&str], code: i32, last: &str| -> Result<()> {
        let output = run(&ours, dir.path(), flags)?;
        let text = printed(&output);
        ensure!(output.status.code() == Some(code), "{flags:?}: {text}");
        ensure!(text.lines().last() == Some(last), "{flags:?}: {text}");
        Ok(())
    };
    check(&[], 1, "1 passed, 1 failed")?;
    check(&["--run", "^go"], 0, "1 passed, 0 failed")?;
    check(&["--run", "bad"], 1, "0 passed, 1 failed")?;
    check(&["--run", "bad", "--run", "goo", "--diff"], 1, "1 passed, 1 failed")?;
    check(&["--run", "neither"], 0, "0 passed, 0 failed")?;
    check(&["--junit", "out.xml"], 1, "1 passed, 1 failed")?;
    let xml = fs::read_to_string(dir.path().join("out.xml"))?;
    ensure!(xml.contains("tests=\"2\" failures=\"1\" errors=\"0\"") && xml.contains("name=\"bad\""), "{xml}");
    let debug = run(&ours, dir.path(), &["--debug", "--run", "good"])?;
    let told = String::from_utf8(debug.stderr)?;
    ensure!(told.contains("  x 1@0 1@60000") && told.contains("  twice 2@0 2@60000"), "{told}");
    Ok(())
}
