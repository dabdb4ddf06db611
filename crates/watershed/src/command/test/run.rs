//! Which tests they are.

use std::process::ExitCode;

use anyhow::Result;

use super::{promql, rules};
use crate::test_arguments::Test;

/// Runs the tests.
pub(crate) async fn run(test: &Test) -> Result<ExitCode> {
    match test {
        Test::Promql(flags) => promql::run(flags).await,
        Test::Rules(flags) => rules::run(flags).await,
    }
}
