//! `watershed test rules`: unit tests of rules, in promtool's format.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use model::GoRegex;
use promql::ParseOptions;
use rules::unit_test::{Failure, Outcome, UnitTests};

use super::junit::{self, Case, Suite};
use super::tally::Tally;
use crate::feature::Feature;
use crate::test_arguments::Rules;

pub(super) async fn run(flags: &Rules) -> Result<ExitCode> {
    let language = Feature::language(&flags.features);
    let wanted = flags.run.iter().map(|pattern| GoRegex::new(pattern)).collect::<Result<Vec<_>, _>>()?;
    let (mut total, mut suites) = (Tally::default(), Vec::new());
    for file in &flags.files {
        let suite = run_file(file, language, &wanted, flags.debug).await?;
        let tally = tally(&suite);
        match &suite.error {
            Some(error) => writeln!(io::stderr(), "{error}")?,
            None => {
                let mut out = io::stdout();
                suite.cases.iter().flat_map(|case| &case.failures).try_for_each(|text| write!(out, "{text}"))?;
                writeln!(out, "{}: {tally}", file.display())?;
            }
        }
        total.add(tally);
        suites.push(suite);
    }
    writeln!(io::stdout(), "{total}")?;
    if let Some(file) = &flags.junit {
        std::fs::write(file, junit::document(&suites)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(total.exit_code())
}

fn tally(suite: &Suite) -> Tally {
    let failed = suite.cases.iter().filter(|case| !case.failures.is_empty()).count();
    Tally { passed: suite.cases.len() - failed, failed, broken: usize::from(suite.error.is_some()) }
}

async fn run_file(file: &Path, language: ParseOptions, wanted: &[GoRegex], debug: bool) -> Result<Suite> {
    let mut suite = Suite { file: file.to_owned(), ..Suite::default() };
    let tests = match config::read_file(file).and_then(|text| UnitTests::load(file, &text, language)) {
        Ok(tests) => tests,
        Err(errors) => {
            suite.error = Some(errors.to_string());
            return Ok(suite);
        }
    };
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|regex| regex.is_match(name));
    for outcome in tests.run(is_wanted, debug).await {
        if debug {
            write_data(file, &outcome)?;
        }
        let failures = outcome.failures.iter().map(|failure| shown(file, &outcome.name, failure)).collect();
        suite.cases.push(Case { name: outcome.name, took: outcome.took, failures });
    }
    Ok(suite)
}

fn write_data(file: &Path, outcome: &Outcome) -> io::Result<()> {
    let mut err = io::stderr().lock();
    writeln!(err, "{}: {:?} took {:?}; all series at its end:", file.display(), outcome.name, outcome.took)?;
    outcome.data.iter().try_for_each(|line| writeln!(err, "  {line}"))
}

/// `file:line:column: test "name": what was looked at`, and below it what is wrong.
fn shown(file: &Path, test: &str, failure: &Failure) -> String {
    let Failure { position, subject, finding } = failure;
    let place = format!("{}:{}:{}", file.display(), position.line, position.column);
    let mut text = format!("{place}: test {test:?}: {subject}\n");
    finding.lines().iter().for_each(|line| text.push_str(&format!("    {line}\n")));
    text
}
