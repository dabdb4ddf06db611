//! How tests went, and the exit code that says so.

use std::process::ExitCode;

/// Exit code where something could not be run at all; that of wrong arguments, too.
const NOT_RUN: u8 = 2;

/// Tests that passed, tests that failed, and files that could not be run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) broken: usize,
}

impl Tally {
    pub(super) fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.broken += other.broken;
    }

    pub(super) fn exit_code(self) -> ExitCode {
        match self {
            Tally { broken: 1.., .. } => ExitCode::from(NOT_RUN),
            Tally { failed: 1.., .. } => ExitCode::FAILURE,
            _ => ExitCode::SUCCESS,
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        match self.broken {
            0 => Ok(()),
            1 => f.write_str("; 1 file could not be run"),
            broken => write!(f, "; {broken} files could not be run"),
        }
    }
}
