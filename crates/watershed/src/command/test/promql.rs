//! `watershed test promql`: scripts in Prometheus's test language.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use promql::testlang::{self, CaseFailure, Report, When};
use promql::{Engine, EngineOptions};

use super::tally::Tally;
use crate::feature::Feature;
use crate::test_arguments::Promql;

pub(super) async fn run(flags: &Promql) -> Result<ExitCode> {
    let language = Feature::language(&flags.features);
    let engine = Engine::new(EngineOptions { language, ..EngineOptions::default() });
    let mut total = Tally::default();
    for file in &flags.files {
        let tally = run_file(file, &engine, &mut io::stdout(), &mut io::stderr()).await?;
        total.add(tally);
    }
    writeln!(io::stdout(), "{total}")?;
    Ok(total.exit_code())
}

async fn run_file(file: &Path, engine: &Engine, out: &mut impl Write, err: &mut impl Write) -> Result<Tally> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            writeln!(err, "{}: {error}", file.display())?;
            return Ok(Tally { broken: 1, ..Tally::default() });
        }
    };
    match testlang::run(&text, engine).await {
        Ok(report) => {
            write!(out, "{}", shown(file, &report))?;
            Ok(Tally { passed: report.passed, failed: report.failed.len(), broken: 0 })
        }
        Err(error) => {
            writeln!(err, "{}:{error}", file.display())?;
            Ok(Tally { broken: 1, ..Tally::default() })
        }
    }
}

/// All cases of a script that failed, and how many did not.
fn shown(file: &Path, report: &Report) -> String {
    let mut text: String = report.failed.iter().map(|failure| case(file, failure)).collect();
    text.push_str(&format!("{}: {} passed, {} failed\n", file.display(), report.passed, report.failed.len()));
    text
}

fn case(file: &Path, failure: &CaseFailure) -> String {
    let CaseFailure { line, query, when, difference, expected, got } = failure;
    let mut text = format!("{}:{line}: eval {} {query}\n  {difference}\n", file.display(), time(*when));
    for (title, lines) in [("expected", expected), ("got", got)] {
        text.push_str(&format!("  {title}:{}\n", if lines.is_empty() { " nothing" } else { "" }));
        lines.iter().for_each(|line| text.push_str(&format!("    {line}\n")));
    }
    text
}

/// As the script has it.
fn time(when: When) -> String {
    let seconds = |time: model::Timestamp| duration(time.as_ms());
    match when {
        When::Instant(time) => format!("instant at {}", seconds(time)),
        When::Range(start, end, step_ms) => {
            format!("range from {} to {} step {}", seconds(start), seconds(end), duration(step_ms))
        }
    }
}

fn duration(ms: i64) -> String {
    format!("{}{}", if ms < 0 { "-" } else { "" }, model::format_duration(ms.saturating_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(script: &str, tally: Tally, printed: &str, told: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.test");
        std::fs::write(&file, script).expect("written");
        let engine = Engine::new(EngineOptions::default());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let got = run_file(&file, &engine, &mut out, &mut err).await.expect("run");
        let without_folder = |bytes: Vec<u8>| {
            String::from_utf8(bytes).expect("text").replace(&format!("{}/", folder.path().display()), "")
        };
        assert_eq!((got, without_folder(out).as_str(), without_folder(err).as_str()), (tally, printed, told));
    }

    #[tokio::test]
    async fn every_failing_case_is_printed() {
        let script = "load 1m\n  a{x=\"1\"} 1+1x10\n  b 5\n\neval instant at 2m a\n  a{x=\"1\"} 3\n\n\
                      eval instant at 90s a + 1\n  {x=\"1\"} 4\n  {x=\"2\"} 4\n\n\
                      eval range from 0 to 2m step 1m b > 5\n  b 5\n";
        let printed = "a.test:8: eval instant at 1m30s a + 1\n  expected 2 series, got 1\n  expected:\n    {x=\"1\"} 4\n    \
                       {x=\"2\"} 4\n  got:\n    {x=\"1\"} 3\n\
                       a.test:12: eval range from 0s to 2m step 1m b > 5\n  b is missing\n  expected:\n    b 5\n  \
                       got: nothing\na.test: 1 passed, 2 failed\n";
        check(script, Tally { passed: 1, failed: 2, broken: 0 }, printed, "").await;
    }

    #[tokio::test]
    async fn a_broken_script_has_a_place() {
        let broken = Tally { broken: 1, ..Tally::default() };
        check("load 1m\n  a{} 1 two\n", broken, "", "a.test:2:9: \"two\" is no value\n").await;
    }

    #[test]
    fn the_exit_code_tells_the_worst() {
        let check = |passed, failed, broken, want: ExitCode, text: &str| {
            let tally = Tally { passed, failed, broken };
            assert_eq!(format!("{:?}", tally.exit_code()), format!("{want:?}"), "{tally}");
            assert_eq!(tally.to_string(), text);
        };
        check(3, 0, 0, ExitCode::SUCCESS, "3 passed, 0 failed");
        check(3, 1, 0, ExitCode::FAILURE, "3 passed, 1 failed");
        check(3, 1, 1, ExitCode::from(2), "3 passed, 1 failed; 1 file could not be run");
        check(0, 0, 2, ExitCode::from(2), "0 passed, 0 failed; 2 files could not be run");
    }
}
