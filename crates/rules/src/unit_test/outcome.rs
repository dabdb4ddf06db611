//! How a test went.

use std::time::Duration;

use config::Position;

use crate::unit_test::difference::difference;

/// A test that has been run.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Its name; `unnamed#N` where it has none, N its place in the file from 0.
    pub name: String,
    /// Where it stands in the file.
    pub position: Position,
    /// What is wrong; empty if it passed.
    pub failures: Vec<Failure>,
    /// How long it took.
    pub took: Duration,
    /// All series that were there at the end, those of rules included: labels, then values with their times in milliseconds. Only where it
    /// was asked for.
    pub data: Vec<String>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Where in the file the expectation stands.
    pub position: Position,
    /// What was looked at: `alert InstanceDown at 10m`, `expr up == 0 at 5m`.
    pub subject: String,
    /// What is wrong with it.
    pub finding: Finding,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// It could not be found out.
    Error(String),
    /// Something else came.
    Difference {
        /// What was expected, line by line.
        expected: Vec<String>,
        /// What came, line by line.
        got: Vec<String>,
    },
}

impl Finding {
    /// For people: an error in one line, or both lists beside each other, `- ` before what was expected only and `+ ` before what came only.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Finding::Error(message) => message.lines().map(str::to_owned).collect(),
            Finding::Difference { expected, got } => difference(expected, got),
        }
    }
}
